"""Downloads that failed, by what they have in common, and what to do about each: for whoever tells of failures.

entries --alone_or_by_cause--> groups, the largest first     entry --host_of--> host     error --remedy_of--> what to do
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from marscore.policy.remedies import Asker, remedy
from marscore.report.words import host_in, shown_host
from marscore.values import COMMAND_LINE

if TYPE_CHECKING:
    from marscore.report.model import DownloadReport, Error

#: What downloads that failed have in common.
Cause: TypeAlias = tuple[str, "int | None", str]
#: So many a person reads one by one.
MOST_ALONE = 20


def remedy_of(error: Error, manifest: str) -> str:
    """What to do about an error of a run of this manifest, as the report names it."""
    return remedy(error.kind, error.status, error.message, asker_of(manifest))


def asker_of(manifest: str) -> Asker:
    """Which verb a report is of."""
    return "get" if manifest == COMMAND_LINE else "run"


def host_of(entry: DownloadReport) -> str:
    """The host that the entry was last asked of, for people; empty where what is secret hides it."""
    return shown_host(host_in(entry.source or entry.url))


def alone_or_by_cause(failed: Sequence[DownloadReport], most: int = MOST_ALONE) -> list[list[DownloadReport]]:
    """Each alone where they are few, else as `by_cause`."""
    return [[entry] for entry in failed] if len(failed) <= most else by_cause(failed)


def by_cause(failed: Iterable[DownloadReport]) -> list[list[DownloadReport]]:
    """Those of one kind, status and host together: the largest group first, else in the order of the first of each."""
    groups: dict[Cause, list[DownloadReport]] = {}
    for entry in failed:
        groups.setdefault(cause_of(entry), []).append(entry)
    return sorted(groups.values(), key=len, reverse=True)


def cause_of(entry: DownloadReport) -> Cause:
    """Kind, status and host."""
    assert entry.error is not None, "what failed has an error"
    return entry.error.kind, entry.error.status, host_of(entry)
