"""Where each byte of one file is: done, on its way over a connection, or not yet asked for. Pure bookkeeping, no decisions.

    pending --take--> active --leave--> done + pending
                active --split--> active + pending

`done`, the active segments and `pending` never overlap within an epoch, and together they cover the file as far as it is known.
"""

from __future__ import annotations

from collections.abc import Iterable

from marscore.execute.transfer.credits import UNKNOWN, Credits, without
from marscore.execute.transfer.protocol import Pending, Segment
from marscore.planning.segments import MIN_SPLIT, share
from marscore.policy.retry import NO_FAILURES
from marscore.values import ByteRange, gaps, merge_ranges


class Ledger:
    """The ranges of one file in one epoch.

    A straggler is a cancelled segment that had bytes admitted and not yet written: until they are, the file may still change, and nothing
    can be proven of it.

    Where `several` sources may bring the file, `credits` says who brought what.
    """

    def __init__(self, several: bool = False) -> None:
        self.epoch = 0
        self.credits = Credits() if several else None
        self.done: tuple[ByteRange, ...] = ()
        self.pending: list[Pending] = [Pending(0, None)]
        self.active: list[Segment] = []
        #: Those that were active and are no more, until somebody has taken note of them.
        self.ended: list[Segment] = []
        self._stragglers: list[Segment] = []

    @property
    def bytes_done(self) -> int:
        """Bytes that are on disk, those of active segments included."""
        return sum(map(len, self.done)) + sum(s.written - s.begin for s in self.active)

    @property
    def end(self) -> int:
        """Where the last byte that is done ends."""
        return self.done[-1].end if self.done else 0

    @property
    def idle(self) -> bool:
        """Whether nothing is being fetched, nothing is to be fetched, and no cancelled segment still writes."""
        return not (self.active or self.pending or any(s.written != s.position for s in self._stragglers))

    def covers(self, size: int) -> bool:
        """Whether all of a file of this size is on disk."""
        return self.idle and self.done == ((ByteRange(0, size),) if size else ())

    def earliest(self) -> float | None:
        """When the first pending range may be asked for, in ticks; None where none is pending."""
        return min([p.due for p in self.pending]) if self.pending else None

    def take(self, ticks: float) -> Pending | None:
        """Remove and return the first pending range that is due."""
        for index, pending in enumerate(self.pending):
            if pending.due <= ticks:
                return self.pending.pop(index)
        return None

    def leave(self, segment: Segment) -> Pending:
        """End an active segment: what it wrote is done; the rest is returned."""
        self.active.remove(segment)
        self.ended.append(segment)
        segment.cancelled = True
        self._add_done(ByteRange(segment.begin, segment.written))
        if self.credits is not None:
            self.credits.give(segment.url, [ByteRange(segment.begin, segment.written)])
        return Pending(segment.written, segment.end)

    def restart(self, keep: Segment | None = None) -> int:
        """Begin a new epoch in which nothing is done; only `keep` stays active, from the first byte. Returns the bytes given up."""
        lost = self.bytes_done
        self.ended += [segment for segment in self.active if segment is not keep]
        for segment in self.active:
            segment.cancelled = segment is not keep
        # They write to the file of an epoch that is over.
        self._stragglers = []
        self.credits = self.credits and Credits()
        self.active = [keep] if keep else []
        self.epoch += 1
        self.done = ()
        self.pending = [] if keep else [Pending(0, None)]
        if keep:
            keep.epoch, keep.begin, keep.position, keep.written, keep.end = self.epoch, 0, 0, 0, None
        return lost

    def resume(self, done: Iterable[ByteRange], size: int | None) -> None:
        """Begin with ranges that are on disk already; what is missing becomes pending."""
        self.done = merge_ranges(done)
        if self.credits is not None:
            self.credits.give(UNKNOWN, self.done)
        if size is None:
            # Who fetches a file to an end that nobody knows fetches all behind its front anyway.
            self.done = self.done[:1] if self.done and self.done[0].start == 0 else ()
            self.pending = [Pending(self.done[0].end if self.done else 0, None)]
        else:
            self.pending = [Pending(gap.start, gap.end) for gap in gaps(self.done, size)]

    def cancel_all(self) -> None:
        """End every active segment; what they wrote is done, the rest is pending."""
        self.cancel(list(self.active))

    def cancel(self, segments: Iterable[Segment]) -> None:
        """End these: what they wrote is done, the rest is pending."""
        for segment in segments:
            rest = self.leave(segment)
            self._straggles(segment)
            if rest.end is None or rest.start < rest.end:
                self.pending.append(rest)

    def reopen(self, ranges: Iterable[ByteRange]) -> None:
        """Fetch these again, though they are done."""
        again = merge_ranges(ranges)
        self.done = without(self.done, again)
        self.pending += [Pending(piece.start, piece.end) for piece in again]

    def absorb(self, segment: Segment, size: int) -> None:
        """Let one segment whose response holds the whole file fetch all that follows its position; the others end."""
        for other in [s for s in self.active if s is not segment]:
            other.cancelled = True
            self.active.remove(other)
            self.ended.append(other)
            self._straggles(other)
        self.done = tuple(r for r in self.done if r.end <= segment.begin)
        self.pending = []
        segment.end = size

    def put_back(self, segments: Iterable[Segment]) -> None:
        """End these: what they have not fetched is pending."""
        for segment in segments:
            self.pending.append(self.leave(segment))

    def extend_whole(self) -> None:
        """Let the segment whose response holds the whole file go on over the pending ranges right behind its own."""
        # At its end it reads no more, whatever is said to it.
        full = next((s for s in self.active if s.whole and s.remaining), None)
        while full and (behind := next((p for p in self.pending if p.start == full.end and p.end is not None), None)):
            self.pending.remove(behind)
            full.end = behind.end

    def largest(self) -> Segment | None:
        """The active segment with the most bytes to come, of those whose body is arriving."""
        arriving = [s for s in self.active if s.receiving and s.end is not None]
        return max(arriving, key=lambda s: s.remaining, default=None)

    def share(self, segment: Segment, hands: int) -> None:
        """Cut what a segment still has to fetch for so many hands; all but its own first part become pending, in the file's order."""
        assert segment.end is not None
        first, *others = share(ByteRange(segment.position, segment.end), hands)
        if others:
            segment.end = first.end
            self.pending += [Pending(r.start, r.end, NO_FAILURES) for r in others]

    def can_share(self) -> bool:
        """Whether some active segment is large enough to be cut in two."""
        largest = self.largest()
        return largest is not None and largest.remaining >= 2 * MIN_SPLIT

    def _straggles(self, segment: Segment) -> None:
        self._stragglers.append(segment)
        if self.credits is not None and segment.written < segment.position:
            self.credits.doubt(ByteRange(segment.written, segment.position))

    def _add_done(self, piece: ByteRange) -> None:
        self.done = merge_ranges((*self.done, piece))
