"""The composition root: builds the adapters and calls the stages in order.

prepare    text --read--> Manifest --expand--> Downloads                                       (job: manifest, resolve)
publish    Downloads that await checksums + publishers' lists --> Downloads                    (published, by a run of its own)
decide     Downloads + output folder --reconcile--> decisions                                 (deciding: resolve)
Run        decisions --compile--> Plan --supervise workers--> events, told as the log wants them   (running: planning, execute)
           events --> log, progress, report; finished files --> state; then a hook             (report; hooks)

Verbs that do more, or less, than a run are chapters of their own: locking, verifying, asking, exporting, lists.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marscore.adapters.clock import cores
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.files.row_folder import RowFiles
from marscore.adapters.state.lock import hold
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.overlaps import refuse_overlap
from marscore.adapters.terminal.signals import Stop, listening, note
from marscore.caller import NOBODY, Caller
from marscore.deciding import foresee
from marscore.errors import Interrupted, ManifestError, Problem, StorageError, told
from marscore.frozen import dataclass
from marscore.held import place_of_lock
from marscore.job import Job, Rows, prepare
from marscore.manifest.environment import Unset
from marscore.own_folder import own_folder_of, seen_by, state_of, working_in
from marscore.planning.model import compile_plan
from marscore.report.ended import Ended
from marscore.report.record import well_formed
from marscore.resolve.expand import load_in_part
from marscore.resolve.suspicious import told_of
from marscore.running import Run
from marscore.settings import ManifestInput, RunSettings
from marscore.values import OWN_FOLDER

if TYPE_CHECKING:
    from marscore.asking import Asked
    from marscore.exporting import Exported
    from marscore.lists.imported import Imported
    from marscore.lists.model import Format, Secrecy, Target
    from marscore.locking import Locked
    from marscore.long_plan import LongPlan
    from marscore.planning.document import PlanDocument
    from marscore.resolve.locked import Mismatch
    from marscore.verifying import Extra, Fix, Verified


#: Files below `.marscore` that nothing else may be written over.
_STATE = ("state.db", "state.db-wal", "state.db-shm", "lock")


@dataclass(frozen=True, slots=True)
class Validated:
    """A manifest that is right: how many downloads it holds, and what it runs afterwards, fit to be shown, by the key that says so."""

    downloads: int
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: What is right and may be a mistake.
    warnings: tuple[Problem, ...] = ()


def validate(manifest: ManifestInput, settings: RunSettings, unset: Unset = "refused") -> Validated:
    """Check a manifest; with `unset` allowed, names without a value are no error, and what depends on them is not checked.

    Raises:
        ManifestError: it is wrong.
    """
    if unset == "allowed" and manifest.text is not None:
        names, rows = dict(settings.variables), RowFiles(manifest.folder, missing="empty")
        if (least := load_in_part(manifest.text, manifest.source, os.environ, names, rows)) is not None:
            return Validated(least)
    unfetched = Rows(missing="empty")
    job = prepare(manifest, settings, "written", "streamed", unfetched)
    unread = tuple(Problem("", f"the list {each} is not here yet: its rows are not checked") for each in unfetched.unread())
    if job.rows is None:
        return Validated(len(job.downloads), _shown_hooks(job), (*job.suspicions, *unread))
    looked = job.rows.looked or job.rows.look()
    return Validated(looked.count, _shown_hooks(job), (*job.suspicions, *told_of(job.rows.examined.parsed(), looked.bad), *unread))


def _told_of(job: Job) -> list[str]:
    return [told(job.source, each)[0] for each in job.suspicions]


def _shown_hooks(job: Job) -> dict[str, tuple[str, ...]]:
    named = {} if job.hooks is None else job.hooks.named()
    return {name: tuple(map(job.redactor.text, argv)) for name, argv in named.items()}


def plan(manifest: ManifestInput, settings: RunSettings) -> PlanDocument:
    """Say what a run would do now, without fetching or changing anything.

    Raises:
        ManifestError: the manifest is wrong.
        StorageError: the system keeps us from looking.
    """
    return _whole_plan(prepare(manifest, settings), manifest, settings)


def planned(manifest: ManifestInput, settings: RunSettings) -> PlanDocument | LongPlan:
    """The same, for who takes downloads of long lists one after the other.

    Raises:
        ManifestError: as `plan`.
        StorageError: as `plan`, and while the downloads are told.
    """
    prepared = prepare(manifest, settings, lists="streamed")
    if prepared.rows is None:
        return _whole_plan(prepared, manifest, settings)
    from marscore.long_plan import LongPlan  # noqa: PLC0415 - few manifests have long lists

    demand_folder("cannot look at the output folder", prepared.root / OWN_FOLDER)
    return LongPlan(prepared, prepared.rows, _shown_hooks(prepared))


def _whole_plan(prepared: Job, manifest: ManifestInput, settings: RunSettings) -> PlanDocument:
    from marscore.planning.document import document  # noqa: PLC0415 - a model of its own, which a run has no use for

    demand_folder("cannot look at the output folder", prepared.root / OWN_FOLDER)
    job = _with_checksums(prepared, manifest, settings, None)
    seen = seen_by(job)
    compiled = compile_plan(job.execution, foresee(job, seen.claims), cores())
    made = document(compiled, job.name, well_formed(job.output_dir), job.redactor, (*_told_of(job), *seen.warnings))
    return made.model_copy(update=_shown_hooks(job))


def run(manifest: ManifestInput, settings: RunSettings, handle_signals: bool = False, caller: Caller = NOBODY) -> Ended:
    """Carry out a manifest: every download is in place afterwards, or the report says why not.

    Args:
        manifest: what to fetch.
        settings: what the caller wants otherwise than the manifest says.
        handle_signals: take SIGINT, SIGTERM and SIGHUP as the wish to stop in order, which ends the process where no run has begun. For
            command lines; a host program keeps its own.
        caller: the program that runs this, what it hears and how it stops it; where it brings a session, that sends the requests.

    Raises:
        ManifestError: the manifest is wrong; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it, or what `settings` name cannot be written. What stands in
            the way once the folder is held, of the run or of its report, is no error, but the `trouble` of what is returned.
        KeyboardInterrupt: without `handle_signals`, after everything was put in order.
    """
    with listening(handle_signals) as stop, caller.watching(stop):
        rows = _rows(manifest, settings, stop, caller)
        job = prepare(manifest, settings if caller.session is None else replace(settings, processes=1), lists="streamed", rows=rows)
        return _carried_out(job, manifest, settings, stop, caller)


def get(manifest: ManifestInput, settings: RunSettings, overwrite: bool = False, handle_signals: bool = False) -> Ended:
    """Carry out a manifest and leave nothing but its files: what is kept meanwhile goes once they all are in place.

    Args:
        manifest: what to fetch.
        settings: as for a run; a report is written where they name one.
        overwrite: replace files that are there already. Without it they fail their downloads, unless an earlier call fetched them that did
            not come to its end, or a checksum says that they are right.
        handle_signals: as for a run.

    Raises:
        ManifestError: as for a run.
        StorageError: as for a run; or another call fetches one of the files.
        KeyboardInterrupt: as for a run.
    """
    with listening(handle_signals) as stop:
        job = replace(prepare(manifest, settings), leaves="nothing", replaces_others=overwrite)
        if job.store is not None:
            message = "is an object store, and get writes to folders of this machine alone: `marscore run` writes to stores"
            raise ManifestError("--output-dir", (Problem("", message),))
        return _carried_out(job, manifest, settings, stop)


def _carried_out(job: Job, manifest: ManifestInput, settings: RunSettings, stop: Stop, caller: Caller = NOBODY) -> Ended:
    if settings.files or settings.worker_logs is not None:
        refuse_overlap(settings, _files_of(manifest, job, settings), Path(job.root))
        job = _keeping_off(job, settings)
    with Outputs(settings) as outputs, working_in(job) as place:
        job = replace(job, own=place.own)
        outputs.open_log()
        # From here on a report tells how it ended, also where nothing could begin: an earlier run's would be taken for this one's.
        stop.on_signal = note
        if any(download.awaited for download in job.downloads):
            job = _with_checksums(job, manifest, settings, (stop, Caller(caller.session)))
        with contextlib.closing(state_of(job, place, stop)) as state:
            ended = Run(job, outputs, stop, state, place, caller).carry_out()
        place.all_in_place = ended.head.status == "succeeded"
        return ended


def _rows(manifest: ManifestInput, settings: RunSettings, stop: Stop, caller: Caller = NOBODY) -> Rows:
    """How a run has the files of rows that are elsewhere."""
    return Rows(lambda job: _have_lists(job, manifest, settings, (stop, caller)))


def _have_lists(job: Job, manifest: ManifestInput, settings: RunSettings, run_by: tuple[Stop, Caller]) -> None:
    """Have the files of rows that are the job's downloads, which no other run of its folder replaces meanwhile."""
    from marscore import published, row_lists  # noqa: PLC0415 - few manifests name any

    stop, caller = run_by
    before, quiet = stop.on_signal, published.quiet(settings)
    with hold(own_folder_of(job)):
        stop.on_signal = note
        try:
            if caller.session is not None:
                row_lists.refuse_session(job)
            # What a caller's session sends is for the downloads.
            row_lists.have(job, lambda lists: _carried_out(lists, manifest, quiet, stop, Caller()), stop.check)
        except StorageError:
            if stop.signal is None:
                raise
        finally:
            stop.on_signal = before
    if stop.signal is not None:
        raise Interrupted(stop.signal)


