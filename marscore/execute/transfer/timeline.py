"""When each range of a file was asked for and ended, and from which source: what the report tells of it, and nothing is decided by.

segments that ended + the fact by which they did --note--> Timeline --told--> ranges, in the order in which they ended
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from marscore.execute.transfer.protocol import Answered, Broke, Delivered, Ended, Fact, Lagged, Segment, Yielded
from marscore.values import ByteRange, FetchedRange, RangeEnd

#: Ranges of one file that are told of: more than any file has that is not asked for in vain again and again.
MOST = 1000
#: Seconds from which on the one range of a file is worth telling of: how long the server took to answer, and the file to be verified.
WORTH_TELLING = 1.0
#: A segment with what it had when it ended (a cancelled one may still be written), when that was, in ticks, and how it did.
_Ended: TypeAlias = tuple[Segment, int, int, int, float, RangeEnd]


class Timeline:
    """Of one download, whose sources these are; `began` is when it began, in ticks."""

    __slots__ = ("_began", "_ended", "_resumed", "_sources", "left_out")

    def __init__(self, sources: Sequence[str], began: float) -> None:
        self._sources = sources
        self._began = began
        self._ended: list[_Ended] = []
        #: What an earlier run had brought, and the epoch that was built on it.
        self._resumed: tuple[tuple[ByteRange, ...], int] = ((), 0)
        self.left_out = 0

    def resume(self, done: Iterable[ByteRange], epoch: int) -> None:
        """An earlier run brought these."""
        self._resumed = (tuple(done)[:MOST], epoch)

    def note(self, segments: Iterable[Segment], fact: Fact) -> None:
        """These ended by a fact."""
        for segment in segments:
            if len(self._ended) < MOST:
                end = _end(segment, fact)
                self._ended.append((segment, segment.epoch, segment.begin, segment.written, fact.at.ticks, end))
            else:
                self.left_out += 1

    def told(self, epoch: int, ticks: float) -> tuple[FetchedRange, ...]:
        """All of them at `ticks`, where they say more than when the download began and ended. What an older epoch brought is not kept."""
        pieces, built_on = self._resumed
        if not pieces and not self._says_more(ticks):
            return ()
        resumed = [FetchedRange(piece.start, len(piece), 0.0, None, 0.0, None, "resumed", built_on == epoch) for piece in pieces]
        return (*resumed, *(self._fetched(ended, epoch) for ended in self._ended))

    def _says_more(self, ticks: float) -> bool:
        if len(self._ended) != 1:
            return bool(self._ended)
        return self._ended[0][-1] == "failed" or ticks - self._began >= WORTH_TELLING

    def _fetched(self, ended: _Ended, epoch: int) -> FetchedRange:
        segment, of, begin, written, ticks, end = ended
        began, answered = segment.asked_at - self._began, segment.answered_at
        waited = None if answered is None else answered - self._began
        return FetchedRange(
            begin,
            written - begin,
            began,
            waited,
            ticks - self._began,
            self._sources.index(segment.url),
            end,
            of == epoch or written == begin,
        )


def _end(segment: Segment, fact: Fact) -> RangeEnd:
    if isinstance(fact, Delivered):
        return "done" if segment.end is not None else "failed"
    if getattr(fact, "segment", None) is not segment:
        return "given_up"
    match fact:
        case Ended() if not segment.remaining:
            return "done"
        case Lagged():
            return "redialled"
        case Yielded():
            return "yielded"
        case Broke() | Ended():
            return "failed"
        case Answered() if fact.answer.status >= 400:
            return "failed"
        case _:
            return "given_up"
