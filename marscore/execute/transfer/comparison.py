"""What is done where a file that several have brought fails its checksum: who was wrong is found by fetching pieces again.

    shares --Inquiry.after_mismatch--> Look at pieces | DoWithout a source | start over      fingerprints --take--> pieces to fetch again
                                                                       the checksum holds --found--> Wrong: those whose bytes were others

First the pieces of all other sources, then those of which nobody knows the source (an earlier run's, mostly). If the file is right then,
whoever brought other bytes before has lied, or damaged them. If it is still wrong, it is made of bytes of the one source alone, which the
checksum refuses: where all others agreed with it on their pieces, its own are fetched from another source, and only those.

Where another source agrees with it on those as well, both have sent what the checksum refuses, and nothing yet tells that the checksum is
not wrong itself. Where there is a third, the file is asked of that one. All fingerprints are kept meanwhile: once a file is right, whoever
sent a piece that is another there (`witnessed`, `exposed`) is named, however alike those were among each other.

It ends: a stage makes the pieces of others fewer, and there are three at most; a comparison after which the checksum is still wrong drops
a source, or is the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from marscore.execute.transfer.credits import UNKNOWN, bytes_in
from marscore.execute.transfer.source import Source, Sources
from marscore.frozen import dataclass
from marscore.planning.segments import MIN_SPLIT
from marscore.values import ByteRange


@dataclass(frozen=True, slots=True)
class Look:
    """Take the fingerprints of these pieces. `is_about_unknown`: some are of an earlier run, and count as fetched anew from now on."""

    ranges: tuple[ByteRange, ...]
    is_about_unknown: bool


@dataclass(frozen=True, slots=True)
class DoWithout:
    """Start over without this source: its bytes alone fail the checksum. `is_wrong`: others disagreed with it."""

    source: Source
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """A source whose bytes were others than those with which the file is right, by its URL, and in what words it is dropped."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Witnessed:
    """A piece that a source sent, by its fingerprint."""

    url: str
    piece: ByteRange
    fingerprint: str


class Inquiry:
    """The comparison of one file, if one goes on: what to do next about a checksum that fails, and who was wrong once it holds.

    It decides, and changes nothing but which source alone is asked (`Sources.only`).
    """

    __slots__ = ("_agreed", "_comparison", "_named", "_sources", "_witnessed")

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._comparison: Comparison | None = None
        #: Whether sources were found to agree on bytes that the checksum refuses: asking again would tell nothing new.
        self._agreed = False
        #: What was seen in comparisons after which the file was not right yet; and who was named since as wrong.
        self._witnessed: list[_Witnessed] = []
        self._named: set[str] = set()

    @property
    def ranges(self) -> tuple[ByteRange, ...]:
        """The pieces that are compared now."""
        return self._comparison.ranges if self._comparison else ()

    @property
    def awaits_fingerprints(self) -> bool:
        """Whether the pieces, once they are fetched again, are to be looked at again."""
        return self._comparison is not None and self._comparison.is_fetched

    def after_mismatch(self, shares: Mapping[str, tuple[ByteRange, ...]]) -> Look | DoWithout | None:
        """What to do where the checksum fails, by who brought what; None: fetch the whole file again."""
        comparison = self._comparison or self._begun(shares)
        if comparison is None:
            return None
        if comparison.begin_stage():
            return Look(comparison.ranges, comparison.is_about(UNKNOWN))
        # Where one source at a time is asked, that stays the one that is compared with.
        able = self._sources.left if self._sources.share_work else ()
        other = next((source for source in able if source.url != comparison.by and source.takes_part), None)
        if other is not None and comparison.turn_round() and comparison.begin_stage():
            self._sources.only = other
            return Look(comparison.ranges, comparison.is_about(UNKNOWN))
        self.end()
        source, is_wrong = self._sources.of(comparison.by), bool(comparison.changed)
        # One that nobody has looked at yet may be right where those agree that were.
        untried = [each for each in self._sources.left if each.url != comparison.by and (is_wrong or each is not other)]
        self._agreed = not untried
        if source is None or not untried:
            return None
        if is_wrong:
            self._named.add(source.url)
        return DoWithout(source, is_wrong)

    def _begun(self, shares: Mapping[str, tuple[ByteRange, ...]]) -> Comparison | None:
        """None: one source brought all, or nobody can be asked for parts again, or asking again would tell nothing new."""
        known = self._sources.first.known
        able = self._sources.left if self._sources.share_work else [self._sources.first]
        able = [source for source in able if source.takes_part]
        if self._agreed or len(shares) < 2 or known.size is None or known.size < 2 * MIN_SPLIT or known.proof != "checksum" or not able:
            return None
        by = max(able, key=lambda source: bytes_in(shares.get(source.url, ())))
        self._sources.only = by
        self._comparison = Comparison(shares, by.url)
        return self._comparison

    def take(self, fingerprints: Sequence[str]) -> tuple[ByteRange, ...]:
        """Take the fingerprints of the pieces; returns those to be fetched again. None: they were, and the whole is to be verified."""
        assert self._comparison is not None, "somebody asked for them"
        was_fetched, by = self._comparison.is_fetched, self._sources.only
        for who, piece, fingerprint in self._comparison.told(fingerprints):
            # What was fetched again is of the one source that is asked.
            url = who if not was_fetched else "" if by is None else by.url
            if url != UNKNOWN:
                self._witnessed.append(_Witnessed(url, piece, fingerprint))
        self._comparison.look(fingerprints)
        return () if was_fetched else self._comparison.ranges

    @property
    def witnessed(self) -> tuple[ByteRange, ...]:
        """The pieces of the file, now that it is right, whose fingerprints tell who else was wrong."""
        return tuple(dict.fromkeys(seen.piece for seen in self._witnessed))

    def exposed(self, fingerprints: Sequence[str]) -> list[Wrong]:
        """Who was wrong by the fingerprints of these pieces, and was not named yet. The comparison is over."""
        right = dict(zip(self.witnessed, fingerprints, strict=True))
        counts: dict[str, int] = {}
        # One that could not be read tells nothing.
        other = [
            seen for seen in self._witnessed if "" not in (right[seen.piece], seen.fingerprint) and right[seen.piece] != seen.fingerprint
        ]
        for url, piece in dict.fromkeys((seen.url, seen.piece) for seen in other):
            counts[url] = counts.get(url, 0) + len(piece)
        self.end()
        self._witnessed = []
        told = "it sent wrong bytes: the checksum holds since {} of them came from another source"
        return [Wrong(url, told.format(count)) for url, count in counts.items() if url != UNKNOWN and url not in self._named]

    def end_by(self, source: Source) -> None:
        """End it where this is the source that all is compared with, which is asked no more."""
        if self._sources.only is source:
            self.end()

    def end(self) -> None:
        """Compare no more, and ask all sources again."""
        self._comparison = self._sources.only = None


