"""Looks at the output folder and decides, with `resolve.reconcile`, what each download needs.

claims + partial keys + one stat for each file --reconcile--> decisions;   Prove --hash, several at once--> decisions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from marscore.adapters.files.folder import Folder
from marscore.adapters.files.measuring import Question, measure_all
from marscore.errors import StorageError
from marscore.resolve.model import Download
from marscore.resolve.reconcile import (
    Decision,
    Found,
    Prove,
    Refresh,
    Refuse,
    Unpacking,
    UpToDate,
    in_the_way,
    not_replacing,
    proven,
    reconcile,
    unchanged,
    unclaimed,
)
from marscore.settings import Network
from marscore.state import Claim, Claims, FileIdentity, Measured, key_of


def look(folder: Folder, claims: Claims, downloads: Sequence[Download]) -> list[Decision]:
    """Decide for every download from what the folder holds now, without reading a payload file."""
    partials = folder.partial_keys()
    identify = folder.looker([download.path for download in downloads if download.bad is None])
    decisions: list[Decision] = []
    for download in downloads:
        if download.bad is not None:
            # Its path is a name for people, and nothing of it is looked at.
            decisions.append(reconcile(download, Found()))
            continue
        path = download.path
        key, file = key_of(path), identify(path)
        row = claims.row(key)
        usual = unchanged(download, row, file) if row and file and key not in partials else None
        decisions.append(
            usual or reconcile(_replacing(folder, download, file), _found(folder, download, claims.get(key), file, key in partials))
        )
    return decisions


def _replacing(folder: Folder, download: Download, file: FileIdentity | None) -> Download:
    return replace(download, replaces=file) if folder.compares and file != download.replaces else download


def _found(folder: Folder, download: Download, claim: Claim | None, file: FileIdentity | None, partial: bool) -> Found:
    if file and partial and (claim is None or claim.identity != file):
        # A run was killed between the rename and its claim. What its journal says is that claim, to be proven in place.
        journal = folder.finished(download.path)
        claim = unclaimed(download, file, journal) if journal else claim
    return Found(claim, file, partial)


def prove(
    folder: Folder,
    decisions: Sequence[Decision],
    watch: Callable[[int, int], None] = lambda files, count: None,
    threads: int | None = None,
) -> list[Decision]:
    """Answer every Prove by hashing the file in place; files are hashed side by side, since hashing holds no lock.

    Args:
        folder: where the files are.
        decisions: those of `look`.
        watch: is told a few times a second how many files, and how many bytes, were hashed. What it raises ends the hashing, as
            KeyboardInterrupt does.
        threads: how many hash, at most; 0: this one. None: as many as there are cores.
    """
    questions = [decision for decision in decisions if isinstance(decision, Prove)]
    if not questions:
        return list(decisions)
    asked = [Question(question.download.path, question.algorithms) for question in questions]
    partials = folder.partial_keys()
    answers = iter(zip(questions, measure_all(folder, asked, watch, threads), strict=True))
    return [_answered(folder, partials, *next(answers)) if isinstance(decision, Prove) else decision for decision in decisions]


def _answered(folder: Folder, partials: set[str], question: Prove, found: Measured | StorageError) -> Decision:
    path = question.download.path
    is_begun = key_of(path) in partials
    if not isinstance(found, StorageError):
        return proven(replace(question, download=_replacing(folder, question.download, found.identity)), found, is_begun)
    if folder.identify(path) is None:
        # It went meanwhile.
        return reconcile(_replacing(folder, question.download, None), Found(partial=is_begun))
    return Refuse(question.download, "the file in place cannot be read", found.failure)


def not_replacing_others(
    folder: Folder, decisions: Sequence[Decision], network: Network, watch: Callable[[int, int], None]
) -> list[Decision]:
    """Keep every file as it is that no earlier run is known to have put there; those that nothing is known to be wrong with are hashed.

    `watch`: as in `prove`.
    """
    ways = [decision for decision in decisions if in_the_way(decision, folder.identify(decision.download.path))]
    asked = [way for way in ways if not way.download.checksums and network == "used"]
    answers = measure_all(folder, [Question(way.download.path, ("sha256",)) for way in asked], watch) if asked else []
    found = {id(way): answer for way, answer in zip(asked, answers, strict=True) if not isinstance(answer, StorageError)}
    standing = {id(way): not_replacing(way, found.get(id(way)), network == "offline") for way in ways}
    return [standing.get(id(decision), decision) for decision in decisions]


def with_modes(folder: Folder, decisions: Sequence[Decision]) -> list[Decision]:
    """Give the files that stay in place the modes that the manifest wants; what the system refuses fails its download."""
    return [decision if decision.download.options.mode is None else _with_mode(folder, decision) for decision in decisions]


def _with_mode(folder: Folder, decision: Decision) -> Decision:
    download = decision.download
    # One that goes once it is unpacked has none.
    if not isinstance(decision, UpToDate | Refresh | Unpacking) or download.options.mode is None or not download.stays:
        return decision
    try:
        changed = folder.set_mode(download.path, download.options.mode)
    except StorageError as error:
        return Refuse(download, "the file in place has another mode", error.failure)
    return replace(decision, reason=f"{decision.reason}; its mode was set") if changed else decision
