"""What a program asks of a report: is all in place, what failed and where is a file; and how it looks in a shell and in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from marscore import arguments
from marscore.errors import DownloadError, Unfinished
from marscore.frozen import dataclass
from marscore.policy.remedies import remedy
from marscore.public import public_word
from marscore.report.words import IN_PLACE, duration, endings
from marscore.state import key_of
from marscore.values import format_size

_R = TypeVar("_R", bound="Results")
#: Rows of a table in a notebook; what is not in place comes first.
_ROWS = 50


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of a run are: the output folder, and the downloads' ids by the keys of their URLs, which may hold secrets.

    `root` is text where it is the URL of an object store.
    """

    root: Path | str
    ids: Mapping[str, tuple[str, ...]]


def places(root: Path | str, downloads: Iterable[tuple[str, str]]) -> Places:
    """The places of downloads, given as (URL, id)."""
    ids: dict[str, tuple[str, ...]] = {}
    for url, id_ in downloads:
        key = key_of(url)
        ids[key] = (*ids.get(key, ()), id_)
    return Places(root, ids)


class Entry(Unfinished, Protocol):
    """What is asked of a download's entry."""

    @property
    def id(self) -> str:
        """Its place in the manifest."""

    @property
    def url(self) -> str:
        """Its URL, secrets masked."""

    @property
    def size(self) -> int | None:
        """Bytes of the file."""


class _Told(Protocol):
    """What is asked of the report itself (`model.Report`)."""

    status: str
    exit_code: int
    run_id: str
    duration_s: float
    totals: Any
    downloads: tuple[Entry, ...]


class Results:
    """The methods of a report."""

    _places: Places | None

    @property
    def _report(self) -> _Told:
        return cast(_Told, self)

    @property
    def ok(self) -> bool:
        """Whether every download is in place, and nothing else went wrong with the run."""
        return self._report.exit_code == 0

    @property
    def failed(self) -> tuple[Entry, ...]:
        """The downloads that are not in place, whether they failed, were interrupted or were not begun."""
        return tuple(entry for entry in self._report.downloads if entry.status not in IN_PLACE)

    def __bool__(self) -> bool:
        """As `ok`: `if not report` means what it seems to."""
        return self.ok

    def __eq__(self, other: object) -> bool:
        """Whether both tell the same: one that was read from a file does not know where the files are, and is equal for all that."""
        return isinstance(other, type(self)) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self._report.run_id)

    def raise_for_failures(self: _R) -> _R:
        """Return the report if all is well.

        Raises:
            DownloadError: it is not; the error holds `failed`.
        """
        if not self.ok or self.failed:
            raise DownloadError(self._report.status, self.failed)
        return self

    def path(self, url_or_id: str) -> Path:
        """The absolute path of the file of a download that is in place.

        Args:
            url_or_id: its URL, as the manifest has it once names are filled in or as the report shows it; or its id or its path, as the
                report has them.

        Raises:
            TypeError: it is no text.
            KeyError: there is no such download.
            ValueError: there are several of this URL; or the report was read from a file, which does not say where the files are; or they
                are in an object store, and have no path.
            DownloadError: it is not in place.
        """
        arguments.text("url_or_id", url_or_id)
        if self._places is None:
            raise ValueError("only the report that a run returned says where its files are")
        if isinstance(self._places.root, str):
            raise ValueError(f"the files of this run are objects in {self._places.root}, and have no path")
        entry = self._entry(url_or_id, self._places)
        if entry.status not in IN_PLACE:
            raise DownloadError(self._report.status, (entry,))
        return self._places.root / entry.path

    def _entry(self, wanted: str, places: Places) -> Entry:
        ids = {wanted, *places.ids.get(key_of(wanted), ())}
        found = [entry for entry in self._report.downloads if entry.id in ids or entry.path == wanted]
        # Secrets are masked in the URLs that a report shows, so that several may look alike.
        found = found or [entry for entry in self._report.downloads if entry.url == wanted]
        if not found:
            raise KeyError(public_word(wanted))
        if len(found) > 1:
            raise ValueError(f"{len(found)} downloads are meant: {', '.join(entry.id for entry in found[:5])}")
        return found[0]

    def __repr__(self) -> str:
        return f"<Report {self._summed()}>"

    def __str__(self) -> str:
        return repr(self)

    def _summed(self) -> str:
        report, totals = self._report, self._report.totals
        told = ", ".join(f"{count:,} {name}" for name, count in endings(totals).items() if count) or "no downloads"
        return f"{report.status}: {told}; {format_size(totals.bytes_downloaded)} in {duration(report.duration_s)}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the sums, and a table with what is not in place first."""
        entries = sorted(self._report.downloads, key=lambda entry: entry.status in IN_PLACE)
        rows = "".join(map(_row, entries[:_ROWS]))
        more = f"<p>and {len(entries) - _ROWS} more</p>" if len(entries) > _ROWS else ""
        head = "".join(f"<th>{name}</th>" for name in ("path", "status", "size", "what went wrong", "what to do"))
        return f"<p><b>marscore</b> {escape(self._summed())}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _row(entry: Entry) -> str:
    size = "" if entry.size is None else format_size(entry.size)
    error = entry.error
    told = ("", "") if error is None else (f"{error.kind}: {error.message}", remedy(error.kind, error.status, error.message))
    return "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in (entry.path, entry.status, size, *told)) + "</tr>"
