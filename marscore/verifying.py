"""The files in place, proven: each is hashed and held against the lock, else the manifest, else the state. No server is asked.

manifest, lock, state --Expected--> a look at each file --hashed side by side--> Findings        those that are wrong --a run--> mended
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.below import below
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.measuring import Question, measure_all
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.files.tree_proof import TreeProof
from marscore.adapters.state.store import Seen, claims_at
from marscore.adapters.stores.folder import StoreFolder
from marscore.adapters.stores.state import seen_by as seen_beside
from marscore.adapters.terminal.run_output import make_progress
from marscore.adapters.terminal.signals import told_to_stop
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.destination import Destination
from marscore.errors import ManifestError, Problem, StorageError
from marscore.events import ProofMade, ProvingStarted
from marscore.frozen import dataclass
from marscore.held import lock_of
from marscore.job import Job, prepare
from marscore.own_folder import seen_by
from marscore.policy.retry import Patience
from marscore.published import filled
from marscore.report.ended import Ended
from marscore.resolve.verify import Expected, Finding, at_once, judged, of_downloads, of_folder, of_lock
from marscore.settings import ManifestInput, ProgressMode, RunSettings
from marscore.state import Claims
from marscore.stores import named_output, work_folder
from marscore.values import OWN_FOLDER

Extra: TypeAlias = Literal["ignored", "told"]
Fix: TypeAlias = Literal["no", "yes"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `files` counts all that were looked at, `bytes` what was hashed of them; `findings` are those that are not ok.

    `ended` is the run that was to mend them, if there was one: then `findings` are what was wrong before.
    """

    output_dir: str
    files: int
    bytes: int
    findings: tuple[Finding, ...]
    ended: Ended | None = None


def verify(manifest: ManifestInput | None, settings: RunSettings, extra: Extra) -> tuple[Verified, Job | None]:
    """Prove what is in place; without a manifest, what the lock names, else what the state knows.

    Raises:
        ManifestError: the manifest is wrong, or its lock.
        StorageError: the system keeps us from looking.
    """
    job = None if manifest is None else prepare(manifest, settings)
    place = _place(settings) if job is None else _Place(job.root, job.output_dir, job.output_folder(), functools.partial(seen_by, job))
    demand_folder("cannot look at the output folder", place.root / OWN_FOLDER)
    proof = TreeProof(place.root)
    expected = _expected(None if job is None else filled(job, None), place, settings, proof)
    findings, count = _looked_at(place, expected, settings.progress)
    looked_at = len(expected) + len(proof.findings)
    findings += proof.findings
    if extra == "told":
        known = {each.path for each in expected} | proof.named
        unread: list[str] = []
        findings += [Finding(path, "extra", "nothing names it") for path in place.paths(unread) if path not in known]
        findings += [Finding(path, "unreadable", "the folder cannot be read") for path in unread]
    return Verified(place.shown, looked_at, count, tuple(findings)), job


def mend(job: Job, findings: Sequence[Finding], carry_out: Callable[[Job], Ended]) -> Ended | None:
    """Fetch what is missing or wrong, and nothing else; None where nothing is."""
    wrong = {finding.path: finding for finding in findings if finding.status != "extra"}
    if not wrong:
        return None
    proof = TreeProof(job.root)
    downloads = []
    for download in job.downloads:
        is_torn = download.into is not None and any(_is_in(path, download.into) for path in wrong)
        if download.into is not None and is_torn:
            proof.doubt(download.into)
        if download.path in wrong or is_torn:
            # A file that has changed may look untouched: whatever is known of it, it is fetched.
            keep = download.path not in wrong or wrong[download.path].status == "missing"
            downloads.append(replace(download, options=replace(download.options, if_exists="keep" if keep else "replace")))
    return carry_out(replace(job, downloads=tuple(downloads), not_locked=()))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the files are: the folder that marscore works in, what is shown of it, what holds the files, and what is known of them."""

    root: Path
    shown: str
    folder: Folder
    seen: Callable[[], Seen]

    def paths(self, unread: list[str]) -> Iterable[str]:
        """The paths of all files but marscore's own; `unread` gets those of folders that cannot be read."""
        return self.folder.paths() if isinstance(self.folder, StoreFolder) else _files_below(self.root, unread)


