"""What is right in a manifest and is hardly what was meant: `{i}` in a download without `each`; and what will fail for sure: bad rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from marscore.errors import Problem
from marscore.frozen import dataclass
from marscore.manifest import Entry, Parsed
from marscore.manifest.places import Advice, Findings, Path, Scalar
from marscore.resolve.model import Download

_NAME = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(?::[0-9]*[dxX]?)?\}")
_INDEX = re.compile(r"downloads\[(\d+)\]")
#: So many are told; they are most often one mistake.
_MOST = 20
#: From so many downloads on it is told that they are in memory, and what each takes there, in bytes (docs/scale.md).
MANY, BYTES_HELD = 100_000, 760


@dataclass(frozen=True, slots=True)
class BadRows:
    """The bad rows of a list: how many, and what is wrong with the first of them."""

    count: int
    first: str


def suspicions(parsed: Parsed) -> tuple[Problem, ...]:
    """What may be a mistake, with its lines. Only what was typed is looked at: what the environment holds is what it is."""
    entries: Sequence[Entry] = parsed.manifest.downloads
    suspects = [
        (("downloads", index), entry.url, entry.path)
        for index, entry in enumerate(entries)
        if entry.from_ is None and entry.each is None and ("{" in entry.url or (entry.path is not None and "{" in entry.path))
    ]
    if not suspects:
        return ()
    findings = Findings(parsed.places)
    for where, url, path in suspects[:_MOST]:
        for key, text in (("url", url), ("path", path)):
            if text is not None:
                _look(findings, (*where, key), text)
    return findings.error(parsed.source).problems


def held_at_once(parsed: Parsed, downloads: Sequence[Download], takes_all: str | None) -> tuple[Problem, ...]:
    """What is said of so many downloads of `from` or `each` that it is told; `takes_all` is what of the call asks that."""
    index = next(
        (index for index, entry in enumerate(parsed.manifest.downloads) if entry.from_ is not None or entry.each is not None), None
    )
    if len(downloads) < MANY or index is None:
        return ()
    findings = Findings(parsed.places)
    why = takes_all or _taking_all(parsed, downloads)
    memory = f"some {len(downloads) * BYTES_HELD // 1_000_000:,} MB of memory"
    told = f"all {len(downloads):,} downloads are held at once, in {memory}: {why} needs that; else rows are read while the run goes on"
    findings.add(("downloads", index), told)
    return findings.error(parsed.source).problems


def _taking_all(parsed: Parsed, downloads: Iterable[Download]) -> str:
    """What in a manifest takes all downloads at once."""
    entries: Sequence[Entry] = parsed.manifest.downloads
    if parsed.manifest.defaults.unpack is not None or any(getattr(entry, "unpack", None) is not None for entry in entries):
        return "unpack"
    if any(download.awaited for download in downloads):
        return "a list of checksums (checksum: {from})"
    return "each" if any(entry.each is not None for entry in entries) else "a manifest that a program made"


def bad_rows(parsed: Parsed, downloads: Iterable[Download]) -> tuple[Problem, ...]:
    """What is said of the lists that have bad rows which are to fail by themselves: how many, and the first of each."""
    return told_of(parsed, count_bad({}, downloads))


def count_bad(found: dict[int, BadRows], downloads: Iterable[Download]) -> dict[int, BadRows]:
    """Add the bad rows among some downloads to what was found before, by the index of their entry; returns the same."""
    for download in downloads:
        if download.bad is not None and (place := _INDEX.match(download.id)):
            known = found.get(int(place[1]), BadRows(0, download.bad))
            found[int(place[1])] = replace(known, count=known.count + 1)
    return found


def told_of(parsed: Parsed, found: Mapping[int, BadRows]) -> tuple[Problem, ...]:
    """The same of lists whose rows were counted."""
    if not found:
        return ()
    findings = Findings(parsed.places)
    for index, bad in found.items():
        count = "1 row is bad and fails" if bad.count == 1 else f"{bad.count:,} rows are bad and fail"
        findings.add(("downloads", index), f"{count}, the first: {bad.first}")
    return findings.error(parsed.source).problems


def _look(findings: Findings, path: Path, text: str) -> None:
    written, _ = findings.places.node(path)
    found = _NAME.search(written if isinstance(written, str) else text)
    if found is not None and not (isinstance(written, Scalar) and "${" in written):
        told = Advice(help=f"each: {{{found[0].strip('{}').partition(':')[0]}: {{from: 0, to: 99}}}} makes many downloads of one entry")
        findings.add(path, f"holds {found[0]} and has no each: it is taken as it stands", advice=told)
