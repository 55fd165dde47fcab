"""The downloads of a report that failed, each with what to do; many are grouped by kind, status and host.

Report --failed_in--> Failed... --grouped--> groups, the largest first
"""

from __future__ import annotations

from collections.abc import Sequence

from marscore.frozen import dataclass
from marscore.policy.remedies import remedy
from marscore.report.model import DownloadReport, Error, Report
from marscore.url import WRITTEN

#: So many are told one by one.
MOST_ALONE = 20


@dataclass(frozen=True, slots=True)
class Failed:
    """One of them; `remedy` is what to do."""

    entry: DownloadReport
    error: Error
    remedy: str


def failed_in(report: Report) -> list[Failed]:
    """Those that have an error, in the report's order."""
    return [Failed(entry, entry.error, remedy_of(entry.error)) for entry in report.downloads if entry.error is not None]


def remedy_of(error: Error) -> str:
    """What to do about an error."""
    return remedy(error.kind, error.status, error.message)


def grouped(failed: Sequence[Failed]) -> list[list[Failed]]:
    """Each alone where they are few, else those of one kind, status and host together."""
    if len(failed) <= MOST_ALONE:
        return [[each] for each in failed]
    groups: dict[tuple[str, int | None, str], list[Failed]] = {}
    for each in failed:
        groups.setdefault((each.error.kind, each.error.status, shown_host(each.entry.url)), []).append(each)
    return sorted(groups.values(), key=len, reverse=True)


def shown_host(url: str) -> str:
    """The host of a URL as a report has it, in which a secret may have been replaced; the URL itself where it has none."""
    written = WRITTEN.match(url)
    return written["place"] if written else url
