"""A report as text for people: a table for a terminal or a mail, and Markdown for a pull request or a step's summary.

Report --table | markdown--> lines

What a report holds may be a stranger's text: it is made fit for Markdown here, and for a terminal by whoever writes the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from marscore.report.failed import alone_or_by_cause, host_of, remedy_of
from marscore.report.markdown import code_cell, text_cell
from marscore.report.model import DownloadReport, Error, Report
from marscore.report.words import counted, duration, endings
from marscore.values import format_size

#: Files that Markdown lists: what shows it takes a megabyte, and no more.
_MOST_LISTED = 1000
#: Failures that are told: they are held in memory to be sorted by their causes.
_MOST_FAILED = 50_000


def table(report: Report) -> Iterator[str]:
    """The report for a terminal: sums, failures with what to do, then a line for each file."""
    yield _heading(report, str)
    yield ", ".join(_endings(report))
    yield ", ".join(_sums(report))
    yield from (f"warning: {warning}" for warning in report.warnings)
    for group in alone_or_by_cause(_failed_in(report)):
        yield ""
        yield from _failure(group, report.manifest.path)
    yield from _unsaid(report)
    if report.downloads:
        yield ""
        yield f"{'STATUS':<12}{'SIZE':>11}{'TOOK':>12}{'SPEED':>13}{'RETRIES':>9}  PATH"
        yield from map(_line, report.downloads)


def markdown(report: Report) -> Iterator[str]:
    """The report as GitHub's Markdown: sums, a table of failures, and of files, folded."""
    yield f"### {_heading(report, text_cell)}"
    yield ""
    yield f"{', '.join(_endings(report))}; {', '.join(_sums(report))}"
    for warning in report.warnings:
        yield from ("", f"> warning: {text_cell(warning)}")
    groups = alone_or_by_cause(_failed_in(report))
    if groups:
        yield from ("", "| Failed | Why | What to do |", "|---|---|---|")
        yield from (f"| {' | '.join(_told_of(group, report.manifest.path))} |" for group in groups[:_MOST_LISTED])
        yield from (line for said in _unsaid(report) for line in ("", said))
    if report.downloads:
        yield from _files(report.downloads)


def _files(downloads: Sequence[DownloadReport]) -> Iterator[str]:
    count = len(downloads)
    yield from ("", "<details>", f"<summary>{counted(count, 'file', 'files')}</summary>", "")
    yield from ("| File | Status | Size | Took | Speed | Retries |", "|---|---|--:|--:|--:|--:|")
    for entry in downloads[:_MOST_LISTED]:
        told = (code_cell(entry.path), _status(entry), _size(entry), _took(entry), _speed(entry), str(len(entry.retries) or ""))
        yield f"| {' | '.join(told)} |"
    if count > _MOST_LISTED:
        yield from ("", f"and {count - _MOST_LISTED:,} more")
    yield from ("", "</details>")


def _failed_in(report: Report) -> list[DownloadReport]:
    return list(islice((entry for entry in report.downloads if entry.error is not None), _MOST_FAILED))


def _unsaid(report: Report) -> Iterator[str]:
    """What is left out of the failures, if anything is."""
    count = report.totals.failed + report.totals.interrupted
    if count > _MOST_FAILED:
        yield f"these are the first {_MOST_FAILED:,} of {count:,} failures"


def _heading(report: Report, shown: Callable[[str], str]) -> str:
    return f"{shown(report.name or report.manifest.path)}: {report.status}, {report.started_at[:19].replace('T', ' ')} UTC"


def _endings(report: Report) -> list[str]:
    totals = report.totals
    told = (f"{count:,} {name}" for name, count in endings(totals).items() if count or name in ("downloaded", "up to date"))
    return [counted(totals.downloads, "file", "files"), *told]


def _sums(report: Report) -> list[str]:
    totals, duration = report.totals, report.duration_s
    speed = f" ({format_size(totals.bytes_downloaded / duration)}/s)" if duration and totals.bytes_downloaded else ""
    resumed = [f"{format_size(totals.bytes_resumed)} resumed"] if totals.bytes_resumed else []
    retries = [counted(totals.retries, "retry", "retries")] if totals.retries else []
    return [f"{format_size(totals.bytes_downloaded)} in {_seconds(duration)}{speed}", *resumed, *retries]


def _failure(group: Sequence[DownloadReport], manifest: str) -> Iterator[str]:
    first = group[0]
    assert first.error is not None, "what failed has an error"
    if len(group) == 1:
        yield f"{_status(first)}: {first.path}"
        yield f"    {first.url}"
    else:
        yield f"{_many(group)}: {_some(group)}"
    yield f"    {_why(first.error)}"
    if first.error.kind != "interrupted":
        # What to do about that, its message says.
        yield f"    -> {remedy_of(first.error, manifest)}"


def _told_of(group: Sequence[DownloadReport], manifest: str) -> Iterator[str]:
    """The cells of a row: which, why, and what to do."""
    error = group[0].error
    assert error is not None, "as above"
    alone = f"{code_cell(group[0].path)}<br>{code_cell(group[0].url)}"
    yield alone if len(group) == 1 else text_cell(f"{_many(group)}: {_some(group)}")
    yield from map(text_cell, (_why(error), remedy_of(error, manifest)))


def _why(error: Error) -> str:
    return f"{error.kind}: {error.message}"


def _many(group: Sequence[DownloadReport]) -> str:
    host = host_of(group[0])
    return counted(len(group), "file", "files") + (f" of {host}" if host else "")


def _some(group: Sequence[DownloadReport]) -> str:
    return ", ".join(each.path for each in group[:3]) + (", …" if len(group) > 3 else "")


def _line(entry: DownloadReport) -> str:
    retries = len(entry.retries) or ""
    return f"{_status(entry):<12}{_size(entry):>11}{_took(entry):>12}{_speed(entry):>13}{retries:>9}  {entry.path}"


def _status(entry: DownloadReport) -> str:
    return entry.status.replace("_", " ")


def _size(entry: DownloadReport) -> str:
    return "" if entry.size is None else format_size(entry.size)


def _took(entry: DownloadReport) -> str:
    return "" if entry.started_at is None or not entry.duration_s else _seconds(entry.duration_s)


def _speed(entry: DownloadReport) -> str:
    return f"{format_size(entry.bytes_downloaded / entry.duration_s)}/s" if entry.duration_s and entry.bytes_downloaded else ""


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else duration(value)
