"""Events in, report out: counts what happened to each download and decides how the run ended.

    RunFacts + Redactor --ReportFold--> add(event, entry)... --> head(...) + entries(...) --> the report

Events come redacted; what is taken from the downloads themselves is redacted here, but for paths. An outcome comes with its entry
where its worker has written it.

This file is longer than the house's 300 lines, since what is known of a download until its entry is written is kept in one place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import TYPE_CHECKING, Literal

from marscore.events import (
    BytesReceived,
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    HostPaused,
    NotLocked,
    Outcome,
    PlanCompiled,
    RangesFetched,
    RetryScheduled,
    RunFinished,
    UrlChanged,
    Warned,
)
from marscore.frozen import dataclass
from marscore.policy.redact import Redactor
from marscore.report.entries import Entries, Spool
from marscore.report.entry import completed, entry_of, status_of, unfinished_entry
from marscore.report.head import Head, ManifestNamed, PlanSums, Samples, Sums
from marscore.report.pauses import Pauses
from marscore.report.record import rfc3339, seconds, well_formed
from marscore.report.throughput import Throughput
from marscore.report.timeline import MOST, Noted, note_of, timeline_text
from marscore.report.words import IN_PLACE
from marscore.resolve.model import Download
from marscore.url import host_of
from marscore.values import Failure, FailureKind

if TYPE_CHECKING:
    from marscore.report.model import RunStatus

#: Failures that only the owner of this machine can mend; they decide the exit code, since the others may follow from them.
_OF_THE_MACHINE: frozenset[FailureKind] = frozenset({"disk_full", "permission", "store"})
#: Warnings about downloads that are kept for who shows them once more.
_NOTED = 1000
_WORDS: dict[type[Event], str] = {
    NotLocked: "the lock does not name this download, which was taken as the server has it: `marscore lock` adds it",
    UrlChanged: "the file in place came from another URL; its checksum holds",
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run before its first event. `started_at` is Unix time; `manifest` is the manifest's name, as in messages.

    `downloads` are all of them, or none where they are read while the run goes on.
    """

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
    retries: list[Mapping[str, object]] = field(default_factory=list)
    notes: list[Mapping[str, object]] = field(default_factory=list)
    ranges: RangesFetched | None = None


