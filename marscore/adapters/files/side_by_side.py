"""Does something to each of many files side by side: a thread takes the next one when it is done with one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from marscore.adapters.clock import cores

#: Seconds between two looks at how far it is.
_LOOK_EVERY = 0.2

_T = TypeVar("_T")
_R = TypeVar("_R")


class StoppedError(Exception):
    """What is done is not wanted any more."""


class SideBySide(Generic[_T, _R]):
    """Calls `act` with each item; it may ask `check` now and then whether to go on."""

    def __init__(self, items: Sequence[_T], act: Callable[[_T], _R]) -> None:
        self._left = iter(enumerate(items))
        self._count = len(items)
        self._act = act
        self._results: dict[int, _R] = {}
        self._lock = threading.Lock()
        self._defect: BaseException | None = None
        self._stopped = False
        self._over = threading.Event()

    @property
    def done(self) -> int:
        """How many items are done with."""
        return len(self._results)

    def check(self) -> None:
        """Raise StoppedError where nobody wants it any more."""
        if self._stopped:
            raise StoppedError

    def results(self, watch: Callable[[], None], threads: int | None = None) -> list[_R]:
        """What `act` returned for each item, in their order; what it raises is raised here, and ends the others.

        `watch` is called a few times a second. What it raises ends it all, as KeyboardInterrupt does. `threads` is how many do it, at most;
        0: this one. None: as many as there are cores.
        """
        started = self._started(min(self._count, cores() if threads is None else threads))
        try:
            if not started:
                self._work(watch)
            while any(thread.is_alive() for thread in started):
                self._over.wait(_LOOK_EVERY)
                watch()
        finally:
            self._stopped = True
            for thread in started:
                thread.join()
        if self._defect is not None:
            raise self._defect
        return [self._results[number] for number in range(self._count)]

    def _started(self, most: int) -> list[threading.Thread]:
        """As many threads as the system has for it."""
        threads: list[threading.Thread] = []
        for _ in range(most):
            thread = threading.Thread(target=self._thread, name="marscore-files", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                break
            threads.append(thread)
        return threads

    def _thread(self) -> None:
        try:
            self._work(lambda: None)
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self._defect, self._stopped = error, True
        if self.done == self._count or self._stopped:
            self._over.set()

    def _work(self, after_each: Callable[[], None]) -> None:
        while (task := self._take()) is not None:
            number, item = task
            self._results[number] = self._act(item)
            after_each()

    def _take(self) -> tuple[int, _T] | None:
        with self._lock:
            return None if self._stopped else next(self._left, None)
