"""Disks slower than the network: nothing that the loop drives waits for them, and what is held of a file stays within its buffer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from marscore.errors import StorageError
from marscore.events import DownloadFailed, DownloadFinished
from marscore.execute.transfer.protocol import Moment, Opened
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.bodies import SLOW_WRITE, Bodies
from marscore.execute.worker.fetch import Fetch
from marscore.execute.worker.helpers import Act, Then
from marscore.execute.worker.placing import SLOW_STORE
from marscore.execute.worker.writing import Writer
from marscore.ports import Exchange, Request
from marscore.state import AS_MADE, Attributes, Content, FileIdentity
from marscore.url import parse_url
from marscore.values import Access, Failure
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder, MemoryPartial
from tests.fakes.transport import FakeTransport
from tests.unit.execute.working import HUNG, KIB, MIB, outcomes, wanted

BASE = "http://origin.example/"
LARGE = bytes(range(256)) * (24 * MIB // 256)
SMALL = {f"{BASE}{number}": bytes([number % 256]) * (2 * KIB) for number in range(300)}


class Stores(MemoryFolder):
    """Takes some milliseconds for each small file, and notes which thread it was."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.at_once, self.most_at_once = 0, 0
        self._lock = threading.Lock()

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.threads.append(threading.current_thread().name)
        time.sleep(5 * SLOW_STORE)
        with self._lock:
            self.at_once -= 1
            if path == "17":
                raise StorageError(Failure("permission", "cannot write: Permission denied"))
            return super().store(path, content, attributes)


def test_small_files_are_stored_by_many_helpers_where_storing_takes_long() -> None:
    folder = Stores()
    found = outcomes([wanted(n, url, url.removeprefix(BASE)) for n, url in enumerate(SMALL)], FakeTransport(SMALL), folder, threads=16)
    failed = {outcome.download: outcome.message for outcome in found.values() if isinstance(outcome, DownloadFailed)}
    assert failed == {"downloads[17]": "cannot write: Permission denied"}
    assert {path: stored.content for path, stored in folder.files.items()} == {
        url.removeprefix(BASE): body for url, body in SMALL.items() if url != f"{BASE}17"
    }
    # It takes some files until that is known.
    assert folder.threads.count("marscore-loop") < 20
    assert folder.most_at_once > 4


class Writes(MemoryFolder):
    """Takes long for each write of the large file, until told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.writing = threading.Event()
        self.fails: StorageError | None = None

    def create(self, path: str) -> MemoryPartial:
        super().create(path)
        return SlowPartial(self, path, self.parts[path])


class SlowPartial(MemoryPartial):
    def write(self, offset: int, *chunks: bytes | memoryview) -> None:
        folder = self._folder
        assert isinstance(folder, Writes)
        if threading.current_thread().name == "marscore-loop":
            time.sleep(2 * SLOW_WRITE)
        else:
            folder.writing.set()
            assert folder.go_on.wait(HUNG)
            if folder.fails:
                raise folder.fails
        super().write(offset, *chunks)


class Flood(FakeTransport):
    """Sends the large file as fast as it is taken, and notes how much of it nobody has taken."""

    def __init__(self, folder: Writes) -> None:
        super().__init__({f"{BASE}large": LARGE, **SMALL})
        self.sent = 0
        self._folder = folder

    def chunks(self, request: Request, body: bytes) -> Iterator[bytes]:
        for chunk in super().chunks(request, body):
            if request.url.text == f"{BASE}large":
                self.sent += len(chunk)
            yield chunk

    def pause(self, exchange: Exchange) -> None:
        super().pause(exchange)
        # The disk stands still, and its sender is held back: only now may it go on.
        self._folder.go_on.set()


@pytest.mark.parametrize("fails", [False, True], ids=["it comes", "the disk is full"])
def test_a_disk_that_stands_still_holds_back_its_own_sender_and_nobody_else(fails: bool) -> None:
    folder = Writes()
    folder.fails = StorageError(Failure("disk_full", "cannot write: No space left on device")) if fails else None
    transport = Flood(folder)
    works = [wanted(0, f"{BASE}large", "large", threads=1)]
    works += [wanted(n, url, url.removeprefix(BASE)) for n, url in enumerate(SMALL, 1)]
    found = outcomes(works, transport, folder, threads=4)
    assert {outcome.download for outcome in found.values() if not isinstance(outcome, DownloadFinished)} == (
        {"downloads[0]"} if fails else set()
    )
    assert all(folder.files[url.removeprefix(BASE)].content == body for url, body in SMALL.items())
    assert folder.writing.is_set()
    assert folder.go_on.is_set(), "nobody was held back"
    if fails:
        # Half of the buffer of 8 MiB, and what was on its way.
        assert transport.sent <= 9 * MIB
    else:
        assert folder.files["large"].content == LARGE


class Later:
    """Helpers that do what they were given when they are told to."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Act, Then]] = []

    def do(self, act: Act, then: Then) -> None:
        self.tasks.append((act, then))

    def work(self) -> None:
        act, then = self.tasks.pop(0)
        then(act(), None)


class Nobody:
    """Holds nothing back."""

    def hold(self, fetch: Fetch) -> None:
        pass

    go_on = hold

    def not_written(self, fetch: Fetch, error: BaseException) -> None:
        raise error


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_waits_for_the_last_write_of_a_segment_comes_also_where_that_was_cancelled_meanwhile(cancelled: bool) -> None:
    folder, helpers, clock = MemoryFolder(), Later(), FakeClock()
    transfer = Transfer(wanted(0, f"{BASE}large", "large"), Moment(0.0, 0.0))
    transfer.step(Opened(Moment(0.0, 0.0)))
    segment = transfer.take(0.0)
    assert segment
    fetch = Fetch(transfer, segment, transfer.host, Exchange(Request(parse_url(segment.url), Access())))
    fetch.writer = Writer(folder.create("large"), 0)
    bodies = Bodies(helpers, clock, Nobody(), 8 * MIB)  # type: ignore[arg-type]  # it is asked for no more than that
    # A write that takes long: the next ones are left to helpers.
    bodies._note(1.0)
    bodies.write(fetch, [b"first"], 5)
    bodies.write(fetch, [b"second"], 6)
    told: list[int] = []
    bodies.after(fetch, lambda: told.append(segment.written))
    segment.cancelled = cancelled
    while helpers.tasks:
        assert not told
        helpers.work()
    assert told == [5 if cancelled else 11]
    assert bytes(folder.parts["large"]) == (b"first" if cancelled else b"firstsecond")
