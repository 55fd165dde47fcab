"""How work is handed out, and what happens when a worker dies or the run is told to stop."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest

from marscore.errors import StorageError
from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, DownloadStarted, Event, Warned
from marscore.execute.supervisor.messages import Alive, Batch, Fed, Gone, Inbox, Paced, Paused, Returned, StopRequested, Told
from marscore.execute.supervisor.supervise import Supervisor
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share
from marscore.planning.model import Plan
from marscore.resolve.model import Download, Options
from marscore.values import Failure
from tests.fakes.clock import FakeClock
from tests.unit.execute import well_typed

PLAN = Plan((), 2, 2, 16, "at_once", None, 1, 1, None, "never")


def work(number: int) -> Work:
    return Work(Download(f"downloads[{number}]", (f"http://a/{number}",), str(number), Options()))


def finished(work: Work) -> DownloadFinished:
    return DownloadFinished(0.0, work.download.id, "downloaded", "fetched", 1, ("sha256:00",), 1, 1)


def failed(work: Work) -> DownloadFailed:
    return DownloadFailed(0.0, work.download.id, "http_status", "404")


@dataclass
class FakeWorker:
    """A worker that answers at once, as its script says."""

    number: int
    share: Share
    inbox: Inbox
    script: Callable[[FakeWorker, Work], object]
    kind: str
    taken: list[str] = field(default_factory=list)
    heard: list[object] = field(default_factory=list)
    widened: Share | None = None
    deaf: bool = False
    closed: int = 0
    place: str = ""
    #: How many downloads it was asked to give back each time, and which ones it does.
    asked_for: list[int] = field(default_factory=list)
    gives_back: Callable[[FakeWorker, int], tuple[str, ...]] = lambda worker, most: ()

    def submit(self, works: Sequence[Work]) -> None:
        self.taken += [w.download.id for w in works]
        for each in works:
            message = self.script(self, each)
            if isinstance(message, DownloadFinished | DownloadFailed):
                self.inbox.put(Batch(self.number, [message]))
            elif message is not None:
                self.inbox.put(message)  # type: ignore[arg-type]  # a message by the script's own word

    def pause(self, host: str, seconds: float) -> None:
        self.heard.append((host, seconds))

    def pace(self, host: str) -> None:
        self.heard.append((host,))

    def widen(self, share: Share) -> None:
        self.widened = share

    def give_back(self, most: int) -> None:
        self.asked_for.append(most)
        self.inbox.put(Returned(self.number, self.gives_back(self, most)))

    def narrow(self, share: Share) -> int:
        self.widened = share
        return 1

    def stop(self, failure: Failure, unbegun: str) -> None:
        self.heard.append((failure, unbegun))
        if not self.deaf:
            self.inbox.put(Gone(self.number))

    def close(self) -> None:
        self.closed += 1
        self.inbox.put(Gone(self.number))

    def kill(self) -> None:
        self.heard.append("kill")
        self.inbox.put(Gone(self.number, "signal 9"))


class FakeWorkerFactory:
    def __init__(self, script: Callable[[FakeWorker, Work], object]) -> None:
        self.inbox: Inbox = queue.SimpleQueue()
        self.workers: list[FakeWorker] = []
        self._script = script
        self.children_left: int | None = None
        #: Whether processes come to say that they live.
        self.starts = True
        self.gives_back: Callable[[FakeWorker, int], tuple[str, ...]] = lambda worker, most: ()

    def here(self, number: int, share: Share) -> FakeWorker:
        return self._hire(number, share, "here")

    def child(self, number: int, share: Share) -> FakeWorker:
        if self.children_left is not None:
            self.children_left -= 1
            if self.children_left < 0:
                raise StorageError(Failure("path", "cannot start a worker process: Too many open files"))
        child = self._hire(number, share, "child")
        if self.starts:
            self.inbox.put(Alive(number))
        return child

    def _hire(self, number: int, share: Share, kind: str) -> FakeWorker:
        self.workers.append(FakeWorker(number, share, self.inbox, self._script, kind, gives_back=self.gives_back))
        return self.workers[-1]


def play(
    plan: Plan, works: int, script: Callable[[FakeWorker, Work], object], children: int | None = None, clock: FakeClock | None = None
) -> tuple[FakeWorkerFactory, list[Event]]:
    """Run a plan; `children` is how many processes the system starts, None for any number."""
    factory, events = FakeWorkerFactory(script), list[Event]()
    factory.children_left = children

    def sink(batch: Iterable[Event], lines: Sequence[str] | None = None) -> None:
        events.extend(map(well_typed.told, batch))

    Supervisor(plan, factory, factory.inbox, clock or FakeClock(), sink).run([work(n) for n in range(works)])
    return factory, events


def ids(events: Iterable[Event], kind: type) -> list[str]:
    return sorted(e.download for e in events if isinstance(e, kind) and isinstance(e, DownloadFinished | DownloadFailed | DownloadSkipped))


def test_every_download_gets_its_outcome_over_two_children() -> None:
    factory, events = play(PLAN, 50, lambda _, w: finished(w))
    assert len(ids(events, DownloadFinished)) == 50
    assert [w.kind for w in factory.workers] == ["child", "child"]
    assert all(worker.taken for worker in factory.workers)


def test_one_process_means_no_child() -> None:
    factory, events = play(replace(PLAN, processes=1), 5, lambda _, w: finished(w))
    assert [w.kind for w in factory.workers] == ["here"]
    assert len(ids(events, DownloadFinished)) == 5


def test_a_small_job_stays_in_this_process_though_more_could_join() -> None:
    factory, _ = play(replace(PLAN, start="when_needed"), 3, lambda _, w: finished(w))
    assert [w.kind for w in factory.workers] == ["here"]


class RunningClock(FakeClock):
    """Each look at it takes half a second."""

    def ticks(self) -> float:
        self.elapsed += 0.5
        return self.elapsed


def test_others_join_a_longer_job_that_has_no_processor_time_left() -> None:
    factory, events = play(replace(PLAN, start="when_needed", per_host=9), 50, lambda _, w: finished(w), clock=RunningClock(busy=1.0))
    assert [w.kind for w in factory.workers] == ["here", "child", "child"]
    assert factory.workers[0].share == Share(9)
    assert [w.share for w in factory.workers[1:]] == [Share(3), Share(3)]
    assert len(ids(events, DownloadFinished)) == 50


def test_nobody_joins_a_job_that_waits_for_the_network() -> None:
    factory, _ = play(replace(PLAN, start="when_needed"), 50, lambda _, w: finished(w), clock=RunningClock(busy=0.5))
    assert [w.kind for w in factory.workers] == ["here"]


def test_limits_are_shared_out_and_who_stays_gets_the_share_of_who_left() -> None:
    factory, _ = play(replace(PLAN, per_host=10, max_rate=1000), 4, lambda _, w: finished(w))
    assert [w.share for w in factory.workers] == [Share(5, 500), Share(5, 500)]
    assert Share(10, 1000) in [w.widened for w in factory.workers]


def test_a_dead_workers_downloads_go_to_another_once() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        return Gone(0, "signal 9") if worker.number == 0 else finished(each)

    factory, events = play(PLAN, 8, script)
    assert ids(events, DownloadFinished) == sorted(f"downloads[{n}]" for n in range(8))
    assert [w.kind for w in factory.workers].count("child") == 3
    assert any(isinstance(e, Warned) and "signal 9" in e.message for e in events)


@pytest.mark.parametrize(("reason", "told"), [("signal 9", "signal 9"), (None, "it ended early")])
def test_what_a_worker_held_that_died_is_told_and_begun_anew_by_name(reason: str | None, told: str) -> None:
    taken: list[Work] = []

    def script(worker: FakeWorker, each: Work) -> object:
        taken.append(each)
        return Gone(0, reason) if worker.number == 0 else finished(each)

    _, events = play(replace(PLAN, processes=1), 2, script)
    assert [e.message for e in events if isinstance(e, Warned)] == [f"a worker process died ({told}); 2 downloads go to another"]
    assert [(w.download.id, w.untouched) for w in taken] == [("downloads[0]", False), ("downloads[1]", False)] * 2


def test_a_download_that_kills_two_workers_fails_by_name() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        return Gone(worker.number, "signal 9") if each.download.id == "downloads[0]" else finished(each)

    _, events = play(replace(PLAN, threads=1), 4, script)
    [poison] = [e for e in events if isinstance(e, DownloadFailed) and e.download == "downloads[0]"]
    assert (poison.kind, poison.url) == ("internal", "http://a/0")
    assert poison.message == "the worker process died twice over this download (signal 9)"
    assert len({e.download for e in events if isinstance(e, DownloadFinished | DownloadFailed)}) == 4


def test_only_what_a_dead_worker_had_begun_counts_against_it() -> None:
    """Two workers die after each began one of many; all others are handed on, however often."""
    begun: set[str] = set()

    def script(worker: FakeWorker, each: Work) -> object:
        if worker.number in (0, 1):
            if len(worker.taken) and each.download.id == worker.taken[0]:
                begun.add(each.download.id)
                worker.inbox.put(Batch(worker.number, [DownloadStarted(0.0, each.download.id, "http://a/")]))
                return Gone(worker.number, "signal 9")
            return None
        return finished(each)

    _, events = play(PLAN, 900, script)
    assert len(begun) == 2
    assert len(ids(events, DownloadFinished)) == 900


@pytest.mark.parametrize("tells", [True, False], ids=["of its begin", "nothing"])
def test_among_many_downloads_only_the_one_that_kills_workers_fails(tells: bool) -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id != "downloads[444]":
            return finished(each)
        if tells:
            worker.inbox.put(Batch(worker.number, [DownloadStarted(0.0, each.download.id, "http://a/")]))
        # What it finished since its last batch is lost with it.
        worker.inbox.put(Gone(worker.number, "signal 11"))
        worker.script = lambda *_: None
        return None

    factory, events = play(PLAN, 900, script)
    assert ids(events, DownloadFailed) == ["downloads[444]"]
    assert len(ids(events, DownloadFinished)) == 899
    assert len(factory.workers) < 20


def test_workers_that_die_whatever_they_do_end_the_run() -> None:
    factory, events = play(PLAN, 900, lambda worker, _: Gone(worker.number, "signal 9"))
    assert len(factory.workers) <= 23
    outcomes = [e for e in events if isinstance(e, DownloadFailed | DownloadSkipped)]
    assert sorted(e.download for e in outcomes) == sorted(work(n).download.id for n in range(900))
    assert any("20 worker processes died one after the other" in e.message for e in outcomes if isinstance(e, DownloadFailed))


def test_where_worker_processes_die_before_they_say_a_word_this_process_does_it_all() -> None:
    factory = FakeWorkerFactory(lambda worker, each: Gone(worker.number, "exit code 1") if worker.kind == "child" else finished(each))
    factory.starts = False
    events = list[Event]()
    Supervisor(PLAN, factory, factory.inbox, FakeClock(), lambda batch, told=None: events.extend(batch)).run([work(n) for n in range(50)])
    assert len(ids(events, DownloadFinished)) == 50
    assert [w.kind for w in factory.workers].count("here") == 1
    assert any(isinstance(e, Warned) and "do not start" in e.message for e in events)


def test_the_first_failure_ends_the_run_where_that_is_wanted() -> None:
    factory, events = play(
        replace(PLAN, processes=1, threads=1, fail_fast="first_failure"), 9, lambda _, w: failed(w) if w == work(0) else finished(w)
    )
    assert ids(events, DownloadFailed) == ["downloads[0]"]
    assert len(ids(events, DownloadSkipped)) == 8
    reason = "stopped since downloads[0] failed"
    assert factory.workers[0].heard == [(Failure("interrupted", reason), reason)]
    assert {e.reason for e in events if isinstance(e, DownloadSkipped)} == {reason}


def test_a_pause_reaches_the_other_workers_only() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id == "downloads[0]":
            worker.inbox.put(Paused(worker.number, "a:80", 3.0))
        return finished(each)

    factory, _ = play(PLAN, 4, script)
    assert factory.workers[0].heard == []
    assert factory.workers[1].heard == [("a:80", 3.0)]


def test_a_worker_that_is_made_to_ask_more_slowly_makes_the_others() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        if each.download.id == "downloads[0]":
            worker.inbox.put(Paced(worker.number, "a:80"))
        return finished(each)

    factory, _ = play(PLAN, 4, script)
    assert factory.workers[0].heard == []
    assert factory.workers[1].heard == [("a:80",)]


def test_a_stop_leaves_what_was_not_begun_as_skipped() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        return StopRequested(Failure("interrupted", "by signal 2"), "by signal 2")

    _, events = play(replace(PLAN, processes=1), 9, script)
    assert len(ids(events, DownloadFailed)) == 2
    assert len(ids(events, DownloadSkipped)) == 7
    assert {e.reason for e in events if isinstance(e, DownloadSkipped)} == {"by signal 2"}
    assert {(e.kind, e.message) for e in events if isinstance(e, DownloadFailed)} == {("interrupted", "by signal 2")}


def test_a_worker_that_does_not_stop_in_time_is_ended_and_what_it_held_fails_by_the_reason() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        worker.deaf = True
        return StopRequested(Failure("interrupted", "by signal 2"), "by signal 2") if each == work(0) else None

    factory, events = play(replace(PLAN, processes=1), 5, script, clock=RunningClock())
    assert factory.workers[0].heard == [(Failure("interrupted", "by signal 2"), "by signal 2"), "kill"]
    assert ids(events, DownloadFailed) == ["downloads[0]", "downloads[1]"]
    assert {(e.kind, e.message, e.url) for e in events if isinstance(e, DownloadFailed)} == {
        ("interrupted", "by signal 2", f"http://a/{n}") for n in range(2)
    }
    assert ids(events, DownloadSkipped) == ["downloads[2]", "downloads[3]", "downloads[4]"]


def test_what_is_told_of_no_download_goes_on_and_a_second_outcome_does_not() -> None:
    warned = Warned(0.0, None, "a word of the worker's own")

    def script(worker: FakeWorker, each: Work) -> object:
        return Batch(worker.number, [warned, finished(each)] if each == work(0) else [failed(work(0)), finished(each)])

    _, events = play(replace(PLAN, processes=1, threads=1), 2, script)
    assert events == [warned, finished(work(0)), finished(work(1))]


def test_a_deadline_that_is_over_ends_the_run_by_that_name() -> None:
    _, events = play(replace(PLAN, processes=1, deadline=1.0), 9, lambda *_: None, clock=RunningClock())
    assert {(e.kind, e.message) for e in events if isinstance(e, DownloadFailed)} == {("timeout", "the run's deadline of 1 s is over")}
    assert {e.reason for e in events if isinstance(e, DownloadSkipped)} == {"the run's deadline of 1 s is over"}
    assert len(events) == 9


def test_a_deadline_counts_from_the_beginning_of_the_run_and_not_of_the_fetching() -> None:
    clock, factory, events = RunningClock(), FakeWorkerFactory(lambda *_: None), list[Event]()
    clock.elapsed = 10.0
    plan = replace(PLAN, processes=1, deadline=9.0)
    Supervisor(plan, factory, factory.inbox, clock, lambda batch, told=None: events.extend(batch)).run([work(0)], since=0.0)
    assert [(e.kind, e.message) for e in events if isinstance(e, DownloadFailed)] == [("timeout", "the run's deadline of 9 s is over")]
    assert clock.elapsed < 15.0


def test_nothing_to_do_hires_nobody() -> None:
    factory, events = play(PLAN, 0, lambda _, w: finished(w))
    assert factory.workers == []
    assert events == []


@pytest.mark.parametrize(("children", "kinds"), [(0, ["here"]), (1, ["child"])])
def test_a_system_that_starts_no_more_processes_makes_a_run_with_fewer(children: int, kinds: list[str]) -> None:
    factory, events = play(replace(PLAN, per_host=10), 20, lambda _, w: finished(w), children)
    assert [w.kind for w in factory.workers] == kinds
    assert len(ids(events, DownloadFinished)) == 20
    assert any(isinstance(e, Warned) and "the run goes on with fewer" in e.message for e in events)
    assert factory.workers[0].widened == Share(10), "who is there gets the share of who is not"


def test_of_several_that_cannot_be_started_each_leaves_its_share_to_the_others() -> None:
    factory, _ = play(replace(PLAN, processes=4, per_host=13, max_rate=122), 40, lambda _, w: finished(w), children=3)
    assert [w.share for w in factory.workers] == [Share(3, 30)] * 3
    assert Share(4, 40) in [w.widened for w in factory.workers]


class HeldUpClock(FakeClock):
    """Each look at it takes two seconds."""

    def ticks(self) -> float:
        self.elapsed += 2.0
        return self.elapsed


def test_a_worker_that_tells_nothing_is_ended_and_its_downloads_wait_until_it_is_gone() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        return None if worker.number == 0 else finished(each)

    factory, events = play(PLAN, 8, script, clock=HeldUpClock())
    assert factory.workers[0].heard == ["kill"]
    assert ids(events, DownloadFinished) == sorted(f"downloads[{n}]" for n in range(8))
    [silent, died] = [e.message for e in events if isinstance(e, Warned)]
    assert "gives no sign of life for 30 s and is ended" in silent
    assert "signal 9" in died


def test_a_worker_that_says_that_it_lives_may_take_its_time() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        for number in [0, 1] * 40:
            worker.inbox.put(Alive(number))
        return finished(each)

    factory, events = play(replace(PLAN, threads=1), 2, script, clock=HeldUpClock())
    assert [w.heard for w in factory.workers] == [[], []]
    assert not any(isinstance(e, Warned) for e in events)


def test_where_the_last_worker_dies_and_no_other_can_be_started_this_process_does_the_rest() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        return Gone(worker.number, "signal 9") if worker.kind == "child" else finished(each)

    factory, events = play(replace(PLAN, processes=2), 6, script, children=1)
    assert [w.kind for w in factory.workers] == ["child", "here"]
    assert len(ids(events, DownloadFinished)) == 6


class FakeFeed:
    """Brings chunks of works when it is asked, one at a time."""

    def __init__(self, inbox: Inbox, chunks: Iterable[Sequence[Work]]) -> None:
        self.inbox = inbox
        self.chunks = list(chunks)
        self.asked = 0

    def more(self) -> None:
        self.asked += 1
        if self.chunks:
            works = self.chunks.pop(0)
            self.inbox.put(Fed(lambda: works))
        else:
            self.inbox.put(Fed(lambda: (), "last"))


class Fedout(NamedTuple):
    factory: FakeWorkerFactory
    events: list[Event]
    feed: FakeFeed


def feed(plan: Plan, chunks: Sequence[Sequence[Work]], script: Callable[[FakeWorker, Work], object], children: int | None = None) -> Fedout:
    factory, events = FakeWorkerFactory(script), list[Event]()
    factory.children_left = children
    brought = FakeFeed(factory.inbox, chunks[1:])
    Supervisor(plan, factory, factory.inbox, FakeClock(), lambda batch, told=None: events.extend(batch)).run(chunks[0], feed=brought)
    return Fedout(factory, events, brought)


CHUNKS = [[work(n) for n in range(start, start + 20)] for start in range(0, 200, 20)]


@pytest.mark.parametrize("processes", [1, 2])
def test_works_that_come_while_the_run_goes_on_get_their_outcomes_too(processes: int) -> None:
    ended = feed(replace(PLAN, processes=processes), [*CHUNKS[:5], [], *CHUNKS[5:]], lambda _, w: finished(w))
    assert len(ids(ended.events, DownloadFinished)) == 200
    assert ended.feed.asked == 11, "the last time there was nothing more"
    assert len(ended.factory.workers) == processes, "who has nothing to do waits for more"


def test_a_run_whose_workers_die_goes_on_with_what_comes() -> None:
    deaths = iter(range(2))

    def script(worker: FakeWorker, done: Work) -> object:
        return finished(done) if next(deaths, None) is None else Gone(worker.number, "signal 9")

    ended = feed(PLAN, CHUNKS, script)
    assert len(ids(ended.events, DownloadFinished)) + len(ids(ended.events, DownloadFailed)) == 200
    assert len(ids(ended.events, DownloadFinished)) >= 198


def test_where_no_worker_can_be_started_all_that_comes_fails() -> None:
    class NoWorkers(FakeWorkerFactory):
        def here(self, number: int, share: Share) -> FakeWorker:
            raise StorageError(Failure("resources", "no thread"))

    factory, events = NoWorkers(lambda _, w: finished(w)), list[Event]()
    factory.children_left = 0
    brought = FakeFeed(factory.inbox, CHUNKS[1:])
    Supervisor(PLAN, factory, factory.inbox, FakeClock(), lambda batch, told=None: events.extend(batch)).run(CHUNKS[0], feed=brought)
    assert len(ids(events, DownloadFailed)) == 200


def test_a_run_that_is_told_to_stop_asks_for_no_more() -> None:
    def script(worker: FakeWorker, done: Work) -> object:
        return StopRequested(Failure("interrupted", "stop"), "stop")

    ended = feed(PLAN, CHUNKS, script)
    assert ended.feed.chunks, "not all was asked for"
    assert not ids(ended.events, DownloadFinished)


def test_what_an_abandoned_worker_still_tells_while_more_could_come_is_no_second_outcome() -> None:
    def script(worker: FakeWorker, each: Work) -> object:
        worker.deaf = True
        return StopRequested(Failure("interrupted", "stop"), "stop") if each == work(0) else None

    factory, events, lines = FakeWorkerFactory(script), list[Event](), list[str]()

    def sink(batch: Iterable[Event], told: Told | None = None) -> None:
        before = len(events)
        events.extend(batch)
        lines.extend(told.lines if told else ())
        if any(isinstance(event, DownloadFailed) for event in events[before:]):
            # It told that before its end came.
            end = factory.inbox.get_nowait()
            factory.inbox.put(Batch(0, [finished(work(0))], Told(("finished",))))
            factory.inbox.put(end)

    class Slow(FakeFeed):
        def more(self) -> None:
            self.asked += 1

    plan = replace(PLAN, processes=1)
    Supervisor(plan, factory, factory.inbox, RunningClock(), sink).run(CHUNKS[0], feed=Slow(factory.inbox, ()))
    assert [ids(events, kind) for kind in (DownloadFinished, DownloadFailed)] == [[], ["downloads[0]", "downloads[1]"]]
    assert lines == []
