"""What happens is acted on at once: by the one that it concerns, and not because a clock comes round.

The workers here are never started, so nothing ticks: what was put out stays there, and who waits goes on waiting, until something says so.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Sequence

from marscore.adapters.clock import SystemClock
from marscore.events import DownloadFinished, Event, ProgressMade, RetryScheduled
from marscore.execute.protocol import Work
from marscore.execute.setup import Share, WorkerSettings
from marscore.execute.worker import Ports, Worker
from marscore.execute.writing import Reads
from marscore.ports import Request
from marscore.values import Checksum
from tests.fakes.files import MemoryFolder, MemoryPartial
from tests.fakes.http import FakeClient, FakeResponse
from tests.unit.execute.well_typed import told
from tests.unit.execute.working import HUNG, MIB, wanted

URL = "http://origin.example/large.bin"
LARGE = bytes(range(256)) * (5 * MIB // 256)
SMALL = "http://origin.example/small.bin"
SUM = (Checksum("sha256", hashlib.sha256(LARGE).hexdigest()),)


class Still(Worker):
    """A worker of which a test learns that a thread begins to wait for a change, and what was sent."""

    def __init__(self, client: FakeClient, files: MemoryFolder, threads: int) -> None:
        self.told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
        self.folder = files
        self.sent = threading.Event()
        self.waits = threading.Event()
        #: Readings of progress, where it is started.
        self.shown: queue.SimpleQueue[Sequence[ProgressMade]] = queue.SimpleQueue()
        settings = WorkerSettings("", threads, Reads(MIB, 8 * MIB), Share(16), cores=8)
        super().__init__(settings, Ports(client, files, SystemClock(), self.shown.put), self._send)

    def _send(self, events: list[Event]) -> None:
        self.told.put(events)
        self.sent.set()

    def _wait(self) -> None:
        # Under the desk's lock, which only the wait itself lets go of: whoever has it next finds this thread waiting.
        self.waits.set()
        super()._wait()


class Hashing(MemoryFolder):
    """Hashes a large file only after something else has happened."""

    def __init__(self) -> None:
        super().__init__()
        self.after: Callable[[], bool] = lambda: True

    def create(self, path: str) -> MemoryPartial:
        super().create(path)
        return _Partial(self, path, self.parts[path])


class _Partial(MemoryPartial):
    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        assert isinstance(self._folder, Hashing)
        assert self._folder.after()
        return super().digests(size, algorithms)


def carry_out(worker: Still, works: Sequence[Work]) -> list[Event]:
    """All events up to the last outcome."""
    worker.submit(works)
    events: list[Event] = []
    try:
        while sum(isinstance(event, DownloadFinished) for event in events) < len(works):
            events += map(told, worker.told.get(timeout=HUNG))
    except queue.Empty:
        raise AssertionError(f"nothing more came after {events}") from None
    worker.close()
    return events


def test_the_outcome_of_a_file_that_is_verified_apart_is_sent_at_once() -> None:
    folder = Hashing()
    worker = Still(FakeClient({URL: LARGE}), folder, threads=1)
    # By then the thread that received the file has sent what there was, and has nothing more to do.
    folder.after = lambda: worker.sent.wait(HUNG) and worker.waits.wait(HUNG)
    carry_out(worker, [wanted(0, URL, "large.bin")])
    assert folder.files["large.bin"].content == LARGE


def test_a_download_that_has_to_be_tried_again_wakes_a_thread_that_waits_for_nothing_in_particular() -> None:
    class Damaged(FakeClient):
        def open(self, request: Request) -> FakeResponse:
            response = super().open(request)
            self.bodies[URL] = LARGE
            return response

    folder = Hashing()
    worker = Still(Damaged({URL: b"!" + LARGE[1:]}), folder, threads=1)
    folder.after = lambda: worker.waits.wait(HUNG)
    events = carry_out(worker, [wanted(0, URL, "large.bin", SUM)])
    assert sum(isinstance(event, RetryScheduled) for event in events) == 1
    assert folder.files["large.bin"].content == LARGE


def test_an_answer_that_may_be_shared_wakes_a_thread_that_waits_for_nothing_in_particular() -> None:
    class Shared(FakeClient):
        def __init__(self) -> None:
            super().__init__({URL: LARGE * 4, SMALL: b"small"})
            self.asked = threading.Event()
            self.idle: Callable[[], bool] = lambda: True

        def open(self, request: Request) -> FakeResponse:
            if "Range" in dict(request.fields):
                self.asked.set()
            elif request.url.text == URL:
                assert self.idle(), "the other thread still has something to do"
            response = super().open(request)
            return _Halting(response, self.asked) if request.url.text == URL else response

    class _Halting(FakeResponse):
        def __init__(self, response: FakeResponse, until: threading.Event) -> None:
            super().__init__(response.answer, bytes(response._rest))
            self._until = until

        def read(self, limit: int) -> bytes:
            assert self._until.wait(HUNG), "no other thread came for a part of the file"
            return super().read(limit)

    folder, client = Hashing(), Shared()
    worker = Still(client, folder, threads=2)
    client.idle = lambda: worker.waits.wait(HUNG)
    carry_out(worker, [wanted(0, URL, "large.bin", threads=2), wanted(1, SMALL, "small.bin")])
    assert folder.files["large.bin"].content == LARGE * 4


def test_how_far_a_file_is_is_shown_while_it_comes() -> None:
    class Slow(FakeClient):
        def open(self, request: Request) -> FakeResponse:
            return _Slow(super().open(request).answer, LARGE)

    class _Slow(FakeResponse):
        def read(self, limit: int) -> bytes:
            if not self._rest:
                return b""
            if len(self._rest) < len(LARGE):
                # A reading of what came, and not of the moment before.
                until_shown(lambda made: made.bytes_done == len(LARGE) - len(self._rest))
            return super().read(limit)

    def until_shown(holds: Callable[[ProgressMade], bool]) -> None:
        while True:
            readings = worker.shown.get(timeout=HUNG)
            seen.extend(readings)
            if any(map(holds, readings)):
                return

    seen: list[ProgressMade] = []
    worker = Still(Slow({URL: LARGE}), MemoryFolder(), threads=1)
    worker.start()
    carry_out(worker, [wanted(0, URL, "large.bin")])
    assert {(told(made).download, made.size, made.threads_active, made.threads_finished) for made in seen if made.bytes_done} == {  # type: ignore[attr-defined]
        ("downloads[0]", len(LARGE), 1, 0)
    }
    assert all(made.bytes_downloaded == made.bytes_done for made in seen)


def test_a_small_file_that_comes_in_drips_is_put_together_and_its_connection_let_go_of() -> None:
    class Dripping(FakeClient):
        closed = 0

        def open(self, request: Request) -> FakeResponse:
            client = self

            class Drip(FakeResponse):
                def read(self, limit: int) -> bytes:
                    return super().read(min(limit, 3))

                def close(self) -> None:
                    client.closed += 1

            response = super().open(request)
            return Drip(response.answer, self.bodies[SMALL])

    folder, client = MemoryFolder(), Dripping({SMALL: b"in drips, not at once"})
    worker = Still(client, folder, threads=1)
    events = carry_out(worker, [wanted(0, SMALL, "small.bin")])
    assert folder.files["small.bin"].content == b"in drips, not at once"
    assert client.closed == 1
    assert not [event for event in events if isinstance(event, RetryScheduled)]
