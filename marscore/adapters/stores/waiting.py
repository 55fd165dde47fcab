"""Asks a store from a thread of its own, so that a signal is heard meanwhile, and so that nobody waits for it longer than he wants to.

obstore holds the thread that calls it until the store has answered or is given up, which takes minutes at worst.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from marscore.errors import StorageError
from marscore.values import Failure

_T = TypeVar("_T")
_R = TypeVar("_R")
#: Seconds between two looks whether it is still wanted.
_LOOK_EVERY = 0.1
#: Requests at once that only look: each waits for its answer.
_SIDE_BY_SIDE = 32


def patiently(act: Callable[[], _R], check: Callable[[], None] = lambda: None, seconds: float | None = None) -> _R:
    """Return what `act` returns or raise what it raises.

    Args:
        act: asks the store.
        check: is called now and then; what it raises ends the wait, as a signal does.
        seconds: how long it is waited for, at most.

    Raises:
        StorageError: it takes longer than that.
    """
    return each([0], lambda _: act(), check, seconds)[0]


def each(items: Sequence[_T], act: Callable[[_T], _R], check: Callable[[], None] = lambda: None, seconds: float | None = None) -> list[_R]:
    """The same for each of the items, many at once; the results in their order."""
    left = iter(list(enumerate(items)))
    told: queue.SimpleQueue[tuple[int, _R | None, BaseException | None]] = queue.SimpleQueue()
    lock, over = threading.Lock(), threading.Event()

    def work() -> None:
        while not over.is_set():
            with lock:
                task = next(left, None)
            if task is None:
                return
            try:
                told.put((task[0], act(task[1]), None))
            except BaseException as error:  # noqa: BLE001 - who waits for it gets it
                told.put((task[0], None, error))

    try:
        _start(work, min(len(items), _SIDE_BY_SIDE))
        return _gathered(told, len(items), check, None if seconds is None else time.monotonic() + seconds)
    finally:
        over.set()


def _start(work: Callable[[], None], count: int) -> None:
    started = 0
    for _ in range(count):
        try:
            threading.Thread(target=work, name="marscore-store", daemon=True).start()
        except (RuntimeError, MemoryError):
            break
        started += 1
    if not started:
        work()


def _gathered(
    told: queue.SimpleQueue[tuple[int, _R | None, BaseException | None]], count: int, check: Callable[[], None], until: float | None
) -> list[_R]:
    results: dict[int, _R] = {}
    while len(results) < count:
        try:
            number, result, error = told.get(timeout=_LOOK_EVERY)
        except queue.Empty:
            check()
            if until is not None and time.monotonic() >= until:
                raise StorageError(Failure("store", "the store does not answer in time")) from None
            continue
        if error is not None:
            raise error
        results[number] = result  # type: ignore[assignment]
    return [results[number] for number in range(count)]
