"""A report as text for people: a table for a terminal or a mail, and Markdown for a pull request or a step's summary.

Report --table | markdown--> lines

What a report holds may be a stranger's text: Markdown's own characters are escaped here, a terminal's by whoever writes the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from marscore.report.failed import Failed, failed_in, grouped, shown_host
from marscore.report.model import DownloadReport, Report
from marscore.values import format_size

#: Files that Markdown lists: what shows it takes a megabyte, and no more.
_MOST_LISTED = 1000
_MEANT = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


def table(report: Report) -> Iterator[str]:
    """The report for a terminal: sums, failures with what to do, then a line for each file."""
    yield _heading(report)
    yield ", ".join(_endings(report))
    yield ", ".join(_sums(report))
    yield from (f"warning: {warning}" for warning in report.warnings)
    for group in grouped(failed_in(report)):
        yield ""
        yield from _failure(group)
    if report.downloads:
        yield ""
        yield f"{'STATUS':<12}{'SIZE':>11}{'TOOK':>10}{'SPEED':>13}{'RETRIES':>9}  PATH"
        yield from map(_line, report.downloads)


def markdown(report: Report) -> Iterator[str]:
    """The report as GitHub's Markdown: sums, a table of failures, and of files, folded."""
    yield f"### {_escaped(_heading(report))}"
    yield ""
    yield f"{', '.join(_endings(report))}; {', '.join(_sums(report))}"
    for warning in report.warnings:
        yield from ("", f"> {_escaped(warning)}")
    groups = grouped(failed_in(report))
    if groups:
        yield from ("", "| Failed | Why | What to do |", "|---|---|---|")
        yield from (f"| {_which(group)} | {_escaped(_why(group[0]))} | {_escaped(group[0].remedy)} |" for group in groups[:_MOST_LISTED])
    if report.downloads:
        yield from _files(report.downloads)


def _files(downloads: Sequence[DownloadReport]) -> Iterator[str]:
    count = len(downloads)
    yield from ("", "<details>", f"<summary>{count} {'file' if count == 1 else 'files'}</summary>", "")
    yield from ("| File | Status | Size | Took | Speed | Retries |", "|---|---|--:|--:|--:|--:|")
    for entry in downloads[:_MOST_LISTED]:
        told = (_escaped(entry.path), _status(entry), _size(entry), _took(entry), _speed(entry), str(len(entry.retries) or ""))
        yield f"| {' | '.join(told)} |"
    if count > _MOST_LISTED:
        yield from ("", f"and {count - _MOST_LISTED} more")
    yield from ("", "</details>")


def _heading(report: Report) -> str:
    return f"{report.name or report.manifest.path}: {report.status}, {report.started_at[:19].replace('T', ' ')} UTC"


def _endings(report: Report) -> list[str]:
    totals = report.totals
    always = [_counted(totals.downloads, "file", "files"), f"{totals.downloaded} downloaded", f"{totals.up_to_date} up to date"]
    rare = {"from the cache": totals.cached, "failed": totals.failed, "interrupted": totals.interrupted, "skipped": totals.skipped}
    return [*always, *(f"{count} {name}" for name, count in rare.items() if count)]


def _sums(report: Report) -> list[str]:
    totals, duration = report.totals, report.duration_s
    speed = f" ({format_size(totals.bytes_downloaded / duration)}/s)" if duration and totals.bytes_downloaded else ""
    resumed = [f"{format_size(totals.bytes_resumed)} resumed"] if totals.bytes_resumed else []
    retries = [_counted(totals.retries, "retry", "retries")] if totals.retries else []
    return [f"{format_size(totals.bytes_downloaded)} in {_seconds(duration)}{speed}", *resumed, *retries]


def _failure(group: Sequence[Failed]) -> Iterator[str]:
    first = group[0]
    if len(group) == 1:
        yield f"{_status(first.entry)}: {first.entry.path}"
        yield f"    {first.entry.url}"
    else:
        yield f"{_counted(len(group), 'file', 'files')} of {shown_host(first.entry.url)}: {_some(group)}"
    yield f"    {_why(first)}"
    yield f"    -> {first.remedy}"


def _why(failed: Failed) -> str:
    return f"{failed.error.kind}: {failed.error.message}"


def _which(group: Sequence[Failed]) -> str:
    if len(group) == 1:
        return _escaped(group[0].entry.path)
    return f"{len(group)} files of {_escaped(shown_host(group[0].entry.url))}: {_escaped(_some(group))}"


def _some(group: Sequence[Failed]) -> str:
    return ", ".join(each.entry.path for each in group[:3]) + (", …" if len(group) > 3 else "")


def _line(entry: DownloadReport) -> str:
    retries = len(entry.retries) or ""
    return f"{_status(entry):<12}{_size(entry):>11}{_took(entry):>10}{_speed(entry):>13}{retries:>9}  {entry.path}"


def _status(entry: DownloadReport) -> str:
    return entry.status.replace("_", " ")


def _size(entry: DownloadReport) -> str:
    return "" if entry.size is None else format_size(entry.size)


def _took(entry: DownloadReport) -> str:
    return "" if entry.started_at is None or not entry.duration_s else _seconds(entry.duration_s)


def _speed(entry: DownloadReport) -> str:
    return f"{format_size(entry.bytes_downloaded / entry.duration_s)}/s" if entry.duration_s and entry.bytes_downloaded else ""


def _seconds(value: float) -> str:
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _escaped(text: str) -> str:
    """The text as Markdown shows it and means nothing by it: on one line, without HTML, links or mentions."""
    flat = " ".join(text.replace("\0", " ").split())
    return _MEANT.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;")).replace("@", "&#64;").replace("://", ":&#47;&#47;")
