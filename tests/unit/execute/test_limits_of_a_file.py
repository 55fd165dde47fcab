"""What ends a download from within: its total time, its least speed, and a defect where nothing was expected to fail."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from marscore.adapters.clock import SystemClock
from marscore.events import DownloadFailed, Event
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.thread import Worker
from marscore.policy.retry import RetryRules
from marscore.ports import Answer, Exchange, Request
from marscore.values import Failure, Timeouts
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder
from tests.fakes.transport import FakeTransport
from tests.unit.execute.story import Story
from tests.unit.execute.working import MIB, outcomes, wanted

URL = "http://origin.example/large.bin"
ONCE = RetryRules(max_retries=0)


class Dragging(FakeTransport):
    """Takes some seconds for each KiB."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__({URL: bytes(70 * 1024)})
        self._clock, self._seconds = clock, seconds

    def chunks(self, request: Request, body: bytes) -> Iterator[bytes]:
        for at in range(0, len(body), 1024):
            self._clock.elapsed += self._seconds
            yield body[at : at + 1024]


@pytest.mark.parametrize(
    ("options", "seconds", "kind", "message"),
    [
        ({"timeouts": Timeouts(total=60.0)}, 7.0, "timeout", "the download took longer than its total of 60 s"),
        ({"min_speed": 1024}, 1.1, "too_slow", "slower than min_speed, 1024 bytes/s, for 30 s"),
    ],
    ids=["total", "min_speed"],
)
def test_a_download_that_takes_too_long_ends_by_the_limit(options: dict[str, object], seconds: float, kind: str, message: str) -> None:
    clock, folder = FakeClock(), MemoryFolder()
    [outcome] = outcomes([wanted(0, URL, "file", retry=ONCE, **options)], Dragging(clock, seconds), folder, clock).values()
    assert isinstance(outcome, DownloadFailed)
    assert (outcome.kind, outcome.message) == (kind, message)
    assert "file" in folder.journals, "what came is kept for another run"
    assert "file" not in folder.files


def test_a_download_within_its_limits_comes() -> None:
    clock, folder = FakeClock(), MemoryFolder()
    outcomes([wanted(0, URL, "file", retry=ONCE, timeouts=Timeouts(total=71.0), min_speed=1024)], Dragging(clock, 1.0), folder, clock)
    assert folder.files["file"].content == bytes(70 * 1024)


def refuses(works: Iterable[Work]) -> None:
    raise MemoryError("no room for them")


def test_a_worker_without_memory_for_its_end_gives_up() -> None:
    class Stopped(SystemClock):
        def now(self) -> float:
            raise MemoryError

    given_up = threading.Event()
    ports = Ports(FakeTransport({URL: b""}), MemoryFolder(), Stopped(), give_up=lambda why: given_up.set())
    worker = Worker(WorkerSettings("", 1, MIB, Share(1)), ports, lambda events: None)
    worker.submit([wanted(0, URL, "a")])
    worker.start()
    assert given_up.wait(30)


def test_a_worker_whose_loop_breaks_answers_for_no_download_any_more() -> None:
    """It may have lost sight of one between its queue and its table, and the run would wait for that for ever."""
    reasons: queue.SimpleQueue[Failure | None] = queue.SimpleQueue()
    ports = Ports(FakeTransport({}), MemoryFolder(), SystemClock(), expect=refuses, give_up=reasons.put)
    worker = Worker(WorkerSettings("", 1, MIB, Share(1)), ports, lambda events: None)
    worker.start()
    worker.submit([wanted(0, URL, "a")])
    assert reasons.get(timeout=30) == Failure("resources", "the system gives too little memory")


def test_a_worker_gives_up_where_what_a_helper_did_cannot_be_told_for_want_of_memory() -> None:
    class Unwakeable(FakeTransport):
        def wake(self) -> None:
            if threading.current_thread().name.startswith("marscore-helper"):
                raise MemoryError
            super().wake()

    reasons: queue.SimpleQueue[Failure | None] = queue.SimpleQueue()
    ports = Ports(Unwakeable({URL: b""}), MemoryFolder(), SystemClock(), give_up=reasons.put)
    worker = Worker(WorkerSettings("", 1, MIB, Share(1)), ports, lambda events: None)
    worker.start()
    worker.submit([replace(wanted(0, URL, "a"), untouched=False)])
    assert reasons.get(timeout=30) is None
    worker.stop(Failure("interrupted", "over"), "over")


def test_works_that_cannot_be_begun_have_their_outcome() -> None:
    told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    ports = Ports(FakeTransport({}), MemoryFolder(), SystemClock(), expect=refuses)
    worker = Worker(WorkerSettings("", 1, MIB, Share(1)), ports, told.put)
    worker.start()
    worker.submit([wanted(0, URL, "a"), wanted(1, URL, "b")])
    assert [(event.download, event.reason) for event in told.get(timeout=30)] == [  # type: ignore[attr-defined]
        ("downloads[0]", "the system gives too little memory"),
        ("downloads[1]", "the system gives too little memory"),
    ]


class Announces(FakeTransport):
    """Says that a body has so many bytes, whatever it has."""

    def __init__(self, size: int) -> None:
        super().__init__({URL: bytes(10)})
        self._size = size

    def answer(self, request: Request) -> tuple[Answer, bytes]:
        answer, body = super().answer(request)
        return replace(answer, fields={**answer.fields, "content-length": str(self._size)}), body

    def carry_out(self, exchange: Exchange) -> Iterator[None]:
        yield from super().carry_out(exchange)
        exchange.failure = None


@pytest.mark.parametrize(("size", "what"), [(12, "ended 2 bytes early"), (8, "has 2 bytes more than were announced")])
def test_a_small_body_of_another_size_than_was_announced_is_no_file(size: int, what: str) -> None:
    folder = MemoryFolder()
    [outcome] = outcomes([wanted(0, URL, "file", retry=ONCE)], Announces(size), folder).values()
    assert (outcome.kind, outcome.message) == ("truncated", f"the body {what}")
    assert not folder.files


def test_nothing_is_asked_for_or_given_up_before_the_partial_file_was_looked_at() -> None:
    story = Story(timeouts=Timeouts(total=60.0))
    story.ticks += 1000
    assert story.transfer.due is None
    assert not story.transfer.waits_too_long(story.ticks)
    story.open()
    assert story.transfer.due is not None
    assert story.transfer.waits_too_long(story.ticks)
