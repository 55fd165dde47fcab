"""Events on their way out of a worker: put by its loop, sent in batches, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from marscore.events import Event


class Outbox:
    """`send` takes one batch after the other."""

    def __init__(self, send: Callable[[list[Event]], None]) -> None:
        self._send = send
        self._events: list[Event] = []

    def put(self, event: Event) -> None:
        """Take one more."""
        self._events.append(event)

    def extend(self, events: Iterable[Event]) -> None:
        """Take several more."""
        self._events.extend(events)

    def flush(self) -> None:
        """Send all that there are."""
        batch, self._events = self._events, []
        try:
            if batch:
                self._send(batch)
        except BaseException:
            # What was not sent is still to be sent.
            self._events[:0] = batch
            raise
