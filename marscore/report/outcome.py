"""What a decision that needs no transfer is told as."""

from __future__ import annotations

from marscore.events import DownloadFailed, DownloadFinished
from marscore.resolve.reconcile import Cached, Decision, Refuse, UpToDate


def outcome_of(decision: Decision, at: float) -> DownloadFinished | DownloadFailed | None:
    """The outcome of the download, at a Unix time; None where something has to be fetched first."""
    download = decision.download
    if isinstance(decision, UpToDate):
        file, digests = decision.file, decision.digests
        return DownloadFinished(
            at,
            download.id,
            "up_to_date",
            decision.reason,
            file.size,
            digests,
            file.mtime_ns,
            file.inode,
            started_at=at,
            unpacked=decision.unpacked,
        )
    if isinstance(decision, Cached) and decision.file is not None:
        file, digests = decision.file, decision.digests
        return DownloadFinished(
            at, download.id, "cached", decision.reason, file.size, digests, file.mtime_ns, file.inode, source="cache", started_at=at
        )
    if isinstance(decision, Refuse):
        return DownloadFailed(at, download.id, decision.failure.kind, decision.failure.message, url=download.url)
    return None
