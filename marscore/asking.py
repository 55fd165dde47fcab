"""What has changed on the servers since files were locked or fetched: each is asked about its file, and no body is taken.

lock, else state --Known--> works that ask --workers--> DownloadAsked --standing_of--> Asked     Nothing is fetched or written.
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.failures import naming
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.state.lock import Held
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.run_output import RunOutput
from marscore.adapters.terminal.signals import Stop, note
from marscore.errors import Interrupted, StorageError
from marscore.events import DownloadAsked, DownloadFailed, Event
from marscore.execute.supervisor.messages import Inbox, Told, stop_of
from marscore.execute.transfer.protocol import Work
from marscore.frozen import dataclass
from marscore.held import lock_of
from marscore.job import Job, prepare, read
from marscore.lockfile.model import Lock, LockedFile
from marscore.own_folder import seen_by
from marscore.planning.model import compile_plan
from marscore.published import filled
from marscore.report.fold import RunFacts
from marscore.resolve.model import Download
from marscore.resolve.outdated import Known, Looked, Standing, standing_of
from marscore.settings import ManifestInput, RunSettings
from marscore.state import UNKNOWN_URL, Claim, Claims, FileIdentity, key_of
from marscore.validator import Validator
from marscore.values import OWN_FOLDER, Checksum, Failure
from marscore.version import __version__

_NOTHING = Standing("unknown", "nothing is known of it here: it was neither fetched nor locked")


@dataclass(frozen=True, slots=True)
class Asked:
    """All that was found out, in the manifest's order. `urls` are the downloads' URLs, fit to be shown."""

    source: str
    files: tuple[Looked, ...]
    urls: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0: nothing changed; 1: something did; 3: of no file it could be said."""
        found = {each.standing.status for each in self.files}
        if found & {"changed", "gone"}:
            return 1
        return 0 if "current" in found or not found else 3


def ask(manifest: ManifestInput, settings: RunSettings, stop: Stop) -> Asked:
    """Ask the servers about all downloads of which something is known.

    Raises:
        ManifestError: the manifest is wrong, or its lock.
        StorageError: the system keeps us from looking, or from asking.
        Interrupted: a signal came.
    """
    job = filled(prepare(manifest, settings), None)
    demand_folder("cannot look at the output folder", job.root / OWN_FOLDER)
    claims = seen_by(job).claims
    lock = None if settings.locking == "none" else lock_of(manifest, settings)
    moved = frozenset() if lock is None else _moved(manifest, settings, lock)
    seen = ((download, _known(download, claims, lock, download.id in moved)) for download in job.downloads)
    known = {download.id: found for download, found in seen if found is not None}
    works = [_work(download, known[download.id], claims) for download in job.downloads if download.id in known]
    outcomes = _Asking(job, settings, stop).carry_out(works) if works else {}
    files = tuple(_looked(download, known.get(download.id), outcomes.get(download.id)) for download in job.downloads)
    return Asked(job.source, files, tuple(job.redactor.url(download.url) for download in job.downloads))


def _moved(manifest: ManifestInput, settings: RunSettings, lock: Lock) -> frozenset[str]:
    """The downloads, by id, that come from another URL than when they were locked."""
    from marscore.resolve.typed import as_typed  # noqa: PLC0415 - where there is a lock

    parsed, downloads = read(manifest, settings)
    pairs = zip(downloads, as_typed(parsed, downloads), strict=True)
    return frozenset(each.id for each, typed in pairs if (file := lock.files.get(each.path)) is not None and file.url != typed.url)


def _known(download: Download, claims: Claims, lock: Lock | None, has_moved: bool) -> Known | None:
    """What is known of a file: what the lock says of it, completed by what the state knows of the same bytes.

    Of one that `has_moved`, the content counts: what the lock says besides is another URL's.
    """
    claim = _claim_of(download, claims)
    source = _asked_at(download, claim)
    file = lock.files.get(download.path) if lock is not None and download.held is not None else None
    if file is not None:
        if has_moved or source != download.url:
            file = replace(file, etag=None, last_modified=None)
        return _of_lock(file, download, claim)
    if claim is not None:
        checksums = tuple(dict.fromkeys([*download.checksums, *_checksums_of(claim)]))
        return Known("state", claim.validator_at(source), claim.identity.size, checksums)
    if download.checksums or download.size is not None:
        return Known("manifest", Validator(), download.size, download.checksums)
    return None


def _claim_of(download: Download, claims: Claims) -> Claim | None:
    """What the state knows of the file; of another URL's file this one's server knows nothing."""
    claim = claims.get(key_of(download.path))
    return claim if claim is None or claim.url_key in (UNKNOWN_URL, key_of(download.url)) else None


