"""Connections that wait for the next request, over all origins, so that a process never holds more open than it may.

    with idle: open --> take one of this pool that waits, or make_room and connect        body is whole --> keep

urllib3's pools know of one origin each. A pool of one connection for each thread would keep to the number too, and dial anew for each hop
to another host: 23 ms of processor time over TLS, where a request on a connection that waits takes 0.5.
"""

from __future__ import annotations

import threading
from typing import Any

from urllib3.connection import HTTPConnection


class Idle:
    """The connections that wait, oldest first. `most` is how many may be open, these and those in use.

    Threads have this as a context while they have a connection in use, or are about to have one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # urllib3 takes out what waits in a pool that is garbage, in whatever a thread is at just then: under this lock, too.
        self._lock = threading.RLock()
        self._waiting: list[tuple[object, HTTPConnection]] = []
        self._at_work = 0

    def __enter__(self) -> None:
        with self._lock:
            self._at_work += 1

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._at_work -= 1

    def keep(self, pool: object, connection: HTTPConnection) -> None:
        """Let a connection of a pool wait."""
        with self._lock:
            self._waiting.append((pool, connection))

    def take(self, pool: object) -> HTTPConnection | None:
        """The connection of this pool that waits since the shortest time."""
        with self._lock:
            found = next((waiting for waiting in reversed(self._waiting) if waiting[0] is pool), None)
            if found is None:
                return None
            self._waiting.remove(found)
            return found[1]

    def make_room(self) -> None:
        """Close the connections that would be too many with the one that this thread is about to open."""
        with self._lock:
            self._drop(max(0, self._most - max(1, self._at_work)))

    def clear(self) -> None:
        """Close all that wait."""
        self._drop(0)

    def _drop(self, left: int) -> None:
        # Under the lock: what one thread drops may make room for another, which is not to connect before it is closed.
        with self._lock:
            while len(self._waiting) > left:
                self._waiting.pop(0)[1].close()
