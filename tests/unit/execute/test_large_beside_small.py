"""A large file is verified and placed beside the thread that goes on with small ones: neither may get the other's bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence

import pytest

from marscore.events import DownloadFinished
from marscore.state import Content, FileIdentity
from marscore.values import Checksum
from tests.fakes.files import MemoryFolder, MemoryPartial
from tests.fakes.transport import FakeTransport
from tests.unit.execute.working import HUNG, KIB, MIB, outcomes, wanted

LARGE = bytes(range(256)) * (5 * MIB // 256)
SMALL = {f"http://origin.example/small-{n}.bin": bytes([n]) * (2 * KIB + n) for n in range(40)}


class SlowFolder(MemoryFolder):
    """Places a large file while a small one is on its way to its own place, whatever the threads would do by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.storing = threading.Event()
        self.placing = threading.Event()

    def create(self, path: str) -> MemoryPartial:
        super().create(path)
        return SlowPartial(self, path, self.parts[path])

    def store(self, path: str, content: Content) -> FileIdentity:
        self.storing.set()
        # Only the first waits for the large one; where that never comes while this one is at hand, nothing is to be seen.
        self.placing.wait(1)
        return super().store(path, content)


class SlowPartial(MemoryPartial):
    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        found = super().digests(size, algorithms)
        assert self.slow.storing.wait(HUNG)
        return found

    def finish(self, path: str, size: int, digests: Mapping[str, str]) -> FileIdentity:
        self.slow.placing.set()
        return super().finish(path, size, digests)

    @property
    def slow(self) -> SlowFolder:
        assert isinstance(self._folder, SlowFolder)
        return self._folder


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_large_file_that_is_placed_while_small_ones_are_gets_its_own_bytes(threads: int, checksum: bool) -> None:
    folder = SlowFolder()
    bodies = {"http://origin.example/large.bin": LARGE, **SMALL}
    named = (Checksum("sha256", hashlib.sha256(LARGE).hexdigest()),) if checksum else ()
    works = [wanted(n, url, url.rpartition("/")[2], () if n else named, threads=1) for n, url in enumerate(bodies)]
    found = outcomes(works, FakeTransport(bodies), folder, threads=threads)
    assert all(isinstance(outcome, DownloadFinished) for outcome in found.values())
    for work in works:
        stored, body = folder.files[work.download.path], bodies[work.download.url]
        assert stored.content == body
        told = found[work.download.id]
        assert (told.size, told.inode, told.digests) == (
            len(body),
            stored.identity.inode,
            (f"sha256:{hashlib.sha256(body).hexdigest()}",),
        )
