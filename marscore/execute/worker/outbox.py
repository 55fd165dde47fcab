"""Events on their way out of a worker: put by its loop, sent in batches, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from marscore.events import Event


class Outbox:
    """`send` takes one batch after the other. `count` says what came since the last: told with each, so that no outcome overtakes it."""

    def __init__(self, send: Callable[[list[Event]], None]) -> None:
        self._send = send
        self._events: list[Event] = []
        self.count: Callable[[], Event | None] = lambda: None

    def put(self, event: Event) -> None:
        """Take one more."""
        self._events.append(event)

    def extend(self, events: Iterable[Event]) -> None:
        """Take several more."""
        self._events.extend(events)

    def measure(self) -> None:
        """Have what has come told with the next batch, even if there is nothing else to send."""
        if (counted := self.count()) is not None:
            self._events.append(counted)

    def flush(self) -> None:
        """Send all that there are."""
        if self._events:
            self.measure()
        batch, self._events = self._events, []
        try:
            if batch:
                self._send(batch)
        except BaseException:
            # What was not sent is still to be sent.
            self._events[:0] = batch
            raise
