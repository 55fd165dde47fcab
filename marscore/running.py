"""One run, under its folder's lock: decisions --compile--> Plan --supervise workers--> events --> log, progress, report, state.

This file is longer than the house's 300 lines, since the order of a run, to its report and its hook, is to be read in one place.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from marscore import deciding
from marscore.adapters.clock import SystemClock, cores
from marscore.adapters.files.failures import naming
from marscore.adapters.files.from_cache import Keeper
from marscore.adapters.files.kept import kept_of
from marscore.adapters.files.put_away import PutAway, remove_unfinished
from marscore.adapters.files.reserve import Reserve
from marscore.adapters.files.spool import FileSpool
from marscore.adapters.records import RecordMaker
from marscore.adapters.state.claim_writer import ClaimWriter
from marscore.adapters.state.workplace import Workplace
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.run_output import RunOutput
from marscore.adapters.terminal.signals import Stop, StopAsked, note
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.at_store import AtStore
from marscore.caller import NOBODY, Caller
from marscore.deciding import outcomes_of, work_of
from marscore.delivering import Delivery
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
from marscore.execute.supervisor.handles import Desk
from marscore.execute.supervisor.messages import Inbox, Told, stop_of
from marscore.execute.transfer.protocol import Work
from marscore.hooks import Surroundings, after
from marscore.job import Job
from marscore.observing import Observers
from marscore.own_folder import State
from marscore.planning.model import MANY, Plan, compile_plan, looking_processes
from marscore.report.ended import Ended
from marscore.report.fold import ReportFold, RunFacts, run_finished
from marscore.report.record import well_formed
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision, UpToDate
from marscore.staffing import staff_of
from marscore.values import Failure
from marscore.version import __version__

if TYPE_CHECKING:
    from marscore.execute.worker.setup import WorkerSettings
    from marscore.feeding import AheadSettings, Chunk, Chunks
    from marscore.resolve.streamed import Streamed

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
        self._caller = caller
        self._reserve: Reserve | None = None
        self._staff = staff_of(job, place.lock, caller.session)
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
        #: The downloads by id: all, or, of those that are read while the run goes on, those without an outcome.
        self._by_id = {download.id: download for download in job.downloads}
        self._claims = ClaimWriter(state, self._folder, self._clock, self._by_id)
        self._output = RunOutput(outputs, self._facts, lambda: stop.signal is not None, self._by_id)
        self._lines = replace(self._output.log, tells=caller.hears)
        self._records = RecordMaker(job.redactor, self._lines, self._by_id)
        self._fold = ReportFold(self._facts, job.redactor, lambda: FileSpool(job.root / job.own), self._records.redactor_of)
        self._observers = Observers(job, outputs, self._facts, self._clock, self._began, self._by_id)
        self._claims.urls_of_cached = job.cache is not None and job.cache.match == "url"
        self._away = PutAway(self._folder)
        self._cache = None if job.cache is None else job.cache.open()
        self._keeper = None if self._cache is None else Keeper(self._cache, self._folder, self._away.remove)
        self._at_store = AtStore(place, state, self._folder, stop, self._warn_that)
        self._delivery = Delivery(job, self._folder, self._fold, outputs, self._output, stop, self._at_store, self._warn_that)
        #: Why a list could not be read to its end.
        self._unread: Failure | None = None
        #: The paths of files that were cut short by a signal.
        self._interrupted: list[str] = []
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
                    self._fetch(compiled, [work for decision in compiled.decisions if (work := work_of(decision))])
                else:
                    self._stream(self._job.rows)
                trouble = self._staff.trouble
            except KeyboardInterrupt as error:
                self._stop.signal = self._stop.signal or signal.SIGINT
                # One of the host's own is raised in the end, whatever was asked before.
                self._stop.asked = isinstance(error, StopAsked)
            except StorageError as error:
                trouble = error.failure
            ended = self._finish(trouble)
        # The last lines of the log are known to be written now, or not to be.
        ended = self._delivery.told_of_the_log(ended)
        if self._stop.signal is not None and not self._stop.handled and not self._stop.asked:
            raise KeyboardInterrupt
        return ended

    def _plan(self) -> Plan:
        with self._stop.interrupting():
            known = self._claims.before
            self._warn_of_the_state()
            around = deciding.Surroundings(self._clock, self._take, self._proving, self._stop.check)
            decisions = deciding.decide(self._job, self._folder, known, self._cache, around)
        compiled = self._compiled(decisions)
        current = sum(isinstance(decision, UpToDate) for decision in decisions)
        self._emit(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, compiled.downloads, current))
        # Many at a time, and not all at once, since there may be a million.
        for start in range(0, len(decisions), _BATCH):
            self._stop.check()
            self._close(decisions[start : start + _BATCH])
        return compiled

    def _compiled(self, decisions: Sequence[Decision], further: int = 0) -> Plan:
        """The plan for the decisions, and for so many further downloads; who carries it out is reached where there is work for it."""
        some = bool(further) or any(map(work_of, decisions))
        execution = self._staff.reach(self._facts.run_id, self._stop) if some else self._job.execution
        compiled = compile_plan(execution, decisions, cores(), further)
        if told := self._staff.unused(compiled):
            self._warn_that(told)
        return compiled

    def _stream(self, rows: Streamed) -> None:
        """Fetch what is read while that goes on. As long as all is in place there is no need of a worker."""
        from marscore.feeding import Chunks  # noqa: PLC0415 - few runs have long lists

        around = deciding.Surroundings(self._clock, self._take, self._proving, self._stop.check)
        with contextlib.closing(Chunks(self._job, self._state, around, self._ahead(rows))) as chunks:
            self._stream_chunks(rows, chunks)
        if self._unread is not None:
            raise StorageError(self._unread)

    def _ahead(self, rows: Streamed) -> AheadSettings | None:
        """Who looks at files ahead of the run; nobody, where each is to be seen or told of by itself, or is an object of a store."""
        from marscore.adapters.processes.looking import look_settings  # noqa: PLC0415 - few runs have long lists
        from marscore.feeding import AheadSettings  # noqa: PLC0415 - likewise

        job, count = self._job, looking_processes(self._job.execution, cores())
        if self._sees_each or not self._unchanged.has_forms or job.store is not None or not count:
            return None
        return AheadSettings(count, look_settings(rows.examined, job.root, job.own, job.redactor, self._output.log))

    @property
    def _sees_each(self) -> bool:
        """Whether somebody wants to see the events of each file: where progress is drawn, or a program listens."""
        return self._output.draws or self._caller.hears is not None

    def _stream_chunks(self, rows: Streamed, chunks: Chunks) -> None:
        works: Sequence[Work] = ()
        over: Literal["yes", "no"] = "no"
        while not works and over == "no":
            with self._stop.interrupting():
                chunk = chunks.next()
            works, over = self._take_chunk(chunk), "yes" if chunk is None else "no"
        compiled = self._compiled((), MANY if works else 0)
        in_place = self._fold.totals.up_to_date
        self._emit(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, rows.count or self._fold.expected, in_place))
        self._fetch(compiled, works, chunks)
        self._fold.add(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, self._fold.expected, in_place))

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
        if chunk.looked:
            self._fold.expect_beside([None if found is None else found[2] for found in chunk.looked], chunk.downloads)
        else:
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
        if lines := [found[1] for found in chunk.looked if found is not None]:
            self._observers.add_in_place(len(lines))
            self._output.show((), self._unchanged.shown(lines, self._clock.now()))
        for start in range(0, len(chunk.decisions), _BATCH):
            self._close(chunk.decisions[start : start + _BATCH], chunk.secrets)
        works = [work for decision in chunk.decisions if (work := work_of(decision))]
        works = [replace(work, secrets=own) if (own := chunk.secrets.get(work.download.id)) else work for work in works]
        return self._with_requests(works)

    def _with_requests(self, works: Sequence[Work]) -> Sequence[Work]:
        """The works, told to tell of their requests where a trace or the log on standard error wants them."""
        wanted: set[Literal["traced", "logged"]] = {"traced"} if self._observers.traces else set()
        if self._outputs.settings.log_level == "debug":
            wanted.add("logged")
        return [replace(work, requests=frozenset(wanted)) for work in works] if wanted else works

    def _proving(self, reading: ProofMade) -> None:
        self._stop.check()
        self._output.show([reading], ())

    def _close(self, decisions: Sequence[Decision], guarded: Container[str] = ()) -> None:
        """Tell of those that need no transfer; the downloads of these ids have secrets that only `RecordMaker` knows."""
        now = self._clock.now()
        noted = [each for each in decisions if isinstance(each, UpToDate) and each.noted and each.download.id not in guarded]
        others = [each for each in decisions if not (isinstance(each, UpToDate) and each.noted and each.download.id not in guarded)]
        outcomes = outcomes_of(others, now)
        for event in outcomes:
            self._claims.note(event)
            if isinstance(event, DownloadFinished) and event.unpacked is not None:
                self._away.remove(self._claims.download(event.download), event)
        at_once = None if self._sees_each else self._unchanged.tell(noted, now)
        if at_once:
            self._fold.add_in_place(at_once.entries)
            self._observers.add_in_place(len(at_once.entries))
            self._output.show((), at_once.lines)
        else:
            outcomes = outcomes_of(decisions, now)
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
        works = self._with_requests(works)
        self._reserve = Reserve(self._job.root / self._job.own, MANY if chunks else len(self._job.downloads))
        inbox: Inbox = queue.SimpleQueue()
        factory, supervisor = self._staff.hired(compiled, self._worker_settings(compiled), Desk(inbox, self._clock, self._take))
        feeder = None
        if chunks is not None:
            from marscore.feeding import Feeder  # noqa: PLC0415 - few runs have long lists

            feeder = Feeder(chunks, inbox, self._take_chunk)
        self._stop.on_signal = lambda number: inbox.put(stop_of(number, self._stop.asked))
        self._stop.check()
        self._at_store.watch(inbox)
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

    def _worker_settings(self, compiled: Plan) -> WorkerSettings:
        with naming("cannot load what fetches"):
            from marscore.workers import worker_settings  # noqa: PLC0415 - it brings what workers need

        return replace(
            worker_settings(self._job, compiled, self._lines),
            output_identity=self._folder.identity,
            progress="shared" if self._output.draws or self._observers.looks else "none",
        )

    def _finish(self, trouble: Failure | None) -> Ended:
        """Put everything in order; `trouble` is what stood in the way of the run itself."""
        if self._reserve is not None:
            self._reserve.release()
        self._staff.close(self._fold.exit_code() == 0)
        self._claims.close()
        trouble = trouble or self._at_store.leave_state()
        self._close_cache()
        if self._folder.is_there and self._job.leaves == "state":
            remove_unfinished(self._job.root, lambda: self._stop.signal is None)
        self._emit(*(Warned(self._clock.now(), None, message) for message in self._away.left))
        self._warn_of_the_state()
        if trouble:
            self._fold.break_off(trouble)
            self._warn_that(trouble.message)
        if self._claims.trouble:
            message = f"not all that is in place could be noted ({self._claims.trouble}); the next run looks at these files again"
            self._warn_that(message)
        forgotten = self._claims.clear(all_in_place=self._fold.exit_code(self._stop.signal) == 0)
        if forgotten:
            self._warn_that(forgotten)
        duration = self._clock.ticks() - self._began
        head = self._fold.head(finished_at=self._clock.now(), duration_s=duration, signal=self._stop.signal)
        ended = self._hooked(self._delivery.deliver(head, trouble))
        if ended.head.status == "interrupted":
            ended = replace(ended, kept=kept_of(self._folder, self._interrupted))
        finished = run_finished(ended.head, self._clock.now(), self._delivery.reported_to, well_formed(self._job.output_dir))
        # What goes wrong with them is told before the last word.
        for message in self._observers.finish(finished, self._delivery.write_through):
            self._warn_that(message)
        self._emit(finished)
        return ended

    def _hooked(self, ended: Ended) -> Ended:
        if self._job.hooks is None:
            return ended
        around = Surroundings(self._stop, self._clock, self._job.output_dir, self._delivery.report, self._emit, self._output.still)
        ended = after(ended, self._job.hooks, around)
        return ended if ended.hook is None else replace(ended, hook=self._job.redactor.text(ended.hook))

    def _close_cache(self) -> None:
        if self._keeper is None or self._cache is None or self._job.cache is None:
            return
        self._keeper.close(lambda: self._stop.signal is not None)
        if self._keeper.trouble:
            self._warn_that(f"not all that was fetched is in the cache: {self._keeper.trouble}")
        if self._job.cache.max_size is not None and self._stop.signal is None:
            with contextlib.suppress(OSError):
                self._cache.prune(self._job.cache.max_size, None, self._clock.now())

    def _warn_of_the_state(self) -> None:
        while self._state.warnings:
            self._warn_that(self._state.warnings.pop(0))

    def _warn(self) -> None:
        self._warn_of_the_state()
        self._emit(*(Warned(self._clock.now(), None, told(self._job.source, each)[0]) for each in self._job.suspicions))
        self._warn_of(self._job.downloads)

    def _warn_of(self, downloads: Iterable[Download]) -> None:
        for download in downloads:
            if download.options.verify is False:
                self._emit(Warned(self._clock.now(), download.id, "verify is false: nothing proves whose server this is"))

    def _warn_that(self, message: str) -> None:
        self._emit(Warned(self._clock.now(), None, message))

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
        self._output.show(events, told.lines, told.worker)
        self._caller.tell(events, lambda name: "" if (download := self._by_id.get(name)) is None else download.path)

    def _keep(self, download: Download, event: DownloadFinished) -> None:
        """Let the cache have what was fetched, and then let an archive go that is not to stay."""
        if self._keeper is not None and event.status == "downloaded":
            self._keeper.put(download, event)
        else:
            self._away.remove(download, event)
