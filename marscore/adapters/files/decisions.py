"""Looks at the output folder and decides, with `resolve.reconcile`, what each download needs.

claims + partial keys + one stat for each file --reconcile--> decisions;   Prove --hash, several at once--> decisions
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from marscore.adapters.clock import cores
from marscore.adapters.files.folder import Folder
from marscore.errors import StorageError
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision, Found, Prove, Refuse, proven, reconcile, unchanged, unclaimed
from marscore.state import Claim, Claims, FileIdentity, key_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

#: Seconds between two looks at how far the hashing is.
_LOOK_EVERY = 0.2


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
        decisions.append(usual or reconcile(download, _found(folder, download, claims.get(key), file, key in partials)))
    return decisions


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
    pool: Callable[[int], Executor] | None = None,
) -> list[Decision]:
    """Answer every Prove by hashing the file in place; files are hashed side by side, since hashing holds no lock.

    Args:
        folder: where the files are.
        decisions: those of `look`.
        watch: is told a few times a second how many files, and how many bytes, were hashed. What it raises ends the hashing, as
            KeyboardInterrupt does.
        pool: makes those who hash, at most so many; where they take nothing on, files are hashed here. None: threads.
    """
    questions = [decision for decision in decisions if isinstance(decision, Prove)]
    if not questions:
        return list(decisions)
    answers = iter(_Hashing(folder, pool).answers(questions, watch))
    return [next(answers) if isinstance(decision, Prove) else decision for decision in decisions]


class _StoppedError(Exception):
    """The hashing was told to end."""


class _NoThreadsError(Exception):
    """The system starts no threads, or not enough memory is there for them."""


class _Hashing:
    """Hashes several files at once."""

    def __init__(self, folder: Folder, pool: Callable[[int], Executor] | None) -> None:
        self._folder = folder
        self._pool = pool
        self._partials = folder.partial_keys()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._bytes = 0

    def answers(self, questions: Sequence[Prove], watch: Callable[[int, int], None]) -> list[Decision]:
        try:
            return self._side_by_side(questions, watch)
        except _NoThreadsError:
            self._stopped.clear()
            self._bytes = 0
        answers = []
        for question in questions:
            answers.append(self._answer(question))
            watch(len(answers), self._bytes)
        return answers

    def _side_by_side(self, questions: Sequence[Prove], watch: Callable[[int, int], None]) -> list[Decision]:
        from concurrent.futures import ThreadPoolExecutor, wait  # noqa: PLC0415 - most runs have nothing to prove

        with (self._pool or ThreadPoolExecutor)(min(len(questions), cores())) as pool:
            try:
                asked = [pool.submit(self._answer, question) for question in questions]
            except (RuntimeError, MemoryError):
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise _NoThreadsError from None
            try:
                left = set(asked)
                while left:
                    left = wait(left, _LOOK_EVERY).not_done
                    watch(len(asked) - len(left), self._bytes)
            except BaseException:
                # The pool waits for those that are under way, which end with their next read.
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            return [each.result() for each in asked]

    def _answer(self, question: Prove) -> Decision:
        path = question.download.path
        is_begun = key_of(path) in self._partials
        try:
            found = self._folder.measure(path, question.algorithms, self._seen)
        except StorageError as error:
            if self._folder.identify(path) is None:
                # It went meanwhile.
                return reconcile(question.download, Found(partial=is_begun))
            return Refuse(question.download, "the file in place cannot be read", error.failure)
        return proven(question, found, is_begun)

    def _seen(self, count: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        with self._lock:
            self._bytes += count
