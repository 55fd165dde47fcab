"""Hashes many files side by side: hashing holds no lock of the interpreter, and each thread takes the next file when one is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from marscore.adapters.clock import cores
from marscore.adapters.files.folder import Folder
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import Measured

#: Seconds between two looks at how far the hashing is.
_LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """A file and the algorithms to hash it with."""

    path: str
    algorithms: tuple[str, ...]


def measure_all(
    folder: Folder, questions: Sequence[Question], watch: Callable[[int, int], None] = lambda files, count: None
) -> list[Measured | StorageError]:
    """What was found out of each file, or why it could not be read, in the order of the questions.

    Args:
        folder: where the files are.
        questions: what to hash.
        watch: is told a few times a second how many files, and how many bytes, were hashed. What it raises ends the hashing, as
            KeyboardInterrupt does.
    """
    hashing = _Hashing(folder, questions)
    threads = hashing.threads(min(len(questions), cores()))
    try:
        if not threads:
            hashing.work(lambda: watch(hashing.files, hashing.bytes))
        while any(thread.is_alive() for thread in threads):
            hashing.over.wait(_LOOK_EVERY)
            watch(hashing.files, hashing.bytes)
    finally:
        # They end with their next read.
        hashing.stopped = True
        for thread in threads:
            thread.join()
    return hashing.answers()


class _StoppedError(Exception):
    """The hashing was told to end."""


class _Hashing:
    """The questions, taken one by one, and their answers."""

    def __init__(self, folder: Folder, questions: Sequence[Question]) -> None:
        self._folder = folder
        self._left = iter(enumerate(questions))
        self._answers: list[Measured | StorageError | None] = [None] * len(questions)
        self._lock = threading.Lock()
        self._at_work = 0
        self._defect: BaseException | None = None
        self.files = self.bytes = 0
        self.stopped = False
        self.over = threading.Event()

    def threads(self, most: int) -> list[threading.Thread]:
        """Start as many threads as the system has for it."""
        started = []
        for _ in range(most):
            thread = threading.Thread(target=self._thread, name="marscore-prove", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                break
            started.append(thread)
        return started

    def work(self, after_each: Callable[[], None] = lambda: None) -> None:
        """Answer questions until there are none."""
        while (task := self._take()) is not None:
            number, question = task
            answer: Measured | StorageError
            try:
                answer = self._folder.measure(question.path, question.algorithms, self._seen)
            except StorageError as error:
                answer = error
            self._answers[number] = answer
            with self._lock:
                self.files += 1
            after_each()

    def answers(self) -> list[Measured | StorageError]:
        """All answers."""
        if self._defect is not None:
            raise self._defect
        return [answer for answer in self._answers if answer is not None]

    def _thread(self) -> None:
        with self._lock:
            self._at_work += 1
        try:
            self.work()
        except _StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self._defect = error
            self.stopped = True
        with self._lock:
            self._at_work -= 1
            if not self._at_work:
                self.over.set()

    def _take(self) -> tuple[int, Question] | None:
        with self._lock:
            return None if self.stopped else next(self._left, None)

    def _seen(self, count: int) -> None:
        if self.stopped:
            raise _StoppedError
        with self._lock:
            self.bytes += count
