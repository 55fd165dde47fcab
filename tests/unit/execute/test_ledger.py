"""The account of a file's bytes: whatever connections take, share, leave or lose, each byte is in exactly one place."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from marscore.execute.transfer.ledger import Ledger
from marscore.execute.transfer.protocol import Pending, Segment
from marscore.planning.segments import MIN_SPLIT, TURNS
from marscore.policy.retry import NO_FAILURES
from marscore.values import ByteRange, merge_ranges
from tests.long import examples

MIB = 1024 * 1024
SIZE = 64 * MIB
amounts = st.integers(0, 12 * MIB) | st.sampled_from([0, 1, MIN_SPLIT, 2 * MIN_SPLIT, SIZE])
places = st.integers(0, SIZE)


def segment_of(pending: Pending, epoch: int) -> Segment:
    """As `Transfer.take` makes one."""
    start = pending.start
    return Segment(0, epoch, start, start, start, pending.end, None, None, pending.retry, "url")


class Account(RuleBasedStateMachine):
    """A file of known size. `SIZE` bytes are done, active or pending, all the time and without overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()

    @initialize(done=st.lists(st.tuples(places, places).map(lambda p: ByteRange(*sorted(p))), max_size=4))
    def resume(self, done: list[ByteRange]) -> None:
        self.ledger.resume(done, SIZE)
        assert self.ledger.bytes_done == sum(map(len, merge_ranges(done)))

    @rule()
    def take(self) -> None:
        pending = self.ledger.take(0.0)
        if pending is not None:
            segment = segment_of(pending, self.ledger.epoch)
            segment.end = SIZE if segment.end is None else segment.end
            segment.receiving = True
            self.ledger.active.append(segment)

    @precondition(lambda self: self.ledger.active)
    @rule(data=st.data(), count=amounts)
    def receive(self, data: st.DataObject, count: int) -> None:
        segment = self.some_segment(data)
        segment.position += min(count, segment.remaining)
        segment.written = segment.position

    @precondition(lambda self: self.ledger.active)
    @rule(data=st.data(), count=amounts)
    def admit_what_the_disk_has_yet_to_take(self, data: st.DataObject, count: int) -> None:
        segment = self.some_segment(data)
        segment.position += min(count, segment.remaining)

    @precondition(lambda self: self.ledger.can_share())
    @rule(hands=st.integers(1, 6))
    def share(self, hands: int) -> None:
        largest = self.ledger.largest()
        assert largest is not None
        before = len(self.ledger.pending)
        self.ledger.share(largest, hands)
        assert len(self.ledger.pending) - before <= (hands * TURNS - 1 if hands > 1 else 0)
        assert largest.remaining >= MIN_SPLIT, "what a connection keeps is worth keeping"

    @precondition(lambda self: self.ledger.active)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        segment = self.some_segment(data)
        rest = self.ledger.leave(segment)
        assert segment.cancelled
        if rest.end is not None and rest.start < rest.end:
            self.ledger.pending.append(rest)

    @rule()
    def cancel_all(self) -> None:
        before = self.ledger.bytes_done
        self.ledger.cancel_all()
        assert self.ledger.active == []
        assert self.ledger.bytes_done == before

    @rule()
    def restart(self) -> None:
        epoch, before = self.ledger.epoch, self.ledger.bytes_done
        actives = list(self.ledger.active)
        assert self.ledger.restart() == before
        assert self.ledger.epoch == epoch + 1
        assert all(segment.cancelled for segment in actives)

    @precondition(lambda self: self.ledger.active)
    @rule(data=st.data())
    def restart_with_the_answer_of_one(self, data: st.DataObject) -> None:
        keep = self.some_segment(data)
        self.ledger.restart(keep)
        keep.end = SIZE
        assert (keep.epoch, keep.position, keep.cancelled) == (self.ledger.epoch, 0, False)

    @precondition(lambda self: self.ledger.active)
    @rule(data=st.data())
    def absorb(self, data: st.DataObject) -> None:
        """The server gives no ranges: the one that holds the whole answer goes on to the end."""
        whole = self.some_segment(data)
        if whole.begin == 0:
            self.ledger.absorb(whole, SIZE)
            assert self.ledger.active == [whole]

    @invariant()
    def every_byte_is_in_exactly_one_place(self) -> None:
        ledger = self.ledger
        spans = [*ledger.done]
        spans += [ByteRange(s.begin, SIZE if s.end is None else s.end) for s in ledger.active]
        spans += [ByteRange(p.start, SIZE if p.end is None else p.end) for p in ledger.pending]
        assert sum(map(len, spans)) == SIZE, "nothing is lost and nothing is twice"
        assert merge_ranges(spans) == (ByteRange(0, SIZE),)

    @invariant()
    def it_is_complete_only_when_nothing_is_to_come(self) -> None:
        assert self.ledger.covers(SIZE) is False or (self.ledger.done == (ByteRange(0, SIZE),) and not self.ledger.active)
        assert self.ledger.bytes_done <= SIZE

    def some_segment(self, data: st.DataObject) -> Segment:
        return self.ledger.active[data.draw(st.integers(0, len(self.ledger.active) - 1), "segment")]