class ReportFold:
    """Adds up the events of one run. Not safe to share between threads.

    Downloads that are read while the run goes on are told of by `expect`, and forgotten with their outcome.
    """

    def __init__(
        self,
        facts: RunFacts,
        redactor: Redactor,
        make_spool: Callable[[], Spool] | None = None,
        redactor_of: Callable[[str], Redactor] | None = None,
    ) -> None:
        """Keep what `redactor_of` knows of single downloads, by id, out of their entries."""
        self._facts = facts
        self._redactor = redactor
        self._redactor_of = redactor_of or (lambda _: redactor)
        self._plan = PlanSums(downloads=len(facts.downloads))
        #: Where each stands that has no outcome yet, and those that stand there.
        self._place = {download.id: number for number, download in enumerate(facts.downloads)}
        self._downloads: Sequence[Download] | dict[int, Download] = facts.downloads
        self._open: dict[str, _Open] = {}
        self._entries = Entries(make_spool)
        self._entries.grow(len(facts.downloads))
        self._unread: Literal["nothing", "some"] = "nothing"
        self._ended: Counter[str] = Counter()
        self._bytes_downloaded = 0
        self._bytes_resumed = 0
        self._retries = 0
        self._throughput = Throughput()
        self._pauses = Pauses()
        self._of_the_machine = False
        self._warnings: list[str] = []
        #: What is to be known of downloads besides their outcome: ids and sentences.
        self.noted: list[tuple[str, str]] = []
        self._broken_off: Failure | None = None

    def expect(self, downloads: Sequence[Download]) -> None:
        """Take note of further downloads, in their order. Until `read_to_the_end` there may be more, and the run is no success."""
        if not isinstance(self._downloads, dict):
            self._downloads, self._unread = {}, "some"
        first = len(self._entries)
        self._entries.grow(len(downloads))
        for number, download in enumerate(downloads, first):
            self._place[download.id] = number
            self._downloads[number] = download

    def expect_beside(self, entries: Sequence[str | None], downloads: Sequence[Download]) -> None:
        """Take note of further downloads, in their order: of files that need nothing by their entries, of the others where None stands."""
        self.expect(())
        assert isinstance(self._downloads, dict), "they are read while the run goes on"
        first, others = len(self._entries), iter(downloads)
        self._entries.grow(len(entries))
        for number, entry in enumerate(entries, first):
            if entry is not None:
                self._entries.add(number, entry)
            else:
                self._downloads[number] = download = next(others)
                self._place[download.id] = number
        self._ended["up_to_date"] += len(entries) - len(downloads)

    def read_to_the_end(self) -> None:
        """Take note that there are no more downloads."""
        self._unread = "nothing"

    @property
    def expected(self) -> int:
        """How many downloads are known of."""
        return len(self._entries)

    def add(self, event: Event, entry: str | None = None) -> None:
        """Take the next event, an outcome with its entry if that is written; those that the report does not tell of are ignored."""
        match event:
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                self._close(event, entry)
            case DownloadStarted():
                self._begin(event)
            case RetryScheduled():
                self._open.setdefault(event.download, _Open()).retries.append(_retry(event))
                self._retries += 1
            case PlanCompiled():
                self._plan = PlanSums(processes=event.processes, threads=event.threads, downloads=event.downloads)
            case Warned() | NotLocked() | UrlChanged():
                self._warn(event)
            case _:
                self._add_to_timeline(event)

    def _warn(self, event: Warned | NotLocked | UrlChanged) -> None:
        message = well_formed(event.message) if isinstance(event, Warned) else _WORDS[type(event)]
        if event.download is None:
            self._warnings.append(message)
        elif len(self.noted) < _NOTED:
            self.noted.append((event.download, message))

    def break_off(self, why: Failure) -> None:
        """Take note that the machine stood in the way of the run itself: what has no outcome gets none."""
        self._broken_off = why

    def add_in_place(self, entries: Mapping[str, str]) -> None:
        """Take the entries, by download, of files that need nothing: what `add` does with their outcomes, all at once."""
        count = 0
        for download, entry in entries.items():
            number = self._place.get(download)
            if number is not None and not self._entries.has(number):
                self._end(download, number, entry)
                count += 1
        self._ended["up_to_date"] += count

    def _end(self, download: str, number: int, entry: str) -> None:
        self._entries.add(number, entry)
        if isinstance(self._downloads, dict):
            del self._place[download], self._downloads[number]

    @property
    def totals(self) -> Sums:
        """The sums over the downloads that have ended so far."""
        return self._totals(self._ended)

    def exit_code(self, signal: int | None = None) -> int:
        """How the run ends if it ends now; `signal` is the one that told it to, if any did."""
        if self._broken_off is None and self._unread == "nothing" and sum(self._ended[status] for status in IN_PLACE) == len(self._entries):
            # A signal that came when all was in place changed nothing.
            return 0
        if signal is not None:
            return 128 + signal
        return 3 if self._of_the_machine or self._broken_off else 1

    def head(self, *, finished_at: float, duration_s: float, signal: int | None = None) -> Head:
        """Sum up the run. Downloads without an outcome count as interrupted if a signal ended the run, else as skipped."""
        exit_code = self.exit_code(signal)
        facts = self._facts
        without = len(self._entries) - self._ended.total()
        return Head(
            marscore_version=facts.version,
            run_id=facts.run_id,
            name=None if facts.name is None else well_formed(self._redactor.text(facts.name)),
            manifest=ManifestNamed(path=well_formed(facts.manifest), sha256=facts.manifest_sha256),
            started_at=rfc3339(facts.started_at),
            finished_at=rfc3339(finished_at),
            duration_s=seconds(duration_s),
            status=_status(exit_code),
            exit_code=exit_code,
            plan=self._plan,
            totals=self._totals(self._ended + Counter({"skipped" if signal is None else "interrupted": without})),
            warnings=tuple(self._warnings),
            throughput=Samples(self._throughput.interval_s, tuple(self._throughput.bytes)),
        )

    def entries(self, signal: int | None = None) -> Iterator[str]:
        """The entries of all downloads, in the manifest's order, each as JSON."""
        for number in range(len(self._entries)):
            yield self._entries.get(number) or self._unfinished(self._downloads[number], signal)

    def _close(self, event: Outcome, entry: str | None) -> None:
        number = self._place.get(event.download)
        if number is None or self._entries.has(number):
            # It has ended before, and is not to be counted twice.
            return
        if entry is None:
            entry = entry_of(self._downloads[number], event, self._redactor_of(event.download))
        begun = self._open.pop(event.download, None)
        self._end(event.download, number, self._completed(entry, begun, self._downloads[number]) if begun else entry)
        self._ended[status_of(event)] += 1
        if isinstance(event, DownloadSkipped):
            return
        self._bytes_downloaded += event.bytes_downloaded
        self._bytes_resumed += event.bytes_resumed
        if isinstance(event, DownloadFailed) and event.kind in _OF_THE_MACHINE:
            self._of_the_machine = True

    def _unfinished(self, download: Download, signal: int | None) -> str:
        entry = unfinished_entry(download, self._redactor_of(download.id), signal, self._broken_off)
        begun = self._open.get(download.id)
        return self._completed(entry, begun, download) if begun else entry

    def _completed(self, entry: str, begun: _Open, download: Download) -> str:
        told = begun.ranges is not None or begun.notes
        timeline = timeline_text(map(self._redactor_of(download.id).url, download.sources), begun.ranges, begun.notes) if told else None
        return completed(entry, begun.started_at, begun.retries, timeline)

    def _add_to_timeline(self, event: Event) -> None:
        if isinstance(event, BytesReceived):
            until = event.at - self._facts.started_at
            self._throughput.add(until - event.duration_s, until, event.bytes)
        elif isinstance(event, RangesFetched):
            self._open.setdefault(event.download, _Open()).ranges = event
        elif isinstance(event, Noted):
            self._note(event)
            if isinstance(event, HostPaused) and self._pauses.longer(event):
                self._note_held_back(event)

    def _begin(self, event: DownloadStarted) -> None:
        self._open.setdefault(event.download, _Open()).started_at = event.at
        for pause in self._pauses.left(event.download, self._sources_of(event.download), event.at):
            self._note(pause)

    def _note(self, event: Noted) -> None:
        notes = self._open.setdefault(event.download, _Open()).notes
        if len(notes) < MOST:
            notes.append(note_of(event))

    def _note_held_back(self, pause: HostPaused) -> None:
        for name in self._open:
            if name != pause.download and any(host_of(url) == pause.host for url in self._sources_of(name)):
                self._note(replace(pause, download=name))

    def _sources_of(self, download: str) -> tuple[str, ...]:
        number = self._place.get(download)
        return () if number is None else self._downloads[number].sources

    def _totals(self, ended: Counter[str]) -> Sums:
        return Sums(
            downloads=len(self._entries),
            downloaded=ended["downloaded"],
            up_to_date=ended["up_to_date"],
            cached=ended["cached"],
            failed=ended["failed"],
            interrupted=ended["interrupted"],
            skipped=ended["skipped"],
            bytes_downloaded=self._bytes_downloaded,
            bytes_resumed=self._bytes_resumed,
            retries=self._retries,
        )


