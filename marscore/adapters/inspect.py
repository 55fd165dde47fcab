"""Looks at the output folder and decides, with `resolve.reconcile`, what each download needs.

claims + partial keys + one stat for each file --reconcile--> decisions;   Prove --hash, several at once--> decisions
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from marscore.adapters.files import Folder
from marscore.errors import StorageError
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision, Found, Prove, Refuse, proven, reconcile, unchanged
from marscore.state import Claims, key_of


def look(folder: Folder, claims: Claims, downloads: Iterable[Download]) -> list[Decision]:
    """Decide for every download from what the folder holds now, without reading a payload file."""
    partials = folder.partial_keys()
    # In a folder that is not there is no file to ask the system about: a first run makes one look for each folder.
    there: dict[str, bool] = {}
    decisions = []
    for download in downloads:
        path = download.path
        key, parent = key_of(path), path.rpartition("/")[0]
        known = there.get(parent)
        if known is None:
            known = there[parent] = folder.identify(parent) is not None
        file = folder.identify(path) if known else None
        row = claims.row(key)
        usual = unchanged(download, row, file) if row and file and key not in partials else None
        decisions.append(usual or reconcile(download, Found(claims.get(key), file, key in partials)))
    return decisions


def prove(folder: Folder, decisions: Sequence[Decision]) -> list[Decision]:
    """Answer every Prove by hashing the file in place; files are hashed side by side, since hashing holds no lock."""
    questions = [decision for decision in decisions if isinstance(decision, Prove)]
    if not questions:
        return list(decisions)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most runs have nothing to prove

    partials = folder.partial_keys()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda question: _answer(folder, question, partials), questions)
        return [next(answers) if isinstance(decision, Prove) else decision for decision in decisions]


def _answer(folder: Folder, question: Prove, partials: set[str]) -> Decision:
    try:
        found = folder.measure(question.download.path, question.algorithms)
    except StorageError as error:
        return Refuse(question.download, "the file in place cannot be read", error.failure)
    return proven(question, found, key_of(question.download.path) in partials)