def _place(settings: RunSettings) -> _Place:
    where = named_output(settings)
    if isinstance(where, Destination):
        folder = StoreFolder(work_folder(where).absolute(), where, Patience())
        own = work_folder(where).absolute()
        return _Place(own, where.url(), folder, lambda: seen_beside(folder.objects, own / OWN_FOLDER))
    root = where.absolute()
    return _Place(root, str(root), Folder(root), lambda: claims_at(root / OWN_FOLDER / "state.db"))


def _expected(job: Job | None, place: _Place, settings: RunSettings, proof: TreeProof) -> list[Expected]:
    """All that should be there; `proof` is told of what should be unpacked."""
    claims = place.seen().claims
    if job is not None:
        archives = list(of_downloads(job.downloads, claims))
        proof.of_downloads(job.downloads, claims)
    else:
        archives = _known(place, settings, claims)
        proof.of_records(None if settings.lock is None else {each.path for each in archives})
    folder = place.folder
    return [each for each in archives if each.path not in proof.gone or folder.identify(each.path) is not None] + proof.expected


def _known(place: _Place, settings: RunSettings, claims: Claims) -> list[Expected]:
    if settings.lock is not None:
        lock = lock_of(ManifestInput("-", Path(), text=""), settings)
        assert lock is not None, "a lock that is named is there, or is an error"
        return list(of_lock(lock))
    if not claims:
        message = f"{place.shown} has no state that would say what is there: name a manifest or a lock"
        raise ManifestError("command line", (Problem("", message),))
    return list(of_folder(place.paths([]), claims))


def _looked_at(place: _Place, expected: Sequence[Expected], mode: ProgressMode) -> tuple[list[Finding], int]:
    """All that is wrong, in the order of what was expected; and how many bytes were hashed."""
    folder = place.folder
    identify = folder.looker([each.path for each in expected])
    is_near = not isinstance(folder, StoreFolder)
    found: dict[str, Finding] = {}
    asked: list[Expected] = []
    sizes = 0
    for each in expected:
        file = identify(each.path)
        if file is None and is_near and (reason := _hidden(place.root / each.path)) is not None:
            found[each.path] = Finding(each.path, "unreadable", reason, each.by)
        elif (finding := at_once(each, file)) is not None:
            found[each.path] = finding
        else:
            asked.append(each)
            sizes += file.size if file else 0
    with _progress(mode, len(asked), sizes) as watch:
        answers = measure_all(folder, [Question(each.path, each.algorithms) for each in asked], watch)
    for each, answer in zip(asked, answers, strict=True):
        found[each.path] = judged(each, answer.failure if isinstance(answer, StorageError) else answer)
    return [found[each.path] for each in expected if found[each.path].status != "ok"], sizes


def _hidden(place: Path) -> str | None:
    """Why it cannot be said whether a file is there; None where it is not."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        return f"it cannot be looked at: {getattr(error, 'strerror', None) or error}"
    return None


@contextlib.contextmanager
def _progress(mode: ProgressMode, files: int, size: int) -> Iterator[Callable[[int, int], None]]:
    clock = SystemClock()
    writer = Writer(target_of(sys.stderr), told_to_stop)
    try:
        with make_progress(mode, sys.stderr, writer) as progress:
            progress(ProvingStarted(clock.now(), files, size))
            yield lambda done, count: progress(ProofMade(clock.now(), done, count))
    finally:
        writer.close()


def _files_below(root: Path, unread: list[str]) -> Iterator[str]:
    """The paths of all that is in the folder and is no folder, but for marscore's own, with `/` between their parts.

    `unread` gets those of folders that cannot be read.
    """

    own = f"{OWN_FOLDER}/"

    def note(path: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) and not f"{path}/".startswith(own):
            unread.append(path or ".")

    return (path for path, is_folder in below(root, note) if not is_folder and not path.startswith(own))
