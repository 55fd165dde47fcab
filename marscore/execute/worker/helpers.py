"""Threads beside a loop for what takes its time: proving what is on the disk, hashing a large file, writing to a disk that is slow.

    loop --do(act, then)--> a helper: act() --Done(then, result | error)--> the loop's inbox --> then(result, error)

What a helper is given holds all that it needs; it knows no transfer, and nobody waits for it. `then` is the loop's own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from marscore.frozen import dataclass

Act: TypeAlias = Callable[[], Any]
#: Takes what came of a task: its result, or what was raised instead.
Then: TypeAlias = Callable[[Any, "BaseException | None"], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A task that was done, or failed."""

    then: Then
    result: Any
    error: BaseException | None = None


class Helpers(Protocol):
    """Whoever does tasks beside the loop."""

    def do(self, act: Act, then: Then) -> None:
        """Have a task done, and answered."""
        ...

    def close(self) -> None:
        """Let them leave; who is busy leaves afterwards."""
        ...


class HelperThreads:
    """Implements `Helpers`. At most `most` threads, started when they are needed. `answer` takes what they have done, from any thread."""

    def __init__(self, most: int, answer: Callable[[Done], None]) -> None:
        self._most = most
        self._answer = answer
        self._tasks: queue.SimpleQueue[tuple[Act, Then] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 0

    def do(self, act: Act, then: Then) -> None:
        """Have a task done, and answered. Where the system starts no thread, it is done here and now."""
        self._open += 1

        def took(result: Any, error: BaseException | None) -> None:
            self._open -= 1
            then(result, error)

        if len(self._threads) < min(self._most, self._open) and not self._add() and not self._threads:
            self._carry_out(act, took)
            return
        self._tasks.put((act, took))

    def close(self) -> None:
        """Let them leave; who is busy leaves afterwards."""
        for _ in self._threads:
            self._tasks.put(None)

    def _add(self) -> bool:
        thread = threading.Thread(target=self._work, name=f"marscore-helper-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._carry_out(*task)
            # Nothing of it is held while the next one is waited for.
            del task

    def _carry_out(self, act: Act, then: Then) -> None:
        try:
            done = Done(then, act())
        except BaseException as error:  # noqa: BLE001 - whatever it is, its download hears of it
            done = Done(then, None, error)
        self._answer(done)
