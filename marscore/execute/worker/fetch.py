"""One segment on its way over one exchange, what came of it and how much of that is written; and all those that a process has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from marscore.errors import OriginError
from marscore.execute.transfer.protocol import Segment
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.board import Board
from marscore.execute.worker.writing import Writer
from marscore.policy.pacing import SLOW_WINDOW, SpeedWatch
from marscore.ports import Answer, Exchange, Transport
from marscore.values import Failure

#: Why a sender is held back: until the rate limit allows more, or until the disk has caught up.
Why: TypeAlias = Literal["rate", "disk"]


class Fetch:
    """A segment, its exchange, and the host whose slot it holds. `small` is the size of a file that is taken to its place from memory.

    Where the disk is slow, `queued` bytes wait to be written: those in `queue`, and those that a helper writes while `under_way`. `then` is
    what waits for the last of them.
    """

    __slots__ = (
        "answer",
        "exchange",
        "held",
        "host",
        "paced",
        "queue",
        "queued",
        "segment",
        "small",
        "then",
        "transfer",
        "under_way",
        "waits_since",
        "watch",
        "writer",
    )

    def __init__(self, transfer: Transfer, segment: Segment, host: str, exchange: Exchange) -> None:
        self.transfer = transfer
        self.segment = segment
        self.host = host
        self.exchange = exchange
        #: The answer, once it was looked at.
        self.answer: Answer | None = None
        #: Whether that refuses it for the sake of the pace.
        self.paced = False
        self.small: int | None = None
        self.writer: Writer | None = None
        self.watch: SpeedWatch | None = None
        #: Why its sender is held back, if it is.
        self.held: tuple[Why, ...] = ()
        #: Since when it waits for the disk, in ticks.
        self.waits_since = 0.0
        self.queue: list[bytes | memoryview] = []
        self.queued = 0
        self.under_way = False
        self.then: Callable[[], None] | None = None

    def take(self) -> tuple[list[bytes | memoryview], int]:
        """What came of the body and was not taken yet, and how many bytes that is."""
        # What is put there later goes into another list.
        chunks, self.exchange.chunks = self.exchange.chunks, []
        return chunks, sum(map(len, chunks))  # type: ignore[return-value]  # bytes are either

    @property
    def has_all(self) -> bool:
        """Whether the segment has the bytes that it is to have."""
        segment = self.segment
        return segment.cancelled or (segment.end is not None and segment.position >= segment.end)

    def prepare_record(self) -> None:
        """Let the writer know what the journal is to say of the file, should it begin there."""
        if self.writer is not None and not self.writer.recorded:
            self.writer.header = self.transfer.header

    def forget_queue(self) -> None:
        """Write nothing of it that is not being written, and tell nobody."""
        self.queue, self.queued, self.then = [], 0, None

    def record(self) -> None:
        """Record what was written, if the next run may need to know of it."""
        writer, segment = self.writer, self.segment
        # Who is at it records what it has written; a file that came whole and in one piece needs none: it is proven and named at once.
        if writer is not None and not self.under_way and (segment.begin or segment.remaining or writer.recorded or not segment.whole):
            writer.record()

    def check_time(self, count: int, ticks: float) -> None:
        """Give up on a connection that is too slow, or on a download that takes too long.

        Raises:
            OriginError: it does.
        """
        options = self.transfer.options
        if self.transfer.deadline is not None and ticks >= self.transfer.deadline:
            raise OriginError(self.transfer.overdue)
        # Whose sender is held back is not slow.
        if self.watch is not None and not self.held and self.watch.too_slow(count, ticks):
            raise OriginError(Failure("too_slow", f"slower than min_speed, {options.min_speed} bytes/s, for {SLOW_WINDOW:g} s"))


class Fetches:
    """Those that a process has, each on a connection, or waiting for one."""

    def __init__(self, transport: Transport, board: Board) -> None:
        self._transport = transport
        self._board = board
        self._by_exchange: dict[Exchange, Fetch] = {}

    def __len__(self) -> int:
        return len(self._by_exchange)

    def __iter__(self) -> Iterator[Fetch]:
        return iter([*self._by_exchange.values()])

    def of(self, exchange: Exchange) -> Fetch | None:
        """The fetch of an exchange, unless it was let go of."""
        return self._by_exchange.get(exchange)

    def begin(self, fetch: Fetch) -> None:
        """Send its request."""
        self._by_exchange[fetch.exchange] = fetch
        self._transport.start(fetch.exchange)

    def let_go(self, fetch: Fetch) -> None:
        """Give its connection and its slot back."""
        if self._by_exchange.pop(fetch.exchange, None) is not None:
            if not fetch.exchange.over:
                self._transport.cancel(fetch.exchange)
            self._board.release(fetch.host)

    def hold(self, fetch: Fetch, why: Why) -> None:
        """Let its sender wait."""
        if not fetch.held and fetch.exchange in self._by_exchange:
            self._transport.pause(fetch.exchange)
        if why not in fetch.held:
            fetch.held = (*fetch.held, why)

    def go_on(self, fetch: Fetch, why: Why) -> None:
        """Let its sender go on, as far as that was the reason why it waited."""
        if why in fetch.held:
            fetch.held = tuple(reason for reason in fetch.held if reason != why)
            if not fetch.held and fetch.exchange in self._by_exchange:
                self._transport.resume(fetch.exchange)