class Comparison:
    """One look for whoever was wrong. `by` is the URL of the source that all is compared with."""

    def __init__(self, shares: Mapping[str, tuple[ByteRange, ...]], by: str) -> None:
        self.by = by
        self._shares = shares
        others = [who for who in shares if who not in (UNKNOWN, by)]
        self._stages: list[list[str]] = [stage for stage in (others, [UNKNOWN] if UNKNOWN in shares else []) if stage]
        #: Who is looked at, the ranges in the order of their fingerprints, and those as they were before.
        self._looked_at: list[tuple[str, ByteRange]] = []
        self._before: Sequence[str] | None = None
        self._is_turned = False
        #: Who brought bytes that were others when they were fetched again, and how many bytes the pieces have.
        self.changed: dict[str, int] = {}

    @property
    def ranges(self) -> tuple[ByteRange, ...]:
        """What is looked at in this stage."""
        return tuple(piece for _, piece in self._looked_at)

    @property
    def is_fetched(self) -> bool:
        """Whether the pieces of this stage were looked at and are to be looked at again."""
        return self._before is not None

    def begin_stage(self) -> bool:
        """Go on to the next stage. False: there is none."""
        self._before = None
        names = self._stages.pop(0) if self._stages else []
        self._looked_at = [(who, piece) for who in names for piece in self._shares[who]]
        return bool(names)

    def turn_round(self) -> bool:
        """Look at the source's own pieces next, since nobody disagrees with it. False: somebody does, or it brought none."""
        if self._is_turned or self.changed or self.by not in self._shares:
            return False
        self._is_turned = True
        self._stages = [[self.by]]
        return True

    def told(self, fingerprints: Sequence[str]) -> Iterator[tuple[str, ByteRange, str]]:
        """The pieces of this stage, each with whose it was and its fingerprint."""
        for (who, piece), fingerprint in zip(self._looked_at, fingerprints, strict=True):
            yield who, piece, fingerprint

    def look(self, fingerprints: Sequence[str]) -> None:
        """Take the fingerprints of this stage: those from before, and then those after its pieces were fetched again."""
        if self._before is None:
            self._before = fingerprints
            return
        for (who, piece), before, after in zip(self._looked_at, self._before, fingerprints, strict=True):
            if before != after:
                self.changed[who] = self.changed.get(who, 0) + len(piece)

    def is_about(self, who: str) -> bool:
        """Whether pieces of somebody are looked at in this stage."""
        return any(name == who for name, _ in self._looked_at)
