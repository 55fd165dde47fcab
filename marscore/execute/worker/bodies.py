"""Bodies on their way to the disk: written by the loop itself where that is fast, by helpers where it is not.

    chunks --write--> Writer, at once                                         --> written
                      queue of the fetch --> a helper, in their order --Done--> written --> the next of the queue, or what waits for the end

A disk that is slower than the network (pages that wait to be written back, NFS) would stop every connection that the loop drives. So once a
write took long, the next ones are handed to helpers, and what waits for them is bounded: a fetch that has its share of its file's buffer in
the queue is paused, so that the kernel's window holds its sender back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from marscore.execute.worker.fetch import Fetch
from marscore.execute.worker.helpers import Helpers
from marscore.ports import Clock

#: Seconds of a write of a turn's chunks, a MiB or so, from which on a disk counts as slow; and for which it then does.
SLOW_WRITE, SLOW_FOR = 0.03, 10.0


class Flow(Protocol):
    """What holds a fetch's sender back and lets it go on, and what is told that it could not be written."""

    def hold(self, fetch: Fetch) -> None: ...

    def go_on(self, fetch: Fetch) -> None: ...

    def not_written(self, fetch: Fetch, error: BaseException) -> None: ...


class Bodies:
    """Writes what fetches bring. `buffer` is how many bytes of one file may be held."""

    def __init__(self, helpers: Helpers, clock: Clock, flow: Flow, buffer: int) -> None:
        self._helpers = helpers
        self._ticks = clock.ticks
        self._flow = flow
        self._buffer = buffer
        self._slow_until = 0.0

    def write(self, fetch: Fetch, chunks: Sequence[bytes | memoryview], count: int) -> None:
        """Write the next `count` bytes of a fetch, now or later.

        Raises:
            StorageError: that failed now. What fails later is told to the flow.
        """
        began = self._ticks()
        if fetch.under_way or began < self._slow_until:
            fetch.queue += chunks
            fetch.queued += count
            self._hand_over(fetch)
            if fetch.queued > self._share(fetch):
                self._flow.hold(fetch)
            return
        assert fetch.writer is not None
        fetch.prepare_record()
        fetch.segment.written += fetch.writer.write(chunks)
        self._note(self._ticks() - began)

    def after(self, fetch: Fetch, act: Callable[[], None]) -> None:
        """Act once all that came of the fetch is written, of which no more will come."""
        if fetch.under_way:
            fetch.then = act
        else:
            act()

    def _share(self, fetch: Fetch) -> int:
        # What comes in one turn, after the last look at this, is counted for itself (`Exchange.at_once`).
        return self._buffer // 3 // fetch.transfer.options.threads

    def _note(self, seconds: float) -> None:
        if seconds >= SLOW_WRITE:
            self._slow_until = self._ticks() + SLOW_FOR

    def _hand_over(self, fetch: Fetch) -> None:
        """Let a helper write what is in the queue, unless one is at it."""
        if fetch.under_way or not fetch.queue:
            return
        chunks, fetch.queue = fetch.queue, []
        fetch.under_way = True
        fetch.prepare_record()
        writer, ticks = fetch.writer, self._ticks
        assert writer is not None

        def write() -> tuple[int, float]:
            began = ticks()
            return writer.write(chunks), ticks() - began

        self._helpers.do(write, lambda result, error: self._written(fetch, result, error))

    def _written(self, fetch: Fetch, result: tuple[int, float] | None, error: BaseException | None) -> None:
        fetch.under_way = False
        if result is None:
            fetch.forget_queue()
            self._flow.not_written(fetch, error or RuntimeError())
            return
        count, seconds = result
        fetch.segment.written += count
        fetch.queued -= count
        self._note(seconds)
        if fetch.segment.cancelled:
            # Another has its bytes, or they are of a version that is gone. That nothing more of it is written is still to be told.
            fetch.queue, fetch.queued = [], 0
        self._hand_over(fetch)
        if fetch.queued <= self._share(fetch):
            self._flow.go_on(fetch)
        if not fetch.under_way and fetch.then is not None:
            then, fetch.then = fetch.then, None
            then()