def run_finished(head: Head, at: float, report: str | None = None, output_dir: str | None = None) -> RunFinished:
    """The event that closes the run that this report tells of; `report` and `output_dir` say where report and files are."""
    sums = asdict(head.totals)
    del sums["downloads"]
    return RunFinished(
        at=at, status=head.status, exit_code=head.exit_code, duration_s=head.duration_s, report=report, output_dir=output_dir, **sums
    )


def undelivered(head: Head, why: Failure, signal: int | None) -> Head:
    """How a run ended whose report cannot be written: the machine stood in the way. A run that was told to stop, ended by that."""
    if head.status == "interrupted":
        return head
    if why.kind == "interrupted" and signal is not None:
        return replace(head, status="interrupted", exit_code=128 + signal)
    return replace(head, status="failed", exit_code=3)


def _retry(event: RetryScheduled) -> dict[str, object]:
    """A retry as `model.Retry` describes it."""
    return {
        "at": rfc3339(event.at),
        "url": well_formed(event.url),
        "kind": event.kind,
        "status": event.status,
        "message": well_formed(event.message),
        "wait_s": seconds(event.wait_s),
        "attempt": event.attempt,
    }


def _status(exit_code: int) -> RunStatus:
    if exit_code == 0:
        return "succeeded"
    return "interrupted" if exit_code > 128 else "failed"
