"""The downloads of a manifest with long lists, made anew whenever they are wanted, some thousand at a time; none of them is kept.

    entries --once--> downloads of all that are no lists      lists --row by row--> batches of downloads, in the manifest's order

A list is long where it makes the manifest's downloads more than `MOST`. What takes all downloads at once cannot go with it: a lock,
archives that are unpacked, publishers' lists of checksums, `--only`. Then they are all kept, as those of short lists are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import Literal

from marscore.errors import ManifestError, Problem
from marscore.frozen import dataclass
from marscore.manifest import Examined, Findings, Parsed, PlainEntry
from marscore.resolve.expand import Expansion, expansion_of, loaded
from marscore.resolve.listed import ListExpansion, NumberedRow, Reading
from marscore.resolve.model import Download
from marscore.resolve.paths import TakesPaths
from marscore.resolve.rows import OpenRows
from marscore.resolve.suspicious import BadRows, count_bad
from marscore.resolve.taken import HashedOutputs

#: So many downloads are made before it is known whether there are more.
MOST = 10_000
#: So many are made at a time afterwards.
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Looked:
    """How many downloads there are, and the bad rows of lists that go on without them, by the index of the entry."""

    count: int
    bad: Mapping[int, BadRows]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some downloads of one entry, the one of this index in the manifest: made, or as rows of a list.

    Rows become downloads in the order of pieces, and once each: each takes a path, and of two with one path the first has it.
    """

    index: int
    downloads: Sequence[Download] = ()
    rows: Sequence[NumberedRow] = ()
    entry: ListExpansion | None = None

    def made(self) -> list[Download]:
        """The downloads."""
        return [*self.downloads, *(download for row in self.rows if (download := self.made_of(row)) is not None)]

    def made_of(self, row: NumberedRow) -> Download | None:
        """The download of one row; None, where that is noted as bad."""
        assert self.entry is not None, "who has rows, has what makes downloads of them"
        return self.entry.make(row)


@dataclass(frozen=True, slots=True)
class Streamed:
    """The downloads of one manifest. `first` are some of them; `looked` says what a look at all has brought, where there was one; `named`
    are paths that something else is written to, and what that is.
    """

    examined: Examined
    open_rows: OpenRows
    first: tuple[Download, ...]
    looked: Looked | None = None
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """How many downloads there are, where that is known."""
        return None if self.looked is None else self.looked.count

    @property
    def ends_with_bad_rows(self) -> bool:
        """Whether a bad row is to end the run before it begins."""
        return any(entry.from_ is not None and entry.on_bad_row == "fail" for entry in self.examined.entries.values())

    def batches(self, on_bad_row: Literal["told", "skip"] = "skip") -> Iterator[list[Download]]:
        """All of them, in the manifest's order. `told`: rows are bad as their entries say; else each is a download that fails.

        Raises:
            ManifestError: as `pieces`.
        """
        return (piece.made() for piece in self.pieces(HashedOutputs(self.named), on_bad_row))

    def pieces(self, outputs: TakesPaths, on_bad_row: Literal["told", "skip"] = "skip") -> Iterator[Piece]:
        """The same, of which nothing is made yet; `outputs` knows the paths that are taken.

        Raises:
            ManifestError: with what is wrong with the entries, before the first; with what is wrong with a list, after its last.
        """
        findings = Findings(self.examined.findings.places)
        expansion = expansion_of(self.examined, findings, outputs)
        others = self._others(expansion, findings)
        for index, entry in self.examined.entries.items():
            if entry.from_ is None:
                yield Piece(index, others[index])
                continue
            reading = Reading(entry.on_bad_row if on_bad_row == "told" else "skip")
            rows = ListExpansion(("downloads", index), entry, expansion, findings, reading)
            numbered = rows.rows(self.open_rows)
            while some := list(islice(numbered, BATCH)):
                yield Piece(index, (), some, rows)
            rows.check(self.open_rows)
            if findings.found:
                raise findings.error(self.examined.source)

    def look(self) -> Looked:
        """Read it all.

        Raises:
            ManifestError: as `batches`; or rows are bad that are to end the run.
        """
        count = 0
        bad: dict[int, BadRows] = {}
        for batch in self.batches("told"):
            count += len(batch)
            count_bad(bad, batch)
        return Looked(count, bad)

    def _others(self, expansion: Expansion, findings: Findings) -> dict[int, list[Download]]:
        """The downloads of all entries that are no lists: they take their paths before the lists do."""
        found: dict[int, list[Download]] = {}
        broken: list[tuple[str, Problem]] = []
        for index, entry in self.examined.entries.items():
            where = ("downloads", index)
            if entry.from_ is None:
                expansion.add(where, entry)
                found[index], expansion.downloads = expansion.downloads, []
            else:
                rows = ListExpansion(where, entry, expansion, findings)
                rows.look(self.open_rows)
                broken += [(self.open_rows.shown(entry.from_.url), problem) for problem in rows.problems]
        if findings.found:
            raise findings.error(self.examined.source)
        if broken:
            raise ManifestError(broken[0][0], tuple(problem for _, problem in broken))
        return found


def load_or_stream(examined: Examined, open_rows: OpenRows) -> tuple[Parsed, tuple[Download, ...] | Streamed]:
    """A manifest and its downloads: as values, or as a stream where there are many, from lists.

    Raises:
        ManifestError: as `expand.load`.
    """
    if not _may_be_long(examined):
        return loaded(examined, open_rows)
    expansion = expansion_of(examined)
    if not _is_long(examined, expansion, open_rows):
        return examined.parsed(), tuple(expansion.downloads)
    streamed = Streamed(examined, open_rows, tuple(expansion.downloads))
    for _ in streamed.batches():
        # What is wrong with entries shows with the first.
        break
    if streamed.ends_with_bad_rows:
        streamed = replace(streamed, looked=streamed.look())
    return examined.parsed(), streamed


def _may_be_long(examined: Examined) -> bool:
    if examined.manifest is None or examined.findings.found:
        return False
    entries = examined.entries.values()
    if all(entry.from_ is None for entry in entries) or examined.defaults.unpack is not None:
        return False
    lists = expansion_of(examined, Findings(examined.findings.places)).lists
    return not any(lists.may_be_named(entry) or (not isinstance(entry, PlainEntry) and entry.unpack is not None) for entry in entries)


def _is_long(examined: Examined, expansion: Expansion, open_rows: OpenRows) -> bool:
    """Make the downloads, at most a few more than `MOST`; whether there are more."""
    for index, entry in examined.entries.items():
        if entry.from_ is None:
            expansion.add(("downloads", index), entry)
            continue
        for _ in expansion.add_rows(("downloads", index), entry, open_rows):
            if len(expansion.downloads) > MOST:
                return True
    return False