def _published(job: Job, manifest: ManifestInput, settings: RunSettings, stop: Stop) -> Job:
    """The job with the checksums that publishers' lists name, for who does not run it."""
    if not any(download.awaited for download in job.downloads):
        return job
    before = stop.on_signal
    with hold(own_folder_of(job)):
        stop.on_signal = note
        try:
            return _with_checksums(job, manifest, settings, (stop, NOBODY))
        finally:
            stop.on_signal = before


def _with_checksums(job: Job, manifest: ManifestInput, settings: RunSettings, run_by: tuple[Stop, Caller] | None) -> Job:
    """The job with the checksums that publishers' lists name, which are fetched under the folder's lock; with None, from what is here."""
    from marscore import published  # noqa: PLC0415 - few manifests name lists

    if run_by is None:
        return published.filled(job, None)
    quiet = published.quiet(settings)
    return published.filled(job, lambda lists: _carried_out(lists, manifest, quiet, *run_by))


def lock(manifest: ManifestInput, settings: RunSettings, upgrade: Iterable[str] = (), handle_signals: bool = False) -> Locked:
    """Write down what each file of a manifest is, in its lock; what is not known yet is fetched as a run would.

    Args:
        manifest: what to lock.
        settings: as for a run.
        upgrade: globs and tags of downloads whose servers are asked anew; the entries of others stay as they are.
        handle_signals: as for a run.

    Raises:
        ManifestError: the manifest is wrong, or the lock that is there.
        StorageError: as for a run; or the lock cannot be written.
        KeyboardInterrupt: as for a run.
    """
    from marscore import locking  # noqa: PLC0415 - what a run has no use for

    settings = replace(settings, hooks="none")
    with listening(handle_signals) as stop:
        publish = functools.partial(_published, manifest=manifest, settings=settings, stop=stop)
        work = locking.Work(publish, lambda job: _carried_out(job, manifest, settings, stop), _rows(manifest, settings, stop))
        return locking.lock(manifest, settings, upgrade, work)


