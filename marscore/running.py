"""One run, under its folder's lock: decisions --compile--> Plan --supervise workers--> events --> log, progress, report, state.

This file is longer than the house's 300 lines, since the order of a run, to its report and its hook, is to be read in one place.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marscore import deciding
from marscore.adapters.clock import SystemClock, cores
from marscore.adapters.files.atomic import write_text
from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import MOVED
from marscore.adapters.files.from_cache import Keeper
from marscore.adapters.files.kept import kept_of
from marscore.adapters.files.put_away import PutAway, remove_unfinished
from marscore.adapters.files.reserve import Reserve
from marscore.adapters.files.spool import FileSpool
from marscore.adapters.records import RecordMaker
from marscore.adapters.state.claim_writer import ClaimWriter
from marscore.adapters.state.workplace import Workplace
from marscore.adapters.stores.folder import StoreFolder
from marscore.adapters.stores.state import StoreState
from marscore.adapters.stores.waiting import patiently
from marscore.adapters.terminal.named_outputs import Output, Outputs, shown
from marscore.adapters.terminal.run_output import RunOutput
from marscore.adapters.terminal.runner import disarmed
from marscore.adapters.terminal.signals import Stop, StopAsked, note
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.caller import NOBODY, Caller
from marscore.errors import StorageError, told
from marscore.events import (
    AnyOutcome,
    DownloadFailed,
    DownloadFinished,
    Event,
    ListRead,
    NotLocked,
    PlanCompiled,
    ProofMade,
    RunStarted,
    Warned,
)
from marscore.execute.supervisor.messages import Inbox, StopRequested, Told
from marscore.execute.transfer.protocol import InPlace, Work
from marscore.exhaustive import assert_never
from marscore.hooks import Surroundings, after
from marscore.job import Job
from marscore.observing import Observers
from marscore.own_folder import Leased, State
from marscore.planning.model import MANY, Plan, compile_plan
from marscore.report.ended import Ended
from marscore.report.fold import ReportFold, RunFacts, run_finished, undelivered
from marscore.report.head import Head
from marscore.report.outcome import outcome_of
from marscore.report.record import well_formed
from marscore.report.results import Places, places
from marscore.report.writers import Lines, iter_json, summary_json
from marscore.resolve.model import Download
from marscore.resolve.reconcile import (
    Cached,
    Decision,
    Fetch,
    Prove,
    Refresh,
    Refuse,
    Resume,
    Unpacking,
    UpToDate,
)
from marscore.settings import beside
from marscore.values import OWN_FOLDER, Failure
from marscore.version import __version__

if TYPE_CHECKING:
    from marscore.adapters.cluster.hiring import ClusterWorkerFactory
    from marscore.adapters.cluster.session import Session
    from marscore.engines import Staff
    from marscore.feeding import Chunk, Chunks
    from marscore.resolve.streamed import Streamed

#: Seconds that a run which was told to stop takes for what it puts beside the objects of a store.
_AT_THE_END = 1.0
#: Outcomes that are told at once.
_BATCH = 1000


class Run:
    """One run, under the folder's lock."""

    def __init__(self, job: Job, outputs: Outputs, stop: Stop, state: State, place: Workplace, caller: Caller = NOBODY) -> None:
        self._job = job
        self._outputs = outputs
        self._stop = stop
        self._state = state
        self._place = place
        self._lease = place.lease if isinstance(place, Leased) else None
        self._caller = caller
        self._reserve: Reserve | None = None
        #: At an engine, where the workers are there.
        self._session: Session | None = None
        self._staff: Staff | None = None
        self._clock = SystemClock()
        started_at, self._began = job.began or (self._clock.now(), self._clock.ticks())
        self._folder = job.output_folder()
        self._facts = RunFacts(
            run_id=os.urandom(8).hex(),
            version=__version__,
            started_at=started_at,
            manifest=job.source,
            manifest_sha256=job.sha256,
            downloads=job.downloads,
            name=job.name,
        )
        self._fold = ReportFold(self._facts, job.redactor, lambda: FileSpool(job.root / job.own))
        #: The downloads by id: all, or, of those that are read while the run goes on, those without an outcome.
        self._by_id = {download.id: download for download in job.downloads}
        self._claims = ClaimWriter(state, self._folder, self._clock, self._by_id)
        self._output = RunOutput(outputs, self._facts, lambda: stop.signal is not None, self._by_id)
        self._observers = Observers(job, outputs, self._facts, self._clock, self._began, self._by_id)
        self._claims.urls_of_cached = job.cache is not None and job.cache.match == "url"
        self._away = PutAway(self._folder)
        self._cache = None if job.cache is None else job.cache.open()
        self._keeper = None if self._cache is None else Keeper(self._cache, self._folder, self._away.remove)
        #: The file that holds the report, once it does; and where it is for people, also where that is a stream.
        self._report: Path | None = None
        self._reported_to: str | None = None
        #: Why a list could not be read to its end.
        self._unread: Failure | None = None
        #: The paths of files that were cut short by a signal.
        self._interrupted: list[str] = []
        self._lines = replace(self._output.log, tells=caller.hears)
        self._records = RecordMaker(job.redactor, self._lines, self._by_id)
        self._unchanged = UnchangedRecords(job.redactor, self._output.log)

    def carry_out(self) -> Ended:
        """Do it all, to the written report."""
        trouble = None
        self._stop.clear_display = self._output.vanish
        with self._output, self._observers:
            self._emit(RunStarted(self._clock.now(), self._job.name, well_formed(self._job.source), well_formed(self._job.output_dir)))
            self._warn()
            self._emit(*(ListRead(self._clock.now(), each.place, each.digests, each.status) for each in self._job.lists))
            self._emit(*(NotLocked(self._clock.now(), download.id, download.path) for download in self._job.not_locked))
            try:
                self._observers.start()
                if self._job.rows is None:
                    compiled = self._plan()
                    self._fetch(compiled, [work for decision in compiled.decisions if (work := _work_of(decision))])
                    trouble = None if self._staff is None else self._staff.trouble
                else:
                    self._stream(self._job.rows)
            except KeyboardInterrupt as error:
                self._stop.signal = self._stop.signal or signal.SIGINT
                # One of the host's own is raised in the end, whatever was asked before.
                self._stop.asked = isinstance(error, StopAsked)
            except StorageError as error:
                trouble = error.failure
            ended = self._finish(trouble)
        # The last lines of the log are known to be written now, or not to be.
        ended = self._told_of_the_log(ended)
        if self._stop.signal is not None and not self._stop.handled and not self._stop.asked:
            raise KeyboardInterrupt
        return ended

    def _plan(self) -> Plan:
        with self._stop.interrupting():
            known = self._claims.before
            self._warn_of_the_state()
            around = deciding.Surroundings(self._clock, self._take, self._proving, self._stop.check)
            decisions = deciding.decide(self._job, self._folder, known, self._cache, around)
        execution = self._job.execution
        if self._job.engine is not None and any(map(_work_of, decisions)):
            from marscore.engines import reach, unused  # noqa: PLC0415 - few runs have any

            self._session, execution = reach(self._job, self._facts.run_id, self._stop)
        compiled = compile_plan(execution, decisions, cores())
        if self._session is not None and (told := unused(self._session, compiled)):
            self._emit(Warned(self._clock.now(), None, told))
        current = sum(isinstance(decision, UpToDate) for decision in decisions)
        self._emit(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, compiled.downloads, current))
        # Many at a time, and not all at once, since there may be a million.
        for start in range(0, len(decisions), _BATCH):
            self._stop.check()
            self._close(decisions[start : start + _BATCH])
        return compiled

    def _stream(self, rows: Streamed) -> None:
        """Fetch what is read while that goes on. As long as all is in place there is no need of a worker."""
        from marscore.feeding import Chunks  # noqa: PLC0415 - few runs have long lists

        around = deciding.Surroundings(self._clock, self._take, self._proving, self._stop.check)
        assert not isinstance(self._state, StoreState), "lists of such runs are read at once"
        chunks = Chunks(self._job, self._state, around)
        works: Sequence[Work] = ()
        over: Literal["yes", "no"] = "no"
        while not works and over == "no":
            with self._stop.interrupting():
                chunk = chunks.next()
            works, over = self._take_chunk(chunk), "yes" if chunk is None else "no"
        compiled = compile_plan(self._job.execution, (), cores(), MANY if works else 0)
        in_place = self._fold.totals.up_to_date
        self._emit(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, rows.count or self._fold.expected, in_place))
        self._fetch(compiled, works, chunks)
        self._fold.add(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, self._fold.expected, in_place))
        if self._unread is not None:
            raise StorageError(self._unread)

    def _take_chunk(self, chunk: Chunk | Failure | None) -> Sequence[Work]:
        """Take in further downloads: tell of those that need no transfer, and return what is to be done for the others."""
        assert self._job.rows is not None
        if isinstance(chunk, Failure):
            self._unread = chunk
            return ()
        if chunk is None:
            if self._job.rows.count not in (None, self._fold.expected):
                self._unread = Failure("row", "the list has changed since it was checked, just before: it has another number of rows")
            self._fold.read_to_the_end()
            return ()
        self._by_id.update((download.id, download) for download in chunk.downloads)
        self._fold.expect(chunk.downloads)
        self._claims.expect(chunk.downloads, chunk.claims)
        self._records.guard(chunk.secrets.items())
        self._warn_of_the_state()
        self._emit(*chunk.events)
        self._warn_of(chunk.downloads)
        # What is drawn and measured hears how many there are as far as that is known; the log is told once.
        grown = PlanCompiled(self._clock.now(), 0, 0, self._job.rows.count or self._fold.expected, 0)
        self._observers.add([grown])
        self._output.show([grown], ())
        for start in range(0, len(chunk.decisions), _BATCH):
            self._close(chunk.decisions[start : start + _BATCH])
        works = [work for decision in chunk.decisions if (work := _work_of(decision))]
        return [replace(work, secrets=own) if (own := chunk.secrets.get(work.download.id)) else work for work in works]

    def _proving(self, reading: ProofMade) -> None:
        self._stop.check()
        self._output.show([reading], ())

    def _close(self, decisions: Sequence[Decision]) -> None:
        """Tell of those that need no transfer."""
        now = self._clock.now()
        noted = [decision for decision in decisions if isinstance(decision, UpToDate) and decision.noted]
        others = [decision for decision in decisions if not (isinstance(decision, UpToDate) and decision.noted)]
        outcomes = _outcomes_of(others, now)
        for event in outcomes:
            self._claims.note(event)
            if isinstance(event, DownloadFinished) and event.unpacked is not None:
                self._away.remove(self._claims.download(event.download), event)
        # Where progress is drawn, or a program listens, they want to see the events.
        at_once = None if self._output.draws or self._caller.hears else self._unchanged.tell(noted, now)
        if at_once:
            self._fold.add_in_place(at_once.entries)
            self._observers.add_in_place(len(at_once.entries))
            self._output.show((), at_once.lines)
        else:
            outcomes = _outcomes_of(decisions, now)
        events, told = self._records.tell(outcomes)
        for event in events:
            self._fold.add(event)
        self._tell(events, told)
        if self._job.rows is not None:
            self._forget(at_once.entries if at_once else ())
            self._forget(event.download for event in outcomes if isinstance(event, AnyOutcome))

    def _forget(self, ids: Iterable[str]) -> None:
        """Forget downloads that are over, of those that are read while the run goes on."""
        for name in ids:
            if download := self._by_id.pop(name, None):
                self._claims.forget(download)
                self._records.forget(name)

    def _fetch(self, compiled: Plan, works: Sequence[Work], chunks: Chunks | None = None) -> None:
        """Have the works done, and those of further `chunks`."""
        if not works:
            return
        if self._observers.traces:
            works = [replace(work, traced=True) for work in works]
        self._reserve = Reserve(self._job.root / self._job.own, MANY if chunks else len(self._job.downloads))
        # requests and all else that sends and receives takes a tenth of a second to import, and more open files than there may be.
        with naming("cannot load what fetches"):
            from marscore.adapters.processes.workers import ProcessWorkerFactory  # noqa: PLC0415
            from marscore.execute.supervisor.supervise import Supervisor  # noqa: PLC0415
            from marscore.workers import worker_settings  # noqa: PLC0415

        inbox: Inbox = queue.SimpleQueue()
        settings = replace(
            worker_settings(self._job, compiled, self._lines),
            output_identity=self._folder.identity,
            progress="shared" if self._output.draws or self._observers.looks else "none",
        )
        factory: ProcessWorkerFactory | ClusterWorkerFactory
        if self._session is None:
            factory = ProcessWorkerFactory(settings, inbox, self._place.lock, self._caller.session)
            supervisor = Supervisor(compiled, factory, inbox, self._clock, self._take)
        else:
            from marscore.engines import Staff  # noqa: PLC0415 - few runs have any

            self._staff = Staff(self._session, compiled, settings, inbox, self._clock, self._take)
            factory, supervisor = self._staff.factory, self._staff.supervisor
        feeder = None
        if chunks is not None:
            from marscore.feeding import Feeder  # noqa: PLC0415 - as above

            feeder = Feeder(chunks, inbox, self._take_chunk)
        self._stop.on_signal = lambda number: inbox.put(stop_of(number, self._stop.asked))
        self._stop.check()
        if self._lease is not None:
            self._lease.on_lost = lambda why: inbox.put(StopRequested(why, why.message))
            if self._lease.lost is not None:
                # While it was looked what is in place.
                self._lease.on_lost(self._lease.lost)
        with (
            contextlib.closing(factory),
            contextlib.nullcontext() if feeder is None else contextlib.closing(feeder),
            self._output.watching(factory.readings),
            self._observers.watching(factory.readings),
        ):
            try:
                supervisor.run(works, self._began, feeder)
            except KeyboardInterrupt:
                inbox.put(stop_of(signal.SIGINT))
                supervisor.wind_up()
                raise
            finally:
                self._stop.on_signal = note

    def _finish(self, trouble: Failure | None) -> Ended:
        """Put everything in order; `trouble` is what stood in the way of the run itself."""
        if self._reserve is not None:
            self._reserve.release()
        if self._session is not None:
            self._session.close(self._fold.exit_code() == 0)
        self._claims.close()
        trouble = trouble or self._left_beside()
        self._close_cache()
        if self._folder.is_there and self._job.leaves == "state":
            remove_unfinished(self._job.root, lambda: self._stop.signal is None)
        self._emit(*(Warned(self._clock.now(), None, message) for message in self._away.left))
        self._warn_of_the_state()
        if trouble:
            self._fold.break_off(trouble)
            self._emit(Warned(self._clock.now(), None, trouble.message))
        if self._claims.trouble:
            message = f"not all that is in place could be noted ({self._claims.trouble}); the next run looks at these files again"
            self._emit(Warned(self._clock.now(), None, message))
        forgotten = self._claims.clear(all_in_place=self._fold.exit_code(self._stop.signal) == 0)
        if forgotten:
            self._emit(Warned(self._clock.now(), None, forgotten))
        duration = self._clock.ticks() - self._began
        head = self._fold.head(finished_at=self._clock.now(), duration_s=duration, signal=self._stop.signal)
        ended = self._reported(*self._junit_written(*self._logged(head, trouble)))
        ended = self._hooked(ended)
        if ended.head.status == "interrupted":
            ended = replace(ended, kept=kept_of(self._folder, self._interrupted))
        finished = run_finished(ended.head, self._clock.now(), self._reported_to, well_formed(self._job.output_dir))
        # What goes wrong with them is told before the last word.
        self._emit(*(Warned(self._clock.now(), None, message) for message in self._observers.finish(finished, self._write_through)))
        self._emit(finished)
        return ended

    def _logged(self, head: Head, trouble: Failure | None) -> tuple[Head, Failure | None]:
        """How the run ends where the log file already takes no more."""
        lost = self._output.lost
        if lost is None:
            return head, trouble
        self._emit(Warned(self._clock.now(), None, lost.message))
        return undelivered(replace(head, warnings=(*head.warnings, lost.message)), lost, self._stop.signal), trouble or lost

    def _told_of_the_log(self, ended: Ended) -> Ended:
        lost = self._output.lost
        if lost is None:
            return ended
        return replace(ended, head=undelivered(ended.head, lost, self._stop.signal), trouble=ended.trouble or lost)

    def _left_beside(self) -> Failure | None:
        """Put a copy of the state beside the objects of a store; returns what has stood in the way of the run there."""
        lease = self._lease
        if lease is None or not isinstance(self._state, StoreState):
            return None
        # Who was told to stop, waits for all of this a moment.
        seconds = None if self._stop.signal is None else _AT_THE_END
        lease.patience = seconds or lease.patience
        if lease.lost is None:
            try:
                patiently(self._state.copy, seconds=seconds)
            except StorageError as error:
                message = f"the state could not be put beside the objects ({error.failure.message}): another machine would not know of them"
                self._emit(Warned(self._clock.now(), None, message))
        return lease.lost

    def _hooked(self, ended: Ended) -> Ended:
        if self._job.hooks is None:
            return ended
        around = Surroundings(self._stop, self._clock, self._job.output_dir, self._report, self._emit, self._output.still)
        ended = after(ended, self._job.hooks, around)
        return ended if ended.hook is None else replace(ended, hook=self._job.redactor.text(ended.hook))

    def _close_cache(self) -> None:
        if self._keeper is None or self._cache is None or self._job.cache is None:
            return
        self._keeper.close(lambda: self._stop.signal is not None)
        if self._keeper.trouble:
            self._emit(Warned(self._clock.now(), None, f"not all that was fetched is in the cache: {self._keeper.trouble}"))
        if self._job.cache.max_size is not None and self._stop.signal is None:
            with contextlib.suppress(OSError):
                self._cache.prune(self._job.cache.max_size, None, self._clock.now())

    def _reported(self, head: Head, trouble: Failure | None) -> Ended:
        """Write the report. That it cannot be written is told, and the rest of the outcome with it."""
        report, own = self._outputs.report, self._job.root / OWN_FOLDER / "report.json"
        entries = functools.partial(self._fold.entries, self._stop.signal)
        if report is None and self._job.leaves == "nothing":
            return Ended(head, None, entries, trouble, noted=self._fold.noted, places=self._places)
        stored = None if self._job.store is None else self._job.store.url(f"{OWN_FOLDER}/report.json")
        shown_as = report.shown if report else stored or shown(own)
        ended = Ended(head, shown_as, entries, trouble, noted=self._fold.noted, places=self._places)
        try:
            if report is None:
                if not self._folder.is_there:
                    # The report of another run may be there.
                    raise StorageError(MOVED)
                self._write_own(own, head, entries)
                if isinstance(self._folder, StoreFolder) and (self._lease is None or self._lease.lost is None):
                    for file in (beside(own), own) if self._outputs.settings.report_format == "jsonl" else (own,):
                        self._folder.put_own(file.name, file, None if self._stop.signal is None else _AT_THE_END)
            elif (listed := self._outputs.entries) is not None:
                lines, name = Lines(entries), listed.name
                listed.write_whole(lambda: lines)
                report.write_whole(lambda: [summary_json(head, name, lines)])
            else:
                # On a stream a CI's runner may look for commands.
                fit = disarmed if report.is_stream else str
                self._write_through(report, lambda: map(fit, iter_json(head, entries())))
        except StorageError as error:
            self._emit(Warned(self._clock.now(), None, error.failure.message))
            head = undelivered(head, error.failure, self._stop.signal)
            return replace(ended, head=head, trouble=error.failure, has_report=False)
        self._report = own if report is None else report.file
        self._reported_to = well_formed((ended.file or "") if self._report is None else str(self._report))
        return ended

    def _write_own(self, own: Path, head: Head, entries: Callable[[], Iterator[str]]) -> None:
        """Write the report where it is by itself. What lies beside it is of this one, or goes."""
        doing, listed = "cannot write the report", beside(own)
        if self._outputs.settings.report_format == "json":
            write_text(own, iter_json(head, entries()), doing)
            with contextlib.suppress(OSError):
                listed.unlink()
            return
        lines = Lines(entries)
        write_text(listed, lines, doing)
        write_text(own, [summary_json(head, listed.name, lines)], doing)

    def _places(self) -> Places:
        named = ((url, each.id) for each in self._job.downloads for url in {each.url, each.original or each.url})
        return places(self._job.root if self._job.store is None else self._job.store.url(), named)

    def _junit_written(self, head: Head, trouble: Failure | None) -> tuple[Head, Failure | None]:
        """Write the report as JUnit XML where that is wanted; the report itself tells how the run ended if that cannot be."""
        if self._outputs.junit is None:
            return head, trouble
        from marscore.report.junit import iter_junit  # noqa: PLC0415 - only where it is wanted

        entries = functools.partial(self._fold.entries, self._stop.signal)
        try:
            self._write_through(self._outputs.junit, lambda: iter_junit(head, entries(), trouble))
        except StorageError as error:
            self._emit(Warned(self._clock.now(), None, error.failure.message))
            return undelivered(head, error.failure, self._stop.signal), trouble or error.failure
        return head, trouble

    def _write_through(self, output: Output, text: Callable[[], Iterable[str]]) -> None:
        if not output.is_stream:
            output.write_whole(text)
            return
        self._output.still()
        if self._stop.signal is not None:
            # Who was told to stop, waits for no reader of a pipe.
            output.write_whole(text, "there")
            return
        try:
            with self._stop.interrupting():
                output.write_whole(text)
        except KeyboardInterrupt:
            if self._stop.signal is None:
                # The host's own.
                raise
            raise StorageError(
                Failure("interrupted", f"{output.what} had to be given up: {output.shown} was not read to the end")
            ) from None

    def _warn_of_the_state(self) -> None:
        while self._state.warnings:
            self._emit(Warned(self._clock.now(), None, self._state.warnings.pop(0)))

    def _warn(self) -> None:
        self._warn_of_the_state()
        self._emit(*(Warned(self._clock.now(), None, told(self._job.source, each)[0]) for each in self._job.suspicions))
        self._warn_of(self._job.downloads)

    def _warn_of(self, downloads: Iterable[Download]) -> None:
        for download in downloads:
            if download.options.verify is False:
                self._emit(Warned(self._clock.now(), download.id, "verify is false: nothing proves whose server this is"))

    def _emit(self, *events: Event) -> None:
        self._take(events)

    def _take(self, events: Iterable[Event], told: Told | None = None) -> None:
        """Add events up and show them; those of which nothing is made yet are this process's own, and not fit to be seen so far."""
        if self._job.rows is not None:
            # What comes of a download that is over is too late.
            events = [event for event in events if not isinstance(event, AnyOutcome) or event.download in self._by_id]
        if told is None:
            events, told = self._records.tell(events)
        for event in events:
            download: str = getattr(event, "download", None) or ""
            self._claims.note(event, told.rows.get(download))
            self._fold.add(event, told.entries.get(download))
            if isinstance(event, DownloadFailed) and event.kind == "interrupted":
                self._interrupted.append(self._claims.download(download).path)
            if isinstance(event, DownloadFinished):
                self._keep(self._claims.download(download), event)
        self._tell(events, told)
        if self._job.rows is not None:
            self._forget(event.download for event in events if isinstance(event, AnyOutcome))

    def _tell(self, events: Iterable[Event], told: Told) -> None:
        self._observers.add(events)
        self._output.show(events, told.lines)
        self._caller.tell(events, lambda name: "" if (download := self._by_id.get(name)) is None else download.path)

    def _keep(self, download: Download, event: DownloadFinished) -> None:
        """Let the cache have what was fetched, and then let an archive go that is not to stay."""
        if self._keeper is not None and event.status == "downloaded":
            self._keeper.put(download, event)
        else:
            self._away.remove(download, event)


def _work_of(decision: Decision) -> Work | None:
    match decision:
        case Fetch():
            return Work(decision.download, untouched=True)
        case Resume():
            return Work(decision.download)
        case Refresh():
            return Work(decision.download, decision.claim, unpacked=decision.unpacked)
        case Unpacking():
            return Work(decision.download, in_place=InPlace(decision.status, decision.reason, decision.claim))
        case UpToDate() | Cached() | Refuse() | Prove():
            return None
        case _:
            assert_never(decision)


def _outcomes_of(decisions: Iterable[Decision], at: float) -> list[Event]:
    return [event for decision in decisions if (event := outcome_of(decision, at))]


def stop_of(number: int, asked: bool = False) -> StopRequested:
    """What a signal asks of a run, or the program that it is in."""
    by = "the program that runs it" if asked else f"signal {int(number)}"
    reason = f"interrupted by {by}; run again to resume"
    return StopRequested(Failure("interrupted", reason), reason)
