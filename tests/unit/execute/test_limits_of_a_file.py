"""What ends a download from within: its total time, its least speed, and a defect where nothing was expected to fail."""

from __future__ import annotations

import queue
from collections.abc import Iterable

import pytest

from marscore.adapters.clock import SystemClock
from marscore.events import DownloadFailed, Event
from marscore.execute.protocol import Work
from marscore.execute.setup import Share, WorkerSettings
from marscore.execute.worker import Ports, Worker
from marscore.execute.writing import Reads
from marscore.policy.retry import RetryRules
from marscore.ports import Request
from marscore.values import Timeouts
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder
from tests.fakes.http import FakeClient, FakeResponse
from tests.unit.execute.working import MIB, outcomes, wanted

URL = "http://origin.example/large.bin"
ONCE = RetryRules(max_retries=0)


class Dragging(FakeClient):
    """Takes some seconds for each KiB."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__({URL: bytes(70 * 1024)})
        self._clock, self._seconds = clock, seconds

    def open(self, request: Request) -> FakeResponse:
        clock, seconds = self._clock, self._seconds

        class Response(FakeResponse):
            def read(self, limit: int) -> bytes:
                clock.elapsed += seconds
                return super().read(min(limit, 1024))

        return Response(super().open(request).answer, self.bodies[URL])


@pytest.mark.parametrize(
    ("options", "seconds", "kind", "message"),
    [
        ({"timeouts": Timeouts(total=60.0)}, 7.0, "timeout", "the download took longer than its total of 60 s (after 0 retries)"),
        ({"min_speed": 1024}, 1.1, "too_slow", "slower than min_speed, 1024 bytes/s, for 30 s (after 0 retries)"),
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


def test_a_defect_before_the_first_request_ends_all_that_were_to_come_along_by_name() -> None:
    class Defective(FakeClient):
        def ahead(self, requests: object) -> None:
            raise RuntimeError("a defect")

    urls = [f"http://origin.example/{n}" for n in range(3)]
    works = [wanted(n, url, str(n)) for n, url in enumerate(urls)]
    found = outcomes(works, Defective(dict.fromkeys(urls, b"")), MemoryFolder(), threads=1, per_host=1, pipeline=3)
    assert {(outcome.kind, outcome.message) for outcome in found.values()} == {("internal", "RuntimeError: a defect")}


def refuses(works: Iterable[Work]) -> None:
    raise MemoryError("no room for them")


def test_a_worker_without_memory_for_its_end_gives_up() -> None:
    class Unstoppable(FakeClient):
        def abort(self) -> None:
            raise MemoryError

    given_up: list[str] = []
    settings = WorkerSettings("", 1, Reads(MIB, MIB), Share(1))
    ports = Ports(Unstoppable({}), MemoryFolder(), FakeClock(), expect=refuses, give_up=lambda: given_up.append("given up"))
    Worker(settings, ports, lambda events: None).submit([wanted(0, URL, "a")])
    assert given_up == ["given up"]


def test_downloads_of_a_worker_whose_threads_ended_unheard_have_their_outcome() -> None:
    class Lost(Worker):
        def _work(self) -> None:
            pass

    told: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    worker = Lost(WorkerSettings("", 1, Reads(MIB, MIB), Share(1)), Ports(FakeClient({}), MemoryFolder(), SystemClock()), told.put)
    worker.start()
    worker.submit([wanted(0, URL, "a")])
    [event] = told.get(timeout=30)
    assert (event.download, event.reason) == ("downloads[0]", "the system gives too little memory")  # type: ignore[attr-defined]


def test_works_that_cannot_be_begun_have_their_outcome() -> None:
    told: list[object] = []
    settings = WorkerSettings("", 1, Reads(MIB, MIB), Share(1))
    ports = Ports(FakeClient({}), MemoryFolder(), FakeClock(), expect=refuses)
    worker = Worker(settings, ports, told.extend)
    worker.submit([wanted(0, URL, "a"), wanted(1, URL, "b")])
    assert [(event.download, event.reason) for event in told] == [  # type: ignore[attr-defined]
        ("downloads[0]", "the system gives too little memory"),
        ("downloads[1]", "the system gives too little memory"),
    ]
