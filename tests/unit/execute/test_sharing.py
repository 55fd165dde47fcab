"""What a worker with nothing to do takes over near the end: who is asked for how much, and that nobody else begins it meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marscore.events import DownloadFailed, DownloadFinished, DownloadSkipped, DownloadStarted, Event, Warned
from marscore.execute.supervisor.members import Member
from marscore.execute.supervisor.messages import Batch, Gone, Returned, StopRequested, Told
from marscore.execute.supervisor.sharing import ANSWER_WITHIN, is_much, may_get, parts, request, takers
from marscore.execute.supervisor.supervise import Supervisor
from marscore.execute.transfer.protocol import Work
from marscore.values import Failure
from tests.fakes.clock import FakeClock
from tests.unit.execute.test_supervise import PLAN, FakeWorker, FakeWorkerFactory, finished, ids, work

THREADS = 4


def member(number: int, works: int, begun: int = 0, **options: Any) -> Member:
    made = Member(number, None, 1, **options)  # type: ignore[arg-type]  # nobody is asked here
    made.works = {f"{number}.{n}": work(n) for n in range(works)}
    made.begun = {f"{number}.{n}" for n in range(begun)}
    return made


def asked(*members: Member, now: float = 100.0) -> tuple[int, int] | None:
    found = request(members, THREADS, now)
    return None if found is None else (found.member.number, found.most)


def test_who_holds_most_that_it_has_not_begun_is_asked_for_half() -> None:
    assert asked(member(0, 0), member(1, 14, 4), member(2, 24, 4), member(3, 30, 30)) == (2, 10)


def test_several_with_nothing_to_do_get_as_much_each_as_is_left() -> None:
    assert asked(member(0, 0), member(1, 0), member(2, 13, 4)) == (2, 6)


def test_who_has_something_but_spare_connections_takes_its_part_and_not_the_last_one() -> None:
    assert asked(member(0, 1, 1), member(1, 9, 4)) == (1, 2)
    assert asked(member(0, 1, 1), member(1, 5, 4)) is None


def test_the_last_one_goes_to_who_has_nothing_at_all_but_never_all_that_one_holds() -> None:
    assert asked(member(0, 0), member(1, 5, 4)) == (1, 1)
    assert asked(member(0, 0), member(1, 1)) is None
    assert asked(member(0, 0), member(1, 2)) == (1, 1)


def test_nobody_is_asked_where_all_are_busy_or_nobody_has_any() -> None:
    assert asked(member(0, 4, 4), member(1, 40, 4)) is None
    assert asked(member(0, 0), member(1, 4, 4)) is None
    assert asked(member(0, 0)) is None


def test_one_that_retires_gives_and_takes_nothing() -> None:
    assert asked(member(0, 0, retiring=True), member(1, 40, 4)) is None
    assert asked(member(0, 0), member(1, 40, 4, retiring=True)) == (1, 18)


def test_one_question_at_a_time_until_its_answer_is_late_and_then_another_is_asked() -> None:
    slow = member(1, 40, 4, asked=100.0)
    assert asked(member(0, 0), slow, member(2, 24, 4), now=100.0 + ANSWER_WITHIN / 2) is None
    assert asked(member(0, 0), slow, member(2, 24, 4), now=100.0 + ANSWER_WITHIN) == (2, 10)


def test_one_that_had_none_to_give_is_not_asked_again_before_it_gets_more() -> None:
    donor = member(1, 6, 0, has_begun_all=True)
    assert asked(member(0, 0), donor) is None
    assert not may_get(member(0, 0), [donor])
    donor.take_back(["1.0"])
    assert asked(member(0, 0), donor) is not None


def test_whoever_waits_for_an_answer_may_still_get_something() -> None:
    idle = member(0, 0)
    assert may_get(idle, [idle, member(1, 2, 1, asked=0.0)])
    assert not may_get(idle, [idle, member(1, 2, 2)])
    assert not may_get(member(2, 2), [member(0, 0)])


def test_another_worker_is_of_use_where_more_is_held_than_one_has_connections() -> None:
    assert is_much([member(0, 9, 4)], THREADS)
    assert not is_much([member(0, 8, 4)], THREADS)


def test_parts_are_even() -> None:
    assert parts(7, 3) == [3, 2, 2]
    assert parts(0, 2) == [0, 0]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), min_size=2, max_size=5))
def test_nothing_is_passed_to_and_fro_where_nobody_may_begin_anything(held: Sequence[tuple[int, int]]) -> None:
    members = [member(n, works, min(works, begun)) for n, (works, begun) in enumerate(held)]
    every = sorted(each for one in members for each in one.works)
    moves = 0
    while (found := request(members, THREADS, 0.0)) is not None:
        moves += 1
        assert moves < 200
        unbegun = [each for each in found.member.works if each not in found.member.begun]
        assert 0 < found.most <= len(unbegun)
        among = takers(members, THREADS)
        given_back = [(each, found.member.works.pop(each)) for each in unbegun[: found.most]]
        for taker, count in zip(among, parts(len(given_back), len(among)), strict=True):
            taker.works.update(given_back.pop() for _ in range(count))
        assert sorted(each for one in members for each in one.works) == every


# In a run

BEGUN = "downloads[0]"
STOP = StopRequested(Failure("interrupted", "stopped"), "never begun")


def run(
    script: Callable[[FakeWorker, Work], object], gives: Callable[[FakeWorker, int], tuple[str, ...]]
) -> tuple[list[FakeWorker], list[Event]]:
    """Forty downloads for two workers."""
    factory, events = FakeWorkerFactory(script), list[Event]()
    factory.gives_back = gives

    def sink(batch: Iterable[Event], told: Told | None = None) -> None:
        events.extend(batch)

    Supervisor(PLAN, factory, factory.inbox, FakeClock(), sink).run([work(n) for n in range(40)])
    return factory.workers, events


def first_stands_still(worker: FakeWorker, each: Work) -> object:
    """The first worker begins one download and gets no further; the other does all at once."""
    if worker.number:
        return finished(each)
    return Batch(0, [DownloadStarted(0.0, BEGUN, "http://a/0")]) if each.download.id == BEGUN else None


def last_ones(worker: FakeWorker, most: int) -> tuple[str, ...]:
    """What it has not begun, from the end; where nothing of that is left, it is done with what it has begun."""
    left = [each for each in worker.taken if each != BEGUN]
    given_back = tuple(left[-most:])
    worker.taken = [each for each in worker.taken if each not in given_back]
    if worker.taken == [BEGUN]:
        worker.inbox.put(Returned(worker.number, given_back))
        worker.inbox.put(Batch(worker.number, [finished(work(0))]))
        return ()
    return given_back


def test_all_that_a_slow_worker_has_not_begun_is_taken_over_and_each_is_told_once() -> None:
    (slow, fast), events = run(first_stands_still, last_ones)
    assert ids(events, DownloadFinished) == sorted(f"downloads[{n}]" for n in range(40))
    assert slow.asked_for
    assert slow.taken == [BEGUN]
    assert len(fast.taken) == len(set(fast.taken)) == 39


def test_nobody_leaves_while_there_may_be_something_for_it_and_all_leave_in_the_end() -> None:
    (slow, fast), _ = run(first_stands_still, last_ones)
    # It was asked again and again, each time for what was left by then.
    assert slow.asked_for == sorted(slow.asked_for, reverse=True)
    assert slow.closed == fast.closed == 1


def test_what_comes_back_while_the_run_stops_is_told_as_not_begun() -> None:
    def stopped_meanwhile(worker: FakeWorker, most: int) -> tuple[str, ...]:
        worker.inbox.put(STOP)
        worker.deaf = True
        worker.inbox.put(Returned(worker.number, (given_back := worker.taken[-1],)))
        worker.inbox.put(Batch(worker.number, [DownloadFailed(0.0, each, "interrupted", "stopped") for each in worker.taken[:-1]]))
        worker.inbox.put(Gone(worker.number))
        assert given_back != BEGUN
        return ()

    _, events = run(first_stands_still, stopped_meanwhile)
    told = [*ids(events, DownloadFinished), *ids(events, DownloadFailed), *(skipped := ids(events, DownloadSkipped))]
    assert sorted(told) == sorted(f"downloads[{n}]" for n in range(40))
    assert len(skipped) == 1


def test_one_that_is_lost_before_its_answer_is_heard_has_all_it_held_handed_over() -> None:
    def lost(worker: FakeWorker, most: int) -> tuple[str, ...]:
        worker.inbox.put(Gone(worker.number, "cut off"))
        worker.inbox.put(Returned(worker.number, tuple(worker.taken)))
        return ()

    workers, events = run(first_stands_still, lost)
    assert ids(events, DownloadFinished) == sorted(f"downloads[{n}]" for n in range(40))
    assert any("go to another" in event.message for event in events if isinstance(event, Warned))
    taken = Counter(each for worker in workers[1:] for each in worker.taken)
    assert set(taken.values()) == {1}


def test_one_that_has_begun_all_is_asked_once() -> None:
    def none(worker: FakeWorker, most: int) -> tuple[str, ...]:
        for each in worker.taken:
            worker.inbox.put(Batch(worker.number, [finished(work(int(each[10:-1])))]))
        return ()

    (slow, _), events = run(first_stands_still, none)
    assert len(ids(events, DownloadFinished)) == 40
    assert len(slow.asked_for) == 1
