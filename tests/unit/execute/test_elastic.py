"""Workers that come and go by themselves: who is hired, what happens while nobody is there, and when that ends the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, Event, Warned
from marscore.execute.supervisor import elastic
from marscore.execute.supervisor.elastic import ElasticSupervisor
from marscore.execute.supervisor.messages import Batch, Gone, Joined, StopRequested, Unfit
from marscore.execute.transfer.protocol import Work
from marscore.values import Failure
from tests.fakes.clock import FakeClock
from tests.unit.execute import well_typed
from tests.unit.execute.test_supervise import PLAN, FakeFeed, FakeWorker, FakeWorkerFactory, finished, ids, work

Script = Callable[[FakeWorker, Work], object]


class Clock(FakeClock):
    """Some time passes with each look at it."""

    step = 0.001

    def ticks(self) -> float:
        self.elapsed += self.step
        return self.elapsed


class Places(FakeWorkerFactory):
    """Places that are there; one more is in the way of each `Joined` that it sends."""

    def __init__(self, script: Script, free: int) -> None:
        super().__init__(script)
        self.children_left = 0
        for _ in range(free):
            self.come()

    def come(self) -> None:
        assert self.children_left is not None
        self.children_left += 1
        self.inbox.put(Joined())


def play(works: int, places: Places, processes: int = 3, step: float = 0.001) -> tuple[ElasticSupervisor, list[Event]]:
    events: list[Event] = []

    def sink(batch: Iterable[Event], lines: Sequence[str] | None = None) -> None:
        events.extend(map(well_typed.told, batch))

    clock = Clock()
    clock.step = step
    supervisor = ElasticSupervisor(replace(PLAN, processes=processes), places, places.inbox, clock, sink)
    supervisor.run([work(n) for n in range(works)])
    return supervisor, events


def done(_: FakeWorker, each: Work) -> DownloadFinished:
    return finished(each)


def test_whoever_comes_has_work_and_a_part_of_the_limits() -> None:
    places = Places(done, 2)
    _, events = play(50, places)
    assert len(ids(events, DownloadFinished)) == 50
    assert [worker.kind for worker in places.workers] == ["child", "child"]
    # A third of 16 connections is kept for the third.
    assert [worker.share.per_host for worker in places.workers] == [5, 5]
    assert all(worker.taken for worker in places.workers)


def test_no_more_are_hired_than_the_plan_has_processes() -> None:
    places = Places(done, 5)
    play(100, places)
    assert len(places.workers) == 3


def test_one_that_joins_while_others_work_gets_what_waits() -> None:
    places = Places(done, 1)

    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id == "downloads[0]":
            places.come()
        return finished(each)

    places._script = script
    _, events = play(3000, places)
    assert len(ids(events, DownloadFinished)) == 3000
    assert len(places.workers) == 2
    assert places.workers[1].taken


def test_one_that_joins_before_more_is_brought_gets_some_of_that() -> None:
    places = Places(done, 1)
    brought = FakeFeed(places.inbox, [[work(n) for n in range(1, 2001)]])
    events: list[Event] = []

    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id == "downloads[0]":
            # It was the only one so far: nothing waits.
            places.come()
            places.come()
        return finished(each)

    def sink(batch: Iterable[Event], lines: Sequence[str] | None = None) -> None:
        events.extend(map(well_typed.told, batch))

    places._script = script
    supervisor = ElasticSupervisor(replace(PLAN, processes=3), places, places.inbox, Clock(), sink)
    supervisor.run([work(0)], feed=brought)
    assert len(ids(events, DownloadFinished)) == 2001
    assert [bool(worker.taken) for worker in places.workers] == [True, True, True]


def test_what_a_lost_worker_had_waits_for_whoever_comes() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        if worker.number == 0:
            if each.download.id == "downloads[1]":
                places.come()
                return Gone(0, "it was lost")
            return None
        return finished(each)

    places = Places(script, 1)
    _, events = play(4, places)
    assert len(ids(events, DownloadFinished)) == 4
    assert [worker.number for worker in places.workers] == [0, 1]


def test_a_run_without_any_worker_ends_by_name_after_a_while() -> None:
    places = Places(done, 0)
    places.inbox.put(Unfit("tcp://a: it has marscore 0.1"))
    supervisor, events = play(3, places, step=1.0)
    assert len(ids(events, DownloadSkipped)) == 3
    assert supervisor.trouble is not None
    assert supervisor.trouble.kind == "resources"
    assert f"no worker has been there for {elastic.NOBODY:g} s" in supervisor.trouble.message
    assert "tcp://a: it has marscore 0.1" in supervisor.trouble.message
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "a worker is of no use: tcp://a: it has marscore 0.1; the run goes on without it"
    ]


def test_an_engine_that_is_gone_ends_the_run_at_once() -> None:
    places = Places(lambda *_: None, 1)
    gone = Failure("resources", "the scheduler is gone")
    places.inbox.put(StopRequested(gone, gone.message))
    _, events = play(5, places)
    assert ids(events, DownloadFinished) == []
    assert len(ids(events, DownloadFailed)) + len(ids(events, DownloadSkipped)) == 5


def test_of_many_places_that_are_of_no_use_some_are_told_of() -> None:
    places = Places(done, 1)
    for number in range(100):
        places.inbox.put(Unfit(f"tcp://{number}: no"))

    def script(worker: FakeWorker, each: Work) -> object:
        return finished(each)

    _, events = play(500, places)
    assert 0 < len([event for event in events if isinstance(event, Warned)]) <= 10


def test_one_that_joins_when_nothing_waits_takes_over_what_another_has_not_begun() -> None:
    places = Places(done, 1)

    def gives_back(worker: FakeWorker, most: int) -> tuple[str, ...]:
        held = [each for each in worker.taken if int(each[10:-1]) >= 190]
        for each in held[:-most]:
            worker.inbox.put(Batch(worker.number, [finished(work(int(each[10:-1])))]))
        return tuple(held[-most:])

    def script(worker: FakeWorker, each: Work) -> object:
        number = int(each.download.id[10:-1])
        if worker.number == 0 and number == 199:
            places.come()
        # The first holds the last ones, and begins none.
        return finished(each) if worker.number or number < 190 else Batch(0, [])

    places._script, places.gives_back = script, gives_back
    _, events = play(200, places)
    assert len(ids(events, DownloadFinished)) == 200
    first, second = places.workers
    assert first.asked_for
    assert second.taken
    assert not set(second.taken) & {f"downloads[{n}]" for n in range(190)}


def test_a_download_outlives_some_machines_and_not_any_number() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id == "downloads[0]" and (died[0] < 4 or stays):
            died[0] += 1
            places.come()
            return Gone(worker.number, "it was lost")
        return finished(each)

    for stays in (False, True):
        died, places = [0], Places(script, 1)
        _, events = play(2, places, processes=1)
        failed = [event.message for event in events if isinstance(event, DownloadFailed)]
        assert failed == (["the worker process died 5 times over this download (it was lost)"] if stays else [])
        # Over which of two the first died, nobody knows.
        assert died == [6 if stays else 4]
