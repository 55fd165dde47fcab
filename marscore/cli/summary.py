"""The last lines of a run, for the person at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marscore.values import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marscore.report.head import Head, Sums
    from marscore.report.model import DownloadReport

_FAILURES_SHOWN = 20


def summary(head: Head, failed: Sequence[DownloadReport], file: str) -> list[str]:
    """What a person wants to know when a run has ended: the sums, where the report is, then each download that failed."""
    lines = [_failure(entry) for entry in failed[:_FAILURES_SHOWN]]
    if len(failed) > _FAILURES_SHOWN:
        lines.append(f"… and {len(failed) - _FAILURES_SHOWN} more")
    return [_sums(head, file), *lines]


def _sums(head: Head, file: str) -> str:
    totals = head.totals
    speed = f" ({format_size(totals.bytes_downloaded / head.duration_s)}/s)" if head.duration_s and totals.bytes_downloaded else ""
    parts = [
        f"{counted(totals.downloads, 'download', 'downloads')}: {_endings(totals)}",
        f"{format_size(totals.bytes_downloaded)} in {head.duration_s:.1f} s{speed}, {counted(totals.retries, 'retry', 'retries')}",
        f"report: {file}",
    ]
    return "; ".join(parts)


def _endings(totals: Sums) -> str:
    always = [f"{totals.downloaded} downloaded", f"{totals.up_to_date} up to date", f"{totals.failed} failed"]
    rare = {"from the cache": totals.cached, "interrupted": totals.interrupted, "skipped": totals.skipped}
    return ", ".join([*always, *(f"{count} {name}" for name, count in rare.items() if count)])


def _failure(entry: DownloadReport) -> str:
    return f"{entry.status}: {entry.path}: {entry.error.kind}: {entry.error.message}" if entry.error else entry.path


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun: `1 retry`, `2 retries`."""
    return f"{count} {one if count == 1 else many}"
