"""The last lines of a run: what is in place, what failed and what to do about it, and where the report and the log are.

Ended --summary--> lines, each with a tone --exits.tell--> standard error
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from marscore.policy.remedies import remedy
from marscore.report.words import counted, host_in, shown_host
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.report.ended import Ended, Kept
    from marscore.report.head import Head, Sums
    from marscore.report.model import DownloadReport

#: Other verbs count here too.
__all__ = ["counted", "summary"]

Tone: TypeAlias = Literal["", "good", "warning", "error", "faint"]
Told: TypeAlias = "list[tuple[str, Tone]]"

#: Failures that are told one by one; more are told by their kind and host, and so many of these groups.
_ONE_BY_ONE, _GROUPS = 20, 20
#: Paths that a group names.
_NAMED = 3
_TONES: dict[str, Tone] = {"succeeded": "good", "failed": "error", "interrupted": "warning"}


def summary(ended: Ended, log_file: str | None = None) -> Told:
    """What a person wants to know when a run has ended."""
    failed = [entry for entry in ended.failures() if entry.status == "failed"] if ended.head.totals.failed else []
    lines: Told = [] if len(failed) <= _ONE_BY_ONE else _groups(failed)
    if len(failed) <= _ONE_BY_ONE:
        for entry in failed:
            lines += _failure(entry)
    tone = _TONES[ended.head.status]
    lines.append((_sums(ended.head), tone))
    if ended.kept is not None:
        lines.append((_kept(ended.head.totals, ended.kept), tone))
    places = [f"report: {ended.file}"] if ended.file is not None and ended.has_report else []
    places += [f"log: {log_file}"] if log_file not in (None, "-") else []
    if places:
        lines.append(("; ".join(places), "faint"))
    return lines


def _sums(head: Head) -> str:
    totals = head.totals
    parts = [f"{counted(totals.downloads, 'download', 'downloads')}: {_endings(totals)}", _speed(head)]
    if totals.bytes_resumed:
        parts.append(f"{format_size(totals.bytes_resumed)} were here from before")
    if totals.retries:
        parts.append(counted(totals.retries, "retry", "retries"))
    return "; ".join(parts)


def _endings(totals: Sums) -> str:
    told = {
        "downloaded": totals.downloaded,
        "up to date": totals.up_to_date,
        "from the cache": totals.cached,
        "failed": totals.failed,
        "interrupted": totals.interrupted,
        "not started": totals.skipped,
    }
    return ", ".join(f"{count:,} {name}" for name, count in told.items() if count) or "nothing to do"


def _speed(head: Head) -> str:
    seconds, received = head.duration_s, head.totals.bytes_downloaded
    if not received:
        return f"nothing fetched in {duration(seconds)}"
    mean = f" ({format_size(received / seconds)}/s)" if seconds else ""
    return f"{format_size(received)} in {duration(seconds)}{mean}"


def duration(seconds: float) -> str:
    """A time for people: `1.3 s`, `2 min 5 s`, `3 h 12 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes} min {second} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _kept(totals: Sums, kept: Kept) -> str:
    in_place = totals.downloaded + totals.up_to_date + totals.cached
    done = f"{in_place:,} of {counted(totals.downloads, 'file', 'files')} {'is' if in_place == 1 else 'are'} in place"
    parts = f", kept {format_size(kept.bytes)} of {counted(kept.files, 'more', 'more')}" if kept.files else ""
    return f"interrupted: {done}{parts}; run the same command again to go on"


def _failure(entry: DownloadReport) -> Told:
    assert entry.error is not None, "only failures are told"
    error = entry.error
    asked = entry.source if entry.source and entry.source != entry.url else None
    return [
        (f"failed: {entry.path}: {error.message}", "error"),
        (f"  {entry.url}" + (f" (asked last: {asked})" if asked else ""), "faint"),
        (f"  to do: {remedy(error.kind, error.status, error.message)}", ""),
    ]


def _groups(failed: Iterable[DownloadReport]) -> Told:
    """The failures by kind and host, the largest group first."""
    groups: dict[tuple[str, int | None, str], list[DownloadReport]] = {}
    for entry in failed:
        assert entry.error is not None, "as above"
        host = host_in(entry.source or entry.url)
        groups.setdefault((entry.error.kind, entry.error.status, host), []).append(entry)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines: Told = []
    for (_, _, host), entries in ordered[:_GROUPS]:
        lines += _group(host, entries)
    if len(ordered) > _GROUPS:
        rest = sum(len(entries) for _, entries in ordered[_GROUPS:])
        lines.append((f"failed: {counted(rest, 'other download', 'other downloads')}, which the report names", "error"))
    return lines


def _group(host: str, entries: Sequence[DownloadReport]) -> Told:
    error = entries[0].error
    assert error is not None, "as above"
    others = "" if all(entry.error and entry.error.message == error.message for entry in entries) else ", and the like"
    named = ", ".join(entry.path for entry in entries[:_NAMED])
    more = f" and {len(entries) - _NAMED:,} more" if len(entries) > _NAMED else ""
    at = f" from {shown_host(host)}" if host else ""
    return [
        (f"failed: {counted(len(entries), 'download', 'downloads')}{at}: {error.message}{others}", "error"),
        (f"  {named}{more}", "faint"),
        (f"  to do: {remedy(error.kind, error.status, error.message)}", ""),
    ]
