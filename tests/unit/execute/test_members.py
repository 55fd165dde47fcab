"""How much a worker holds follows from how many downloads it finishes."""

from __future__ import annotations

from collections.abc import Iterable

from marscore.execute.supervisor.handles import WorkerHandle
from marscore.execute.supervisor.members import DEEPEST, WAITING, Member
from marscore.execute.worker.loop import FLUSH_EVERY
from tests.unit.execute.test_supervise import FakeWorkerFactory, finished

THREADS = 8


def depth_after(depth: int, batches: Iterable[tuple[float, int]]) -> int:
    """What a worker holds that held so much, and told of so many outcomes so many seconds after the batch before."""
    handle: WorkerHandle = FakeWorkerFactory(lambda worker, each: finished(each)).child(0, None)  # type: ignore[arg-type]
    member, now = Member(0, handle, depth), 0.0
    for seconds, outcomes in batches:
        now += seconds
        member.adapt(outcomes, now, THREADS)
    return member.depth


def test_one_that_finishes_many_between_two_batches_holds_more() -> None:
    assert depth_after(40, [(FLUSH_EVERY, 20)]) == 80
    assert depth_after(1, [(FLUSH_EVERY, 1)]) == THREADS
    assert depth_after(40, [(FLUSH_EVERY, 5000)] * 20) == DEEPEST


def test_one_that_tells_early_finishes_as_many_in_less_time() -> None:
    assert depth_after(40, [(FLUSH_EVERY / 10, 3)]) == 80
    assert depth_after(40, [(FLUSH_EVERY / 2, 3)]) == 40


def test_one_that_finishes_few_holds_little_more_than_it_works_at() -> None:
    assert depth_after(100, [(FLUSH_EVERY, 12)]) == 50
    assert depth_after(64, [(FLUSH_EVERY, 8)]) == 32
    assert depth_after(DEEPEST, [(1 / 15, 1)] * 20) == THREADS + THREADS // 2
    assert depth_after(DEEPEST, [(10.0, 1)] * 20) == THREADS + THREADS // 2
    assert depth_after(3, [(10.0, 0)]) == 3


def test_what_waits_for_a_retry_does_not_keep_new_ones_away() -> None:
    handle: WorkerHandle = FakeWorkerFactory(lambda worker, each: finished(each)).child(0, None)  # type: ignore[arg-type]
    member = Member(0, handle, 12)
    member.begun = {str(number) for number in range(THREADS + 20)}
    assert member.room(THREADS, DEEPEST) == 12 + 20
    member.begun = {str(number) for number in range(THREADS + 2 * WAITING)}
    assert member.room(THREADS, DEEPEST) == 12 + WAITING
    # Where workers die, few are held, whatever they are at.
    assert member.room(THREADS, 3) == 3
