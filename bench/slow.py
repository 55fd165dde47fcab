"""`python -m bench.slow`: a worker whose disk is slower than its network: 5 ms for each file that is stored, 20 ms for each write.

small files, each of which takes 5 ms to its place             --> files a second
one large file whose writes sleep, beside small ones that don't --> how long the small ones took, beside how long without it
"""

from __future__ import annotations

import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.partial import PartialFile
from marscore.adapters.http.curl_transport import CurlTransport
from marscore.events import DownloadFinished, Event, Outcome
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.ports import FileStore
from marscore.resolve.model import Download, Options
from marscore.state import AS_MADE, Attributes, Content, FileIdentity
from tests.origin.content import content
from tests.servers import Nginx, nginx

_KIB, _MIB = 1024, 1024 * 1024
_FILES, _SMALL, _LARGE = 2000, 10 * _KIB, 256 * _MIB
_PER_STORE, _PER_WRITE = 0.005, 0.02


class SlowStores(Folder):
    """Each small file takes 5 ms to its place, as over a network file system."""

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Store it, after a while."""
        time.sleep(_PER_STORE)
        return super().store(path, content, attributes)


class SlowWrites(Folder):
    """Each write to a partial file takes 20 ms."""

    def create(self, path: str) -> PartialFile:
        """Begin one whose writes sleep."""
        partial = super().create(path)
        write = partial.write

        def slowly(offset: int, *chunks: bytes | memoryview) -> None:
            time.sleep(_PER_WRITE)
            write(offset, *chunks)

        partial.write = slowly  # type: ignore[method-assign]
        return partial


def main() -> int:
    """Measure and print."""
    here = Path(tempfile.mkdtemp(prefix="marscore-slow-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        _measure(here)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    return 0


def _measure(here: Path) -> None:
    with nginx(here / "nginx") as server:
        for number in range(_FILES):
            (server.root / f"{number}.bin").write_bytes(content(number % 32, 0, _SMALL))
        with (server.root / "large.bin").open("wb") as file:
            for start in range(0, _LARGE, 4 * _MIB):
                file.write(content(1, start, start + 4 * _MIB))
        small, large = [f"{number}.bin" for number in range(_FILES)], ["large.bin"]
        fast, _ = _run(server, Folder(_made(here / "fast")), small)
        print(f"{_FILES / fast:8.0f} files/s on a fast disk")
        slow, _ = _run(server, SlowStores(_made(here / "slow")), small)
        print(f"{_FILES / slow:8.0f} files/s where a store takes {_PER_STORE * 1000:.0f} ms; one after the other {1 / _PER_STORE:.0f}")
        whole, beside = _run(server, SlowWrites(_made(here / "beside")), [*large, *small])
        print(f"{_FILES / beside:8.0f} files/s beside a file whose writes take {_PER_WRITE * 1000:.0f} ms each; it took {whole:.1f} s")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _run(server: Nginx, files: FileStore, names: Sequence[str]) -> tuple[float, float]:
    """Fetch these; returns the seconds to the end of all, and to the end of the small ones."""
    told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    worker = Worker(WorkerSettings("", 16, 10 * _MIB, Share(16)), Ports(CurlTransport(16), files, SystemClock()), told.put)
    worker.start()
    began = time.perf_counter()
    worker.submit(Work(Download(name, (server.url(name),), name, Options()), untouched=True) for name in names)
    left, small = set(names), 0.0
    while left:
        _take_off(left, told.get(timeout=120))
        if not small and not left - {"large.bin"}:
            small = time.perf_counter() - began
    worker.close()
    return time.perf_counter() - began, small


def _take_off(left: set[str], events: Iterable[Event]) -> None:
    for event in events:
        if isinstance(event, Outcome):
            assert isinstance(event, DownloadFinished), event
            left.discard(event.download)


if __name__ == "__main__":
    sys.exit(main())
