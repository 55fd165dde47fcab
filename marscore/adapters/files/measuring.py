"""Hashes many files side by side, since hashing holds no lock of the interpreter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from marscore.adapters.files.folder import Folder
from marscore.adapters.files.side_by_side import SideBySide
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import Measured


@dataclass(frozen=True, slots=True)
class Question:
    """A file and the algorithms to hash it with."""

    path: str
    algorithms: tuple[str, ...]


def measure_all(
    folder: Folder,
    questions: Sequence[Question],
    watch: Callable[[int, int], None] = lambda files, count: None,
    threads: int | None = None,
) -> list[Measured | StorageError]:
    """What was found out of each file, or why it could not be read, in the order of the questions.

    Args:
        folder: where the files are.
        questions: what to hash.
        watch: is told a few times a second how many files, and how many bytes, were hashed. What it raises ends the hashing, as
            KeyboardInterrupt does.
        threads: how many hash, at most; 0: this one. None: as many as there are cores.
    """
    counted = 0
    lock = threading.Lock()

    def seen(count: int) -> None:
        nonlocal counted
        hashing.check()
        with lock:
            counted += count

    def measured(question: Question) -> Measured | StorageError:
        try:
            return folder.measure(question.path, question.algorithms, seen)
        except StorageError as error:
            return error

    hashing: SideBySide[Question, Measured | StorageError] = SideBySide(questions, measured)
    return hashing.results(lambda: watch(hashing.done, counted), threads)
