"""Who brought which bytes of a file, where several may: the sources of a download, and runs before this one.

    a range and who wrote it --give--> Credits --shares(size)--> {who: ranges}, disjoint, that cover the file

Nothing is decided by it but who is asked again when a checksum fails, and who is named then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marscore.values import ByteRange, gaps, merge_ranges

#: Stands for bytes of which nobody knows who brought them: those of an earlier run, above all. It is no URL.
UNKNOWN = ""


class Credits:
    """Of one file in one epoch; a range belongs to whoever was the last to write it."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[ByteRange, ...]] = {}
        self._doubtful: list[ByteRange] = []

    def give(self, who: str, ranges: Iterable[ByteRange]) -> None:
        """These are now of that one, whoever had brought them before."""
        given = merge_ranges(ranges)
        for other, had in self._of.items():
            if other != who:
                self._of[other] = without(had, given)
        self._of[who] = merge_ranges((*self._of.get(who, ()), *given))

    def doubt(self, piece: ByteRange) -> None:
        """Two may write here at once: a cancelled connection's last bytes, and what another brings in their place."""
        self._doubtful.append(piece)

    def shares(self, size: int) -> Mapping[str, tuple[ByteRange, ...]]:
        """Who brought what of a file that is whole; `UNKNOWN` has the rest."""
        whole = (ByteRange(0, size),)
        doubtful = merge_ranges(self._doubtful)
        shares = {who: tuple(without(had, doubtful)) for who, had in self._of.items() if who != UNKNOWN}
        rest = without(whole, merge_ranges([piece for had in shares.values() for piece in had]))
        return {who: had for who, had in {**shares, UNKNOWN: rest}.items() if had}


def without(ranges: Iterable[ByteRange], taken: Iterable[ByteRange]) -> tuple[ByteRange, ...]:
    """What is left of disjoint ranges, in their order, where others are taken out."""
    cut = tuple(taken)
    left: list[ByteRange] = []
    for piece in ranges:
        inside = [ByteRange(max(t.start, piece.start) - piece.start, min(t.end, piece.end) - piece.start) for t in cut if _meet(t, piece)]
        left += [ByteRange(piece.start + gap.start, piece.start + gap.end) for gap in gaps(inside, len(piece))]
    return tuple(left)


def bytes_in(ranges: Iterable[ByteRange]) -> int:
    """How many bytes these are."""
    return sum(map(len, ranges))


def _meet(one: ByteRange, other: ByteRange) -> bool:
    return one.start < other.end and other.start < one.end
