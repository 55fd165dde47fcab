"""The files in place, proven: each is hashed and held against the lock, else the manifest, else the state. No server is asked.

manifest, lock, state --Expected--> a look at each file --hashed side by side--> Findings        those that are wrong --a run--> mended
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.below import below
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.measuring import Question, measure_all
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.files.tree_proof import TreeProof
from marscore.adapters.state.store import claims_at
from marscore.adapters.terminal.run_output import make_progress
from marscore.adapters.terminal.signals import told_to_stop
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.errors import ManifestError, Problem, StorageError
from marscore.events import ProofMade, ProvingStarted
from marscore.frozen import dataclass
from marscore.held import lock_of
from marscore.job import Job, prepare
from marscore.published import filled
from marscore.report.ended import Ended
from marscore.resolve.verify import Expected, Finding, at_once, judged, of_downloads, of_folder, of_lock
from marscore.settings import ManifestInput, ProgressMode, RunSettings
from marscore.state import Claims
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
    root = job.root if job is not None else Path(settings.output_dir or "output").absolute()
    demand_folder("cannot look at the output folder", root / OWN_FOLDER)
    proof = TreeProof(root)
    expected = _expected(None if job is None else filled(job, None), root, settings, proof)
    findings, count = _looked_at(root, expected, settings.progress)
    looked_at = len(expected) + len(proof.findings)
    findings += proof.findings
    if extra == "told":
        known = {each.path for each in expected} | proof.named
        unread: list[str] = []
        findings += [Finding(path, "extra", "nothing names it") for path in _files_below(root, unread) if path not in known]
        findings += [Finding(path, "unreadable", "the folder cannot be read") for path in unread]
    return Verified(str(root), looked_at, count, tuple(findings)), job


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


def _expected(job: Job | None, root: Path, settings: RunSettings, proof: TreeProof) -> list[Expected]:
    """All that should be there; `proof` is told of what should be unpacked."""
    claims = claims_at(root / OWN_FOLDER / "state.db").claims
    if job is not None:
        archives = list(of_downloads(job.downloads, claims))
        proof.of_downloads(job.downloads, claims)
    else:
        archives = _known(root, settings, claims)
        proof.of_records(None if settings.lock is None else {each.path for each in archives})
    folder = Folder(root)
    return [each for each in archives if each.path not in proof.gone or folder.identify(each.path) is not None] + proof.expected


def _known(root: Path, settings: RunSettings, claims: Claims) -> list[Expected]:
    if settings.lock is not None:
        lock = lock_of(ManifestInput("-", Path(), text=""), settings)
        assert lock is not None, "a lock that is named is there, or is an error"
        return list(of_lock(lock))
    if not claims:
        message = f"{root} has no state that would say what is there: name a manifest or a lock"
        raise ManifestError("command line", (Problem("", message),))
    return list(of_folder(_files_below(root, []), claims))


def _looked_at(root: Path, expected: Sequence[Expected], mode: ProgressMode) -> tuple[list[Finding], int]:
    """All that is wrong, in the order of what was expected; and how many bytes were hashed."""
    folder = Folder(root)
    found: dict[str, Finding] = {}
    asked: list[Expected] = []
    sizes = 0
    for each in expected:
        file = folder.identify(each.path)
        if file is None and (reason := _hidden(root / each.path)) is not None:
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
