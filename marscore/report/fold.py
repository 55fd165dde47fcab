"""Events in, report out: counts what happened to each download and decides how the run ended.

    RunFacts + Redactor --ReportFold--> add(event)... --> report(...) -> Report

Events come redacted; what is taken from the downloads themselves is redacted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    Outcome,
    PlanCompiled,
    RetryScheduled,
    RunFinished,
)
from marscore.frozen import dataclass
from marscore.policy.redact import Redactor, public_url
from marscore.report.model import DownloadReport, Error, ManifestReport, PlanReport, Report, Retry, RunStatus, Totals
from marscore.report.record import rfc3339, seconds
from marscore.resolve.model import Download
from marscore.values import Checksum, FailureKind

#: Failures that only the owner of this machine can mend; they decide the exit code, since the others may follow from them.
_OF_THE_MACHINE: frozenset[FailureKind] = frozenset({"disk_full", "permission"})


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run before its first event. `started_at` is Unix time; `manifest` is the manifest's name, as in messages."""

    run_id: str
    version: str
    started_at: float
    manifest: str
    manifest_sha256: str | None
    downloads: Sequence[Download]
    name: str | None = None


@dataclass(slots=True)
class _Open:
    """A download on its way."""

    started_at: float | None = None
    retries: list[Retry] = field(default_factory=list)


class ReportFold:
    """Adds up the events of one run. Not safe to share between threads."""

    def __init__(self, facts: RunFacts, redactor: Redactor) -> None:
        self._facts = facts
        self._redactor = redactor
        self._plan = PlanReport(downloads=len(facts.downloads))
        self._place = {download.id: number for number, download in enumerate(facts.downloads)}
        self._open: dict[str, _Open] = {}
        self._closed: list[DownloadReport | None] = [None] * len(facts.downloads)

    def add(self, event: Event) -> None:
        """Take the next event; those that the report does not tell of are ignored."""
        match event:
            case PlanCompiled():
                self._plan = PlanReport(processes=event.processes, threads=event.threads, downloads=event.downloads)
            case DownloadStarted():
                self._open.setdefault(event.download, _Open()).started_at = event.at
            case RetryScheduled():
                self._open.setdefault(event.download, _Open()).retries.append(_retry(event))
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                self._close(event)
            case _:
                pass

    @property
    def totals(self) -> Totals:
        """The sums over the downloads that have ended so far."""
        return _totals([entry for entry in self._closed if entry], len(self._closed))

    def exit_code(self, signal: int | None = None) -> int:
        """How the run ends if it ends now; `signal` is the one that told it to, if any did."""
        return _exit_code(self._entries(signal), signal)

    def report(self, *, finished_at: float, duration_s: float, signal: int | None = None) -> Report:
        """Sum up the run. Downloads without an outcome count as interrupted if a signal ended the run, else as skipped."""
        entries = self._entries(signal)
        exit_code = _exit_code(entries, signal)
        facts = self._facts
        return Report(
            marscore_version=facts.version,
            run_id=facts.run_id,
            name=None if facts.name is None else self._shown(facts.name),
            manifest=ManifestReport(path=self._shown(facts.manifest), sha256=facts.manifest_sha256),
            started_at=rfc3339(facts.started_at),
            finished_at=rfc3339(finished_at),
            duration_s=seconds(duration_s),
            status=_status(exit_code),
            exit_code=exit_code,
            plan=self._plan,
            totals=_totals(entries, len(entries)),
            downloads=entries,
        )

    def _close(self, event: Outcome) -> None:
        number = self._place[event.download]
        self._closed[number] = self._entry(self._facts.downloads[number], event)
        self._open.pop(event.download, None)

    def _entries(self, signal: int | None) -> tuple[DownloadReport, ...]:
        pairs = zip(self._facts.downloads, self._closed, strict=True)
        return tuple(entry or self._unfinished(download, signal) for download, entry in pairs)

    def _entry(self, download: Download, event: Outcome) -> DownloadReport:
        if isinstance(event, DownloadSkipped):
            return self._blank(download, reason=_clean(event.reason))
        told = _failed(event) if isinstance(event, DownloadFailed) else _finished(event, download)
        return self._blank(
            download,
            bytes_downloaded=event.bytes_downloaded,
            bytes_resumed=event.bytes_resumed,
            segments=event.segments,
            duration_s=seconds(event.duration_s),
            started_at=None if event.started_at is None else rfc3339(event.started_at),
            **told,
        )

    def _unfinished(self, download: Download, signal: int | None) -> DownloadReport:
        if signal is None:
            return self._blank(download, reason="the run ended before this download did")
        error = Error("interrupted", None, f"interrupted by signal {signal}; run again to resume")
        return self._blank(download, status="interrupted", error=error)

    def _blank(self, download: Download, **known: Any) -> DownloadReport:
        """An entry that says what is `known`, and for the rest that nothing came of the download."""
        known.setdefault("status", "skipped")
        known.setdefault("size", download.size)
        begun = self._open.get(download.id)
        if begun is not None:
            known["retries"] = tuple(begun.retries)
            if begun.started_at is not None and known.get("started_at") is None:
                known["started_at"] = rfc3339(begun.started_at)
        return DownloadReport(id=download.id, url=self._shown(public_url(download.url)), path=self._shown(download.path), **known)

    def _shown(self, text: str) -> str:
        shown = _clean(self._redactor.text(text))
        # A hundred thousand texts that nothing was changed in need not be held twice.
        return text if shown == text else shown