def check_lock(manifest: ManifestInput, settings: RunSettings) -> list[Mismatch]:
    """In what a manifest differs from its lock.

    Raises:
        ManifestError: the manifest or the lock is wrong, or there is no lock.
    """
    from marscore import locking  # noqa: PLC0415 - as above

    return locking.check(manifest, settings)


def diff_lock(manifest: ManifestInput, settings: RunSettings, old: Path) -> list[str]:
    """In what a manifest's lock differs from an older one, a sentence for each path.

    Raises:
        ManifestError: one of them cannot be read, or is none.
    """
    from marscore import locking  # noqa: PLC0415 - as above

    return locking.difference(manifest, settings, old)


def _keeping_off(job: Job, settings: RunSettings) -> Job:
    """The job with downloads that are still to be read kept off the files that the settings name."""
    if job.rows is None:
        return job
    root, named = os.path.realpath(job.root), {}
    for option, path in settings.files:
        place = os.path.realpath(path)
        if place.startswith(os.path.join(root, "")):  # noqa: PTH118 - as below
            named[os.path.relpath(place, root).replace(os.sep, "/")] = f"what {option} names"
    return replace(job, rows=replace(job.rows, named=named))


def _files_of(manifest: ManifestInput, job: Job, settings: RunSettings) -> dict[str, str]:
    """The files that a run reads or makes, by their real paths."""
    root = os.path.realpath(job.root)
    files = {os.path.join(root, download.path): f"the file of {download.id}" for download in job.downloads}  # noqa: PTH118 - may be a million
    files |= {os.path.join(root, path): "a file of the manifest" for path in job.unwanted}  # noqa: PTH118 - as above
    files |= {os.path.join(root, OWN_FOLDER, name): "what the output folder knows of its files" for name in _STATE}  # noqa: PTH118 - as above
    files |= {os.path.realpath(place): "a list of the manifest" for place in job.inputs}
    if manifest.text is not None:
        files[os.path.realpath(manifest.source)] = "the manifest"
    if (lock := settings.lock or place_of_lock(manifest)) is not None:
        files[os.path.realpath(lock)] = "the lock"
    return files