Account.TestCase.settings = settings(max_examples=examples(80), stateful_step_count=25, deadline=None)
TestAccount = Account.TestCase


def begun(*pendings: Pending) -> tuple[Ledger, list[Segment]]:
    ledger = Ledger()
    ledger.pending = list(pendings)
    while (pending := ledger.take(0.0)) is not None:
        ledger.active.append(segment_of(pending, 0))
    return ledger, ledger.active


def test_a_new_file_is_pending_from_its_first_byte_to_wherever_it_ends() -> None:
    assert Ledger().pending == [Pending(0, None)]
    assert not Ledger().covers(0)


def test_an_empty_file_is_complete_once_its_segment_left() -> None:
    ledger, (segment,) = begun(Pending(0, None))
    assert ledger.leave(segment) == Pending(0, None)
    assert ledger.covers(0)
    assert not ledger.covers(1)


def test_bytes_that_the_disk_has_yet_to_take_keep_a_file_from_being_complete() -> None:
    ledger, (first, second) = begun(Pending(0, 10), Pending(10, 20))
    first.position = first.written = 10
    second.position = 15
    ledger.absorb(first, 20)
    first.position = first.written = 20
    ledger.leave(first)
    assert not ledger.covers(20), "another thread is about to write into it"
    second.written = second.position
    assert ledger.covers(20)


def test_what_is_left_begins_at_what_was_written() -> None:
    ledger, (segment,) = begun(Pending(5, 20))
    segment.position, segment.written = 15, 12
    assert ledger.leave(segment) == Pending(12, 20)
    assert ledger.done == (ByteRange(5, 12),)


def test_ranges_are_taken_in_order_and_only_when_they_are_due() -> None:
    ledger = Ledger()
    ledger.pending = [Pending(0, 5, NO_FAILURES, due=9.0), Pending(5, 10), Pending(10, 15)]
    assert ledger.earliest() == 0.0
    assert ledger.take(1.0) == Pending(5, 10)
    assert ledger.take(1.0) == Pending(10, 15)
    assert ledger.take(1.0) is None
    assert ledger.earliest() == 9.0
    assert ledger.take(9.0) == Pending(0, 5, NO_FAILURES, 9.0)
    assert ledger.earliest() is None


def test_a_part_of_unknown_size_goes_on_behind_its_first_run_of_bytes() -> None:
    for done, start in (([], 0), ([ByteRange(0, 7), ByteRange(9, 12)], 7), ([ByteRange(3, 7)], 0)):
        ledger = Ledger()
        ledger.resume(done, None)
        assert ledger.pending == [Pending(start, None)]
        # What lies behind comes again, and is not there until it does.
        assert ledger.done == ((ByteRange(0, start),) if start else ())


def test_only_a_segment_whose_body_arrives_is_shared() -> None:
    ledger, (small, large, endless) = begun(Pending(0, MIB), Pending(MIB, 9 * MIB), Pending(9 * MIB, None))
    assert ledger.largest() is None
    for segment in (small, large, endless):
        segment.receiving = True
    assert ledger.largest() is large
    assert ledger.can_share()
    large.position = 9 * MIB - 2 * MIN_SPLIT + 1
    assert not ledger.can_share()
