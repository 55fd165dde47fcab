"""The composition root: builds the adapters and calls the stages in order.

prepare    text --read--> Manifest --expand--> Downloads                          (manifest, resolve)
look       Downloads + output folder --reconcile--> decisions                    (resolve)
run        decisions --compile--> Plan --supervise workers--> events             (plan, execute)
           events --redact--> log, progress, report; finished files --> state    (report)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_never

from marscore.adapters.atomic import write_text
from marscore.adapters.books import Books
from marscore.adapters.clock import SystemClock
from marscore.adapters.credentials import ambient_secrets
from marscore.adapters.files import OWN_FOLDER, Folder, storage_error
from marscore.adapters.inspect import look, prove
from marscore.adapters.lock import hold
from marscore.adapters.outlets import Outlets
from marscore.adapters.signals import Stop, listening
from marscore.adapters.state import SqliteState, claims_at
from marscore.adapters.teller import Teller
from marscore.events import DownloadFailed, DownloadFinished, Event, PlanCompiled, RunStarted, Warned
from marscore.execute.messages import Inbox, StopRequested
from marscore.execute.protocol import Work
from marscore.frozen import dataclass
from marscore.manifest import Execution, Manifest, Parsed, of_manifest
from marscore.planning.model import Plan, compile_plan
from marscore.policy.redact import Redactor
from marscore.report.fold import ReportFold, RunFacts, run_finished
from marscore.report.model import Report
from marscore.report.writers import iter_json
from marscore.resolve.expand import expand, load, load_mapping
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision, Fetch, Prove, Refresh, Refuse, Resume, UpToDate
from marscore.resolve.secrets import secrets_of
from marscore.resolve.select import select
from marscore.settings import ManifestInput, RunSettings
from marscore.values import Failure
from marscore.version import __version__

if TYPE_CHECKING:
    from marscore.planning.document import PlanDocument


@dataclass(frozen=True, slots=True)
class Job:
    """A manifest made ready: everything decided that can be decided without looking at the output folder."""

    name: str | None
    source: str
    sha256: str | None
    execution: Execution
    downloads: tuple[Download, ...]
    root: Path
    redactor: Redactor


def prepare(manifest: ManifestInput, settings: RunSettings) -> Job:
    """Read, check and expand a manifest.

    Raises:
        ManifestError: it is wrong; every problem is told.
    """
    parsed, everything = _read(manifest, settings)
    root = settings.output_dir or manifest.folder / parsed.manifest.output_dir
    return Job(
        name=parsed.manifest.name,
        source=parsed.source,
        sha256=None if manifest.text is None else hashlib.sha256(manifest.text.encode()).hexdigest(),
        execution=_execution(parsed.manifest.execution, settings),
        downloads=select(everything, settings.only) if settings.only else everything,
        # Not resolved: a symbolic link in the path of the output folder is the user's own.
        root=root.absolute(),
        redactor=Redactor({**ambient_secrets(everything), **secrets_of(parsed, everything)}),
    )


def validate(manifest: ManifestInput, settings: RunSettings) -> int:
    """Check a manifest and return how many downloads it holds.

    Raises:
        ManifestError: it is wrong.
    """
    return len(prepare(manifest, settings).downloads)


def plan(manifest: ManifestInput, settings: RunSettings) -> PlanDocument:
    """Say what a run would do now, without fetching or changing anything.

    Raises:
        ManifestError: the manifest is wrong.
    """
    from marscore.planning.document import document  # noqa: PLC0415 - a model of its own, which a run has no use for

    job = prepare(manifest, settings)
    claims = claims_at(job.root / OWN_FOLDER / "state.db")
    decisions = look(Folder(job.root), claims, job.downloads)
    compiled = compile_plan(job.execution, decisions, _cores())
    return document(compiled, job.name, str(job.root), job.redactor)


def run(manifest: ManifestInput, settings: RunSettings, handle_signals: bool = False) -> Report:
    """Carry out a manifest: every download is in place afterwards, or the report says why not.

    Args:
        manifest: what to fetch.
        settings: what the caller wants otherwise than the manifest says.
        handle_signals: take SIGINT, SIGTERM and SIGHUP as the wish to stop in order. For command lines; a host program keeps its own.

    Raises:
        ManifestError: the manifest is wrong; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it.
        KeyboardInterrupt: without `handle_signals`, after everything was put in order.
    """
    with listening(handle_signals) as stop:
        job = prepare(manifest, settings)
        own = job.root / OWN_FOLDER
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, "cannot make the output folder") from error
        with hold(own) as lock, contextlib.closing(SqliteState(own / "state.db")) as state:
            return _Run(job, settings, stop, state, lock).carry_out(raise_interrupt=not handle_signals)


class _Run:
    """One run, under the folder's lock."""

    def __init__(self, job: Job, settings: RunSettings, stop: Stop, state: SqliteState, lock: int | None) -> None:
        self._job = job
        self._settings = settings
        self._stop = stop
        self._state = state
        self._lock = lock
        self._clock = SystemClock()
        self._began = self._clock.ticks()
        self._folder = Folder(job.root)
        self._facts = RunFacts(
            run_id=os.urandom(8).hex(),
            version=__version__,
            started_at=self._clock.now(),
            manifest=job.source,
            manifest_sha256=job.sha256,
            downloads=job.downloads,
            name=job.name,
        )
        self._fold = ReportFold(self._facts, job.redactor)
        self._books = Books(job.root, state, self._folder, self._clock, {d.id: d for d in job.downloads})
        self._outlets = Outlets(settings, self._facts)
        self._teller = Teller(job.redactor, self._outlets.log)

    def carry_out(self, raise_interrupt: bool) -> Report:
        """Do it all, to the written report."""
        interrupted = False
        with self._outlets:
            self._emit(RunStarted(self._clock.now(), self._job.name, self._job.source, str(self._job.root)))
            self._warn()
            try:
                self._fetch(self._plan())
            except KeyboardInterrupt:
                interrupted = True
                self._stop.signal = self._stop.signal or signal.SIGINT
            report = self._finish()
        if interrupted and raise_interrupt:
            raise KeyboardInterrupt
        return report

    def _plan(self) -> Plan:
        decisions = prove(self._folder, look(self._folder, self._books.before, self._job.downloads))
        compiled = compile_plan(self._job.execution, decisions, _cores())
        current = sum(isinstance(decision, UpToDate) for decision in decisions)
        self._emit(PlanCompiled(self._clock.now(), compiled.processes, compiled.threads, compiled.downloads, current))
        for decision in decisions:
            self._settle(decision)
        return compiled

    def _settle(self, decision: Decision) -> None:
        """Tell the outcome of a download that needs no transfer."""
        now, name = self._clock.now(), decision.download.id
        if isinstance(decision, UpToDate):
            file = decision.file
            self._emit(
                DownloadFinished(
                    now, name, "up_to_date", decision.reason, file.size, decision.digests, file.mtime_ns, file.inode, started_at=now
                )
            )
        elif isinstance(decision, Refuse):
            self._emit(DownloadFailed(now, name, decision.failure.kind, decision.failure.message, url=decision.download.url))

    def _fetch(self, compiled: Plan) -> None:
        works = [work for decision in compiled.decisions if (work := _work_of(decision))]
        if not works:
            return
        # requests and all else that sends and receives takes a tenth of a second to import.
        from marscore.adapters.crew import ProcessCrew  # noqa: PLC0415
        from marscore.execute.supervise import Supervisor  # noqa: PLC0415
        from marscore.execute.worker import Share, WorkerSettings  # noqa: PLC0415
        from marscore.execute.writing import Reads  # noqa: PLC0415

        inbox: Inbox = queue.SimpleQueue()
        reads = Reads(compiled.chunk_size, compiled.buffer_size)
        share = Share(compiled.per_host, compiled.max_rate)
        settings = WorkerSettings(
            str(self._job.root),
            compiled.threads,
            reads,
            share,
            secrets=tuple(self._job.redactor.secrets.items()),
            lane=self._job.execution.lane,
            cores=_cores(),
            pipeline=self._job.execution.pipeline,
            log=self._outlets.log,
        )
        crew = ProcessCrew(settings, inbox, self._lock)
        supervisor = Supervisor(compiled, crew, inbox, self._clock, self._take)
        self._stop.on_signal = lambda number: inbox.put(_stop_of(number))
        try:
            supervisor.run(works)
        except KeyboardInterrupt:
            inbox.put(_stop_of(signal.SIGINT))
            supervisor.wind_up()
            raise
        finally:
            self._stop.on_signal = None

    def _finish(self) -> Report:
        self._books.close()
        if self._books.trouble:
            message = f"not all that is in place could be noted ({self._books.trouble}); the next run looks at these files again"
            self._emit(Warned(self._clock.now(), None, message))
        duration = self._clock.ticks() - self._began
        report = self._fold.report(finished_at=self._clock.now(), duration_s=duration, signal=self._stop.signal)
        if report.status == "succeeded" and not self._settings.only:
            self._folder.sweep()
        self._emit(run_finished(report, self._clock.now()))
        path = self._settings.report or self._job.root / OWN_FOLDER / "report.json"
        write_text(path, iter_json(report), "cannot write the report")
        return report.written_to(self._job.redactor.text(os.path.relpath(path)))

    def _warn(self) -> None:
        if self._state.damaged:
            self._emit(Warned(self._clock.now(), None, "the state database was damaged; it is put aside, and files are proven again"))
        for download in self._job.downloads:
            if download.options.verify is False:
                self._emit(Warned(self._clock.now(), download.id, "verify is false: nothing proves whose server this is"))

    def _emit(self, *events: Event) -> None:
        self._take(events)

    def _take(self, events: Iterable[Event], lines: Sequence[str] | None = None) -> None:
        """Add events up and show them; those that come without lines are this process's own, and not fit to be seen yet."""
        if lines is None:
            events, lines = self._teller.tell(events)
        for event in events:
            self._books.note(event)
            self._fold.add(event)
        self._outlets.show(events, lines)