def _finished(event: DownloadFinished, download: Download) -> dict[str, Any]:
    return {
        "status": event.status,
        "reason": _clean(event.reason),
        "size": event.size,
        "checksum": _checksum(download.checksums, event.digests),
        "etag": None if event.etag is None else _clean(event.etag),
        "source": None if event.source is None else _clean(event.source),
    }


def _failed(event: DownloadFailed) -> dict[str, Any]:
    return {
        "status": "interrupted" if event.kind == "interrupted" else "failed",
        "source": None if event.url is None else _clean(event.url),
        "error": Error(event.kind, event.status, _clean(event.message)),
    }


def run_finished(report: Report, at: float) -> RunFinished:
    """The event that closes the run that this report tells of."""
    sums = report.totals.model_dump(exclude={"downloads"})
    return RunFinished(at=at, status=report.status, exit_code=report.exit_code, duration_s=report.duration_s, **sums)


def _retry(event: RetryScheduled) -> Retry:
    message, wait = _clean(event.message), seconds(event.wait_s)
    return Retry(rfc3339(event.at), _clean(event.url), event.kind, event.status, message, wait, event.attempt)


def _checksum(wanted: Sequence[Checksum], digests: Sequence[str]) -> str | None:
    """The digest that the manifest named first, else the first there is: the sha256."""
    if not wanted and digests:
        return digests[0]
    algorithm = wanted[0].algorithm if wanted else "sha256"
    return next((digest for digest in digests if digest.startswith(f"{algorithm}:")), digests[0] if digests else None)


def _totals(entries: Sequence[DownloadReport], downloads: int) -> Totals:
    ended = Counter(entry.status for entry in entries)
    return Totals(
        downloads=downloads,
        downloaded=ended["downloaded"],
        up_to_date=ended["up_to_date"],
        failed=ended["failed"],
        interrupted=ended["interrupted"],
        skipped=ended["skipped"],
        bytes_downloaded=sum(entry.bytes_downloaded for entry in entries),
        bytes_resumed=sum(entry.bytes_resumed for entry in entries),
        retries=sum(len(entry.retries) for entry in entries),
    )


def _exit_code(entries: Iterable[DownloadReport], signal: int | None) -> int:
    missing = [entry for entry in entries if entry.status not in ("downloaded", "up_to_date")]
    if not missing:
        # A signal that came when all was in place changed nothing.
        return 0
    if signal is not None:
        return 128 + signal
    return 3 if any(entry.error and entry.error.kind in _OF_THE_MACHINE for entry in missing) else 1


def _status(exit_code: int) -> RunStatus:
    if exit_code == 0:
        return "succeeded"
    return "interrupted" if exit_code > 128 else "failed"


def _clean(text: str) -> str:
    """Escape lone surrogates, which a file name of unknown encoding may bring and UTF-8 cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
