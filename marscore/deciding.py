"""What is in place, and so what is to be done about each download: told by the disk, the state and the cache, while no server is asked.

Downloads + output folder + claims --decide--> decisions      for a run: files are hashed and brought from the cache on the way
                                   --foresee--> decisions     for a look: nothing is changed, and what a run would hash is not hashed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.decisions import look, not_replacing_others, prove, with_modes
from marscore.adapters.files.foreseen import with_kept
from marscore.adapters.files.from_cache import bring_all, cached_sha256
from marscore.events import Event, ProofMade, ProvingStarted, UrlChanged, Warned
from marscore.execute.transfer.protocol import InPlace, Work
from marscore.exhaustive import assert_never
from marscore.frozen import dataclass
from marscore.report.outcome import outcome_of
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
    refusing,
    without_network,
)

if TYPE_CHECKING:
    from marscore.adapters.files.cache import Cache
    from marscore.adapters.files.folder import Folder
    from marscore.adapters.files.tree_records import Changes
    from marscore.adapters.files.trees import Trees
    from marscore.job import Job
    from marscore.state import Claims


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The clock, who is told of events and of readings of progress, and what raises once the run is told to stop."""

    clock: SystemClock
    emit: Callable[[Iterable[Event]], None]
    show: Callable[[ProofMade], None]
    check: Callable[[], None]


def foresee(job: Job, claims: Claims, folder: Folder | None = None) -> list[Decision]:
    """What a run would do now; `folder` is the job's, for who has it."""
    folder = folder or job.output_folder()
    decisions = look(folder, claims, job.downloads)
    if trees := _trees(job, claims, changes="none"):
        decisions = trees.with_archives(trees.before_fetching(decisions))
    if job.cache is not None:
        cache = job.cache.open()
        decisions = [Cached(each.download, "it is in the cache") if cached_sha256(each, cache, job.network) else each for each in decisions]
    return _within_reach(job, with_kept(folder, decisions))


def decide(job: Job, folder: Folder, claims: Claims, cache: Cache | None, around: Surroundings) -> list[Decision]:
    """What this run does, once the files of which it is not known whether they are right were hashed, and the cache gave what it has."""
    decisions = refusing(look(folder, claims, job.downloads), job.refused)
    trees = _trees(job, claims, around.check)
    decisions = decisions if trees is None else trees.before_fetching(decisions)
    decisions = _proven(folder, decisions, around)
    if not job.replaces_others:
        decisions = not_replacing_others(folder, decisions, job.network, _watch(around))
    if cache is not None:
        decisions = _from_cache(job, folder, cache, decisions, around)
    decisions = decisions if trees is None else trees.with_archives(decisions)
    decisions = _within_reach(job, decisions)
    if any(download.options.mode is not None for download in job.downloads):
        decisions = with_modes(folder, decisions)
    others = (decision.download for decision in decisions if isinstance(decision, UpToDate) and decision.of_another_url)
    around.emit(UrlChanged(around.clock.now(), download.id, download.path) for download in others)
    return decisions


def _trees(job: Job, claims: Claims, check: Callable[[], None] = lambda: None, changes: Changes = "written") -> Trees | None:
    """What is unpacked of archives; None where none is to be."""
    if all(download.into is None for download in job.downloads):
        return None
    from marscore.adapters.files.trees import Trees  # noqa: PLC0415 - most runs have none

    return Trees(job.root, claims, job.downloads, check, changes)


def _proven(folder: Folder, decisions: Sequence[Decision], around: Surroundings) -> list[Decision]:
    asked = [decision.file.size for decision in decisions if isinstance(decision, Prove)]
    if asked:
        around.emit([ProvingStarted(around.clock.now(), len(asked), sum(asked))])
    return prove(folder, decisions, _watch(around))


def _watch(around: Surroundings) -> Callable[[int, int], None]:
    return lambda files, count: around.show(ProofMade(around.clock.now(), files, count))


def _from_cache(job: Job, folder: Folder, cache: Cache, decisions: list[Decision], around: Surroundings) -> list[Decision]:
    told: list[str] = []
    decisions = bring_all((folder, cache), decisions, job.network, around.check, told.append)
    around.emit(Warned(around.clock.now(), None, message) for message in told)
    return decisions


def _within_reach(job: Job, decisions: list[Decision]) -> list[Decision]:
    return list(map(without_network, decisions)) if job.network == "offline" else decisions


def work_of(decision: Decision) -> Work | None:
    """What a decision leaves to be done by a worker; None where it needs no transfer."""
    match decision:
        # Of a million files in place first.
        case UpToDate() | Cached() | Refuse() | Prove():
            return None
        case Fetch():
            return Work(decision.download, untouched=True)
        case Resume():
            return Work(decision.download)
        case Refresh():
            return Work(decision.download, decision.claim, unpacked=decision.unpacked)
        case Unpacking():
            return Work(decision.download, in_place=InPlace(decision.status, decision.reason, decision.claim))
        case _:
            assert_never(decision)


def outcomes_of(decisions: Iterable[Decision], at: float) -> list[Event]:
    """The outcomes of those that need no transfer."""
    return [event for decision in decisions if (event := outcome_of(decision, at))]
