"""Events on their way out of a worker: put by any thread, sent in batches, in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from marscore.events import Event


class Outbox:
    """Safe to share between threads. `send` takes one batch after the other."""

    def __init__(self, send: Callable[[list[Event]], None]) -> None:
        self._send = send
        self._sending = threading.Lock()
        self._events: deque[Event] = deque()

    def put(self, event: Event) -> None:
        """Take one more."""
        self._events.append(event)

    def extend(self, events: Iterable[Event]) -> None:
        """Take several more."""
        self._events.extend(events)

    def flush(self) -> None:
        """Send all that there are."""
        with self._sending:
            # Taken one by one, since other threads append meanwhile.
            batch = [self._events.popleft() for _ in range(len(self._events))]
            try:
                if batch:
                    self._send(batch)
            except BaseException:
                # What was not sent is still to be sent.
                self._events.extendleft(reversed(batch))
                raise
