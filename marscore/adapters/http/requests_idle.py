"""Connections that wait for the next request, over all origins, so that a process never holds more open than it may.

    with idle: open --> take one of this pool that waits, or make_room and connect        body is whole --> keep --> end

A thread at work has one connection or is about to have one. So those at work and those that wait are never more than `most` together,
however many origins the files come from.
"""

from __future__ import annotations

import threading
from types import TracebackType

from urllib3.connection import HTTPConnection

from marscore.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A connection that waits, and the pool that it belongs to."""

    pool: object
    connection: HTTPConnection


class Idle:
    """The connections that wait, oldest first. `most` is how many may be open, these and those in use.

    A thread is at work from entering this as a context until `end`, or until an error leaves the context.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._at_work: set[int] = set()

    def __enter__(self) -> None:
        self._at_work.add(threading.get_ident())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.end()

    def end(self) -> None:
        """This thread uses none any more."""
        self._at_work.discard(threading.get_ident())

    def keep(self, waiting: Waiting) -> None:
        """Let a connection wait."""
        with self._lock:
            self._waiting.append(waiting)

    def take(self, pool: object) -> Waiting | None:
        """The connection of this pool that waits since the shortest time."""
        with self._lock:
            for at in range(len(self._waiting) - 1, -1, -1):
                if self._waiting[at].pool is pool:
                    return self._waiting.pop(at)
        return None

    def make_room(self) -> None:
        """Close the connections that would be too many with the one that this thread is about to open."""
        with self._lock:
            self._drop(max(0, len(self._waiting) + max(1, len(self._at_work)) - self._most))

    def clear(self) -> None:
        """Close all that wait."""
        with self._lock:
            self._drop(len(self._waiting))

    def _drop(self, count: int) -> None:
        # Under the lock: what one thread drops may make room for another, which is not to connect before it is closed.
        dropped, self._waiting = self._waiting[:count], self._waiting[count:]
        for waiting in dropped:
            waiting.connection.close()