def _work_of(decision: Decision) -> Work | None:
    match decision:
        case Fetch():
            return Work(decision.download, untouched=True)
        case Resume():
            return Work(decision.download)
        case Refresh():
            return Work(decision.download, decision.claim)
        case UpToDate() | Refuse() | Prove():
            return None
        case _:
            assert_never(decision)


def _stop_of(number: int) -> StopRequested:
    reason = f"interrupted by signal {int(number)}; run again to resume"
    return StopRequested(Failure("interrupted", reason), reason)


def _read(manifest: ManifestInput, settings: RunSettings) -> tuple[Parsed, tuple[Download, ...]]:
    variables = dict(settings.variables)
    if manifest.text is not None:
        return load(manifest.text, manifest.source, os.environ, variables)
    if isinstance(manifest.data, Manifest):
        parsed = of_manifest(manifest.data)
        return parsed, expand(parsed)
    return load_mapping(manifest.data, os.environ, variables, manifest.source)


def _execution(execution: Execution, settings: RunSettings) -> Execution:
    given = {"processes": settings.processes, "threads": settings.threads, "max_rate": settings.max_rate}
    return execution.model_copy(update={name: value for name, value in given.items() if value is not None})


def _cores() -> int:
    # The cores that this process may use, not those of the machine: a container often gets fewer.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document: manifest, plan, report, or event (one line of the log)."""
    from marscore.report.schema import schema_of  # noqa: PLC0415 - only the verb that prints one needs their makers

    return schema_of(name)
