"""Runs a command and measures it: wall clock, CPU of the process and all it waited for, peak memory of the whole tree. Linux only.

Memory is the sum of PSS (each shared page counted by its share) over the process and its descendants, sampled: every 2 ms at first, at
most every 20 ms later, so that a short run has samples too and a long one is hardly disturbed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What one run took. `peak_bytes` is 0 where it ended before its memory could be sampled; `reason` is empty where it did not fail."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    reason: str = ""


def run(command: Sequence[str], cwd: Path, log: Path, limit_s: float, env: Mapping[str, str] | None = None) -> Sample:
    """Run a command to its end, or kill it and what it started after `limit_s`. Its output goes to `log`."""
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=env or environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        over = threading.Timer(limit_s, _kill_tree, [process.pid])
        over.start()
        watch = _Watch(process.pid)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        over.cancel()
        over.join()
        watch.end()
    # What it left behind must not disturb the next run.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    late = wall >= limit_s
    reason = f"killed after {limit_s:.0f} s" if late else _why(process.returncode, log) if process.returncode else ""
    return Sample(wall, used.ru_utime + used.ru_stime, watch.peak, reason)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without proxies and without settings of Python, and what a tool is told besides."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("PYTHON")}
    return kept | {"TERM": "dumb"} | dict(more or {})


def warm(folder: Path, size: int) -> None:
    """Write so many bytes there and give them back, so that the next writer gets memory that has been used before.

    A virtual machine has most of its memory from its host only when it first writes to it: 2.5 CPU seconds for a GiB of tmpfs, and 0.3 ever
    after. Whoever ran first, or whenever the kernel took another piece of free memory, would pay for all.
    """
    place, piece = folder / "warm", b"w" * 1024 * 1024
    try:
        with place.open("wb", buffering=0) as file:
            for start in range(0, size, len(piece)):
                file.write(piece[: size - start])
    finally:
        place.unlink(missing_ok=True)


def _why(code: int, log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"exit {code}: {lines[-1][:200] if lines else 'no word'}"


def _kill_tree(root: int) -> None:
    """End a process and its descendants, whatever session they are in, and wait until none of them touches a file any more."""
    handles = []
    for pid in _tree(root):
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    for handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    for handle in handles:
        select.select([handle], [], [], 5)
        os.close(handle)


class _Watch(threading.Thread):
    """Samples the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        begin = time.perf_counter()
        while not self._over.wait(min(0.2, max(0.01, (time.perf_counter() - begin) / 10))):
            self.peak = max(self.peak, sum(map(_pss, _tree(self._pid))))

    def end(self) -> None:
        self._over.set()
        self.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    # Whatever is asked of it, a process or a thread may have ended meanwhile; its children then are another's.
    threads: list[Path] = []
    with contextlib.suppress(OSError):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    for thread in threads:
        children = ""
        with contextlib.suppress(OSError):
            children = (thread / "children").read_text()
        for child in children.split():
            yield from _tree(int(child))


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
