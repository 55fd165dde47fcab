"""Whether a file is still what its server has: what is known of it here, held against what the server shows.

    lock, state, manifest --Known-->  Known + DownloadAsked --standing_of--> current | changed | gone | unknown, and why

Where nothing that both sides know tells one version from another, it is unknown, and never current.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from marscore.events import DownloadAsked
from marscore.frozen import dataclass
from marscore.resolve.model import Download
from marscore.resolve.verify import By
from marscore.validator import Validator
from marscore.values import Checksum, Failure

Status: TypeAlias = Literal["current", "changed", "gone", "unknown", "failed"]
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known here of a file: its validator, its size in bytes and its digests. `by` says who knows it best."""

    by: By
    validator: Validator = Validator()
    size: int | None = None
    checksums: tuple[Checksum, ...] = ()


class Standing(NamedTuple):
    """How a file stands, and why, for people."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """One file: how it stands, what is known of it here, and what its server showed; `failure` says why it could not be asked."""

    download: Download
    standing: Standing
    known: Known | None = None
    seen: DownloadAsked | None = None
    failure: Failure | None = None


def standing_of(known: Known, seen: DownloadAsked) -> Standing:
    """Compare what is known of a file with what its server shows."""
    if seen.status in _GONE:
        return Standing("gone", f"the server answers {seen.status}")
    if seen.said == "current":
        return Standing("current", "the server says so")
    # A digest says more than a size, a size more than the names that versions have.
    for differs, what, before, now in _compared(known, seen):
        if differs:
            return Standing("changed", f"{what} was {before} and is {now}")
        if what != "size":
            return Standing("current", f"{what} is the same")
    return Standing("unknown", "the server shows nothing by which one version could be told from another")


def _compared(known: Known, seen: DownloadAsked) -> Iterator[tuple[bool, str, object, object]]:
    """What both sides know, the weightiest first: whether it differs, what it is, and both values."""
    yield from _digests(known.checksums, seen.digests)
    if None not in (known.size, seen.size) and seen.encoding is None:
        yield known.size != seen.size, "size", known.size, seen.size
    if seen.by == "target":
        # A validator is one resource's own, and none is kept of a redirect's target (RFC 9110 section 8.8.3).
        return
    mine, theirs = known.validator, Validator(seen.etag, seen.last_modified)
    if mine.entity_tag is not None and theirs.entity_tag is not None:
        yield mine.excludes(theirs), "ETag", mine.etag, theirs.etag
    elif mine.last_modified is not None and theirs.last_modified is not None:
        yield mine.last_modified != theirs.last_modified, "Last-Modified", mine.last_modified, theirs.last_modified


def _digests(known: Iterable[Checksum], told: Iterable[str]) -> Iterator[tuple[bool, str, object, object]]:
    theirs = dict(digest.split(":", 1) for digest in reversed(tuple(told)))
    for checksum in known:
        if (digest := theirs.get(checksum.algorithm)) is not None:
            yield digest != checksum.hex, checksum.algorithm, checksum.hex, digest
