"""Threads beside a loop for what takes its time: proving what is on the disk, hashing a large file, giving it its name.

    loop --do(name, act)--> a helper --act--> Done(name, fact | error) --> the loop's inbox

What a helper is given holds all that it needs; it knows no transfer, and nobody waits for it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from marscore.execute.protocol import Fact
from marscore.frozen import dataclass

#: Reading and hashing keep a core busy each; what waits for a disk gains from a few more.
MOST = 4


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task for the download of this id: a fact, or what was raised instead."""

    download: str
    fact: Fact | None
    error: BaseException | None = None


class Helpers:
    """At most `MOST` threads, started when they are needed. `answer` takes what they have done, from any thread."""

    def __init__(self, answer: Callable[[Done], None]) -> None:
        self._answer = answer
        self._tasks: queue.SimpleQueue[tuple[str, Callable[[], Fact]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 0

    def do(self, download: str, act: Callable[[], Fact]) -> None:
        """Have a task done, and answered. Where the system starts no thread, it is done here and now."""
        self._open += 1
        if len(self._threads) < min(MOST, self._open) and not self._add() and not self._threads:
            self._carry_out(download, act)
            return
        self._tasks.put((download, act))

    def took(self) -> None:
        """An answer was taken in."""
        self._open -= 1

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

    def _carry_out(self, download: str, act: Callable[[], Fact]) -> None:
        try:
            done = Done(download, act())
        except BaseException as error:  # noqa: BLE001 - whatever it is, its download hears of it
            done = Done(download, None, error)
        self._answer(done)
