"""The last lines of a run: what is in place, what failed and what to do about it, and where the report and the log are.

Ended --summary--> lines, each with a tone --exits.tell--> standard error
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from marscore.report.failed import MOST_ALONE, Cause, cause_of, host_of, remedy_of
from marscore.report.words import counted, duration, endings, in_place
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.report.ended import Ended, Kept
    from marscore.report.head import Head, Sums
    from marscore.report.model import DownloadReport

#: Other verbs count here too.
__all__ = ["counted", "summary"]

Tone: TypeAlias = Literal["", "good", "warning", "error", "faint"]
Told: TypeAlias = "list[tuple[str, Tone]]"

#: Groups of failures that are told, where those are too many to be told one by one.
_GROUPS = 20
#: Paths that a group names.
_NAMED = 3
_TONES: dict[str, Tone] = {"succeeded": "good", "failed": "error", "interrupted": "warning"}


def summary(ended: Ended, log_file: str | None = None) -> Told:
    """What a person wants to know when a run has ended."""
    lines: Told = _failures(ended) if ended.head.totals.failed else []
    tone = _TONES[ended.head.status]
    lines.append((_sums(ended.head), tone))
    if ended.kept is not None:
        lines.append((_kept(ended.head.totals, ended.kept), tone))
    places = [f"report: {ended.file}"] if ended.file is not None and ended.has_report else []
    places += [f"log: {log_file}"] if log_file not in (None, "-") else []
    if places:
        lines.append(("; ".join(places), "faint"))
    return lines


@dataclass(slots=True)
class _Group:
    """Failures with one cause, of which the first are kept: there may be millions."""

    first: list[DownloadReport] = field(default_factory=list)
    count: int = 0
    are_alike: bool = True

    def add(self, entry: DownloadReport) -> None:
        self.count += 1
        if len(self.first) < _NAMED:
            self.first.append(entry)
        error, known = entry.error, self.first[0].error
        self.are_alike = self.are_alike and error is not None and known is not None and error.message == known.message


def _failures(ended: Ended) -> Told:
    """Each failure where they are few, else by kind and host."""
    few: list[DownloadReport] = []
    groups: dict[Cause, _Group] = {}
    for entry in ended.failures():
        if entry.status == "failed":
            groups.setdefault(cause_of(entry), _Group()).add(entry)
            if len(few) <= MOST_ALONE:
                few.append(entry)
    manifest = ended.head.manifest.path
    if len(few) > MOST_ALONE:
        return _groups(list(groups.values()), manifest)
    return [line for entry in few for line in _failure(entry, manifest)]


def _sums(head: Head) -> str:
    totals = head.totals
    parts = [f"{counted(totals.downloads, 'download', 'downloads')}: {_endings(totals)}", _speed(head)]
    if totals.bytes_resumed:
        parts.append(f"{format_size(totals.bytes_resumed)} were here from before")
    if totals.retries:
        parts.append(counted(totals.retries, "retry", "retries"))
    return "; ".join(parts)


def _endings(totals: Sums) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in endings(totals).items() if count) or "nothing to do"


def _speed(head: Head) -> str:
    seconds, received = head.duration_s, head.totals.bytes_downloaded
    if not received:
        return f"nothing fetched in {duration(seconds)}"
    mean = f" ({format_size(received / seconds)}/s)" if seconds else ""
    return f"{format_size(received)} in {duration(seconds)}{mean}"


def _kept(totals: Sums, kept: Kept) -> str:
    placed = in_place(totals)
    done = f"{placed:,} of {counted(totals.downloads, 'file', 'files')} {'is' if 1 in (placed, totals.downloads) else 'are'} in place"
    parts = f", kept {format_size(kept.bytes)} of {counted(kept.files, 'more', 'more')}" if kept.files else ""
    return f"interrupted: {done}{parts}; run the same command again to go on"


def _failure(entry: DownloadReport, manifest: str) -> Told:
    assert entry.error is not None, "only failures are told"
    error = entry.error
    asked = entry.source if entry.source and entry.source != entry.url else None
    return [
        (f"failed: {entry.path}: {error.message}", "error"),
        (f"  {entry.url}" + (f" (asked last: {asked})" if asked else ""), "faint"),
        (f"  to do: {remedy_of(error, manifest)}", ""),
    ]


def _groups(groups: Iterable[_Group], manifest: str) -> Told:
    """The failures by kind and host, the largest group first."""
    ordered = sorted(groups, key=lambda group: group.count, reverse=True)
    lines: Told = []
    for group in ordered[:_GROUPS]:
        lines += _group(group, manifest) if group.count > 1 else _failure(group.first[0], manifest)
    if len(ordered) > _GROUPS:
        rest = sum(group.count for group in ordered[_GROUPS:])
        lines.append((f"failed: {counted(rest, 'other download', 'other downloads')}, which the report names", "error"))
    return lines


def _group(group: _Group, manifest: str) -> Told:
    error, host = group.first[0].error, host_of(group.first[0])
    assert error is not None, "only failures are told"
    others = "" if group.are_alike else ", and the like"
    named = ", ".join(entry.path for entry in group.first)
    more = f" and {group.count - _NAMED:,} more" if group.count > _NAMED else ""
    at = f" from {host}" if host else ""
    return [
        (f"failed: {counted(group.count, 'download', 'downloads')}{at}: {error.message}{others}", "error"),
        (f"  {named}{more}", "faint"),
        (f"  to do: {remedy_of(error, manifest)}", ""),
    ]