def _asked_at(download: Download, claim: Claim | None) -> str:
    """The URL that is asked: the first source; of the mirrors that the manifest puts in its place, the one that served the file."""
    if claim is None or download.original is None:
        return download.sources[0]
    return next((source for source in download.sources if claim.validator_at(source)), download.sources[0])


def _of_lock(file: LockedFile, download: Download, claim: Claim | None) -> Known:
    same = claim is not None and f"sha256:{file.sha256}" in claim.digests
    validator = Validator(file.etag, file.last_modified)
    if claim is not None and same and not validator:
        validator = claim.validator_at(_asked_at(download, claim))
    others = _checksums_of(claim) if claim is not None and same else ()
    size = claim.identity.size if claim is not None and same and file.size is None else file.size
    return Known("lock", validator, size, tuple(dict.fromkeys([*download.checksums, *others])))


def _checksums_of(claim: Claim) -> Iterable[Checksum]:
    return tuple(Checksum(*digest.split(":", 1)) for digest in claim.digests)


def _work(download: Download, known: Known, claims: Claims) -> Work:
    """What is known of a file is of one source alone."""
    source = _asked_at(download, _claim_of(download, claims))
    size = -1 if known.size is None else known.size
    digests = tuple(map(str, known.checksums))
    identity = FileIdentity(size, 0, 0)
    claim = Claim(
        key_of(download.path), key_of(download.url), identity, digests, known.validator, durable=False, validator_of=key_of(source)
    )
    only = replace(download, sources=(source,), checksums=(), size=None, awaited=(), held=None)
    return Work(only, claim, untouched=True, purpose="ask")


def _looked(download: Download, known: Known | None, outcome: DownloadAsked | DownloadFailed | None) -> Looked:
    if known is None:
        return Looked(download, _NOTHING)
    if isinstance(outcome, DownloadAsked):
        return Looked(download, standing_of(known, outcome), known, outcome)
    failure = Failure(outcome.kind, outcome.message, outcome.status) if outcome else Failure("internal", "its server was not asked")
    return Looked(download, Standing("failed", failure.message), known, None, failure)


class _Asking:
    """Asks, by a worker in this process."""

    def __init__(self, job: Job, settings: RunSettings, stop: Stop) -> None:
        self._job = job
        self._settings = settings
        self._stop = stop
        self._clock = SystemClock()
        self._outcomes: dict[str, DownloadAsked | DownloadFailed] = {}
        self._output: RunOutput | None = None

    def carry_out(self, works: Sequence[Work]) -> Mapping[str, DownloadAsked | DownloadFailed]:
        """The outcome of each."""
        facts = RunFacts(
            os.urandom(8).hex(), __version__, self._clock.now(), self._job.source, self._job.sha256, self._job.downloads, self._job.name
        )
        with Outputs(self._settings.of_inner_run()) as outputs:
            outputs.open_log()
            with RunOutput(
                outputs, facts, lambda: self._stop.signal is not None, {each.id: each for each in self._job.downloads}
            ) as self._output:
                self._ask(works, self._output)
        if self._stop.signal is not None:
            raise Interrupted(self._stop.signal)
        if self._output.lost is not None:
            raise StorageError(self._output.lost)
        return self._outcomes

    def _ask(self, works: Sequence[Work], output: RunOutput) -> None:
        with naming("cannot load what asks"):
            from marscore.adapters.processes.workers import ProcessWorkerFactory  # noqa: PLC0415 - it takes a tenth of a second
            from marscore.execute.supervisor.supervise import Supervisor  # noqa: PLC0415 - as above
            from marscore.workers import worker_settings  # noqa: PLC0415 - as above

        execution = replace(self._job.execution, processes=1, fail_fast="never")
        plan = compile_plan(execution, (), 1)
        inbox: Inbox = queue.SimpleQueue()
        factory = ProcessWorkerFactory(worker_settings(self._job, plan, output.log), inbox, Held(None))
        before = self._stop.on_signal
        self._stop.on_signal = lambda number: inbox.put(stop_of(number))
        try:
            with contextlib.closing(factory):
                Supervisor(plan, factory, inbox, self._clock, self._take).run(works)
        finally:
            self._stop.on_signal = before if self._stop.signal is None else note

    def _take(self, events: Iterable[Event], told: Told | None = None) -> None:
        for event in events:
            if isinstance(event, DownloadAsked | DownloadFailed):
                self._outcomes[event.download] = event
        if told is not None and self._output is not None:
            self._output.show((), told.lines)