def verify(manifest: ManifestInput | None, settings: RunSettings, extra: Extra = "ignored", fix: Fix = "no") -> Verified:
    """Prove the files in place, without asking a server; with `fix` "yes", fetch those that are missing or wrong.

    Raises:
        ManifestError: the manifest is wrong, or its lock.
        StorageError: the system keeps us from looking, or a run from mending.
    """
    from marscore import verifying  # noqa: PLC0415 - what a run has no use for

    settings = replace(settings, hooks="none")
    with listening(wanted=True) as stop:
        found, job = verifying.verify(manifest, settings, extra)
        if fix == "no" or job is None or manifest is None:
            return found
        return replace(found, ended=verifying.mend(job, found.findings, lambda job: _carried_out(job, manifest, settings, stop)))


def import_list(text: str, source: str, form: Format | None, base: str | None, secrecy: Secrecy = "named") -> Imported:
    """Make a manifest of another program's list of downloads.

    Raises:
        ManifestError: it is none, or of no known format, or `base` is no URL.
    """
    from marscore.lists import imported  # noqa: PLC0415 - what a run has no use for
    from marscore.lists.model import ListError  # noqa: PLC0415 - as above

    try:
        return imported.import_list(text, source, form, base, secrecy)
    except ListError as error:
        raise ManifestError(source, (Problem("", error.message, error.line, None if error.line is None else 1),)) from None
    except ValueError as error:
        raise ManifestError("--base", (Problem("", str(error)),)) from None


def export(manifest: ManifestInput, settings: RunSettings, target: Target) -> Exported:
    """Write a manifest's downloads for another program.

    Raises:
        ManifestError: the manifest is wrong, or its lock.
    """
    from marscore import exporting  # noqa: PLC0415 - as above

    return exporting.export(manifest, settings, target)


def outdated(manifest: ManifestInput, settings: RunSettings) -> Asked:
    """Ask the servers what has changed there since the files were locked or fetched; nothing is fetched or written.

    Raises:
        ManifestError: the manifest is wrong, or its lock.
        StorageError: the system keeps us from looking, or from asking.
        Interrupted: a signal came.
    """
    from marscore import asking  # noqa: PLC0415 - what a run has no use for

    with listening(wanted=True) as stop:
        return asking.ask(manifest, settings, stop)


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document: manifest, lock, outdated, plan, report, validate, verify, or event (one line of the log)."""
    from marscore.report.schema import schema_of  # noqa: PLC0415 - only the verb that prints one needs their makers

    return schema_of(name)
