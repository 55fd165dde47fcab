"""One segment on its way over one exchange: what came of it, and how much of that is written."""

from __future__ import annotations

from collections.abc import Callable

from marscore.errors import OriginError
from marscore.execute.protocol import Segment
from marscore.execute.transfer import Transfer
from marscore.execute.writing import Writer
from marscore.policy.pacing import SLOW_WINDOW, SpeedWatch
from marscore.ports import Answer, Exchange
from marscore.values import Failure


class Fetch:
    """A segment, its exchange, and the host whose slot it holds. `small` is the size of a file that is taken to its place from memory."""

    __slots__ = ("answer", "exchange", "host", "segment", "small", "transfer", "watch", "writer")

    def __init__(self, transfer: Transfer, segment: Segment, host: str, exchange: Exchange) -> None:
        self.transfer = transfer
        self.segment = segment
        self.host = host
        self.exchange = exchange
        #: The answer, once it was looked at.
        self.answer: Answer | None = None
        self.small: int | None = None
        self.writer: Writer | None = None
        self.watch: SpeedWatch | None = None

    def body(self) -> bytes:
        """What came of the body and was not taken yet."""
        chunks = self.exchange.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return data

    @property
    def has_all(self) -> bool:
        """Whether the segment has the bytes that it is to have."""
        segment = self.segment
        return segment.cancelled or (segment.end is not None and segment.position >= segment.end)

    def record(self) -> None:
        """Record what was written, if the next run may need to know of it."""
        writer, segment = self.writer, self.segment
        # A file that came whole and in one piece needs no record: it is proven and named at once.
        if writer is not None and (segment.begin or segment.remaining or writer.recorded or not segment.whole):
            writer.record()

    def check_time(self, count: int, ticks: float) -> None:
        """Give up on a connection, or a download, that takes too long.

        Raises:
            OriginError: it does.
        """
        options = self.transfer.options
        if self.transfer.deadline is not None and ticks >= self.transfer.deadline:
            raise OriginError(Failure("timeout", f"the download took longer than its total of {options.timeouts.total:g} s"))
        if self.watch is not None and self.watch.too_slow(count, ticks):
            raise OriginError(Failure("too_slow", f"slower than min_speed, {options.min_speed} bytes/s, for {SLOW_WINDOW:g} s"))


def written(writer: Writer, data: bytes) -> None:
    """Write bytes piece by piece."""
    view, position = memoryview(data), 0
    while position < len(view):
        part = view[position : position + writer.room]
        writer.write(part)
        position += len(part)


#: What cleans an answer of what repeats a secret of ours.
Clean = Callable[[Exchange, Answer], Answer]
