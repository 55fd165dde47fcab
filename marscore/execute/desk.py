"""What the threads of one process share while they work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

from marscore.events import ProgressMade
from marscore.execute.protocol import Moment, Segment
from marscore.execute.schedule import Board
from marscore.execute.transfer import Transfer
from marscore.execute.writing import Reads
from marscore.policy.hands import Reading
from marscore.policy.pacing import Pace, TokenBucket
from marscore.ports import Clock, EventSink, FileStore, HttpClient, Response
from marscore.resolve.model import Options
from marscore.values import Access


class Desk:
    """What the threads of one process share: the board with its lock, the ports, the rate limit, and whether to stop."""

    def __init__(self, board: Board, client: HttpClient, files: FileStore, clock: Clock, sink: EventSink, reads: Reads) -> None:
        self.board = board
        self.client = client
        self.files = files
        self.clock = clock
        self.sink = sink
        self.reads = reads
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.stopped = threading.Event()
        self.rate: TokenBucket | None = None
        #: Bytes that came, and a bit for each file; threads add to it without a lock, since it need not be exact.
        self.progress = 0
        #: Seconds that threads spent on receiving and on writing; added to in the same way.
        self.receiving = 0.0
        self.writing = 0.0
        #: Since when those threads receive that do.
        self.since: dict[int, float] = {}
        self._bodies: dict[int, Response] = {}
        self.on_pause: Callable[[str, float], None] = lambda host, seconds: None
        self.on_verified: Callable[[], None] = lambda: None
        #: The threads that verify large files, apart from those that receive.
        self.helpers: list[threading.Thread] = []
        #: Ends these downloads by name, since what worked on them died of this.
        self.on_death: Callable[[Iterable[Transfer], BaseException], None] = lambda transfers, error: None
        self._rate_lock = threading.Lock()
        self._last_access: tuple[Options, Access] | None = None
        self._now, self._ticks, self._draw = clock.now, clock.ticks, clock.draw

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._now(), self._ticks(), self._draw())

    def access(self, options: Options) -> Access:
        """How to reach the origin of a download; many of them share one Options value."""
        # The last one alone is kept: each batch of works brings a value of its own, and there may be a hundred thousand batches.
        last = self._last_access
        if last is None or last[0] is not options:
            last = self._last_access = options, options.access
        return last[1]

    def reading(self) -> Reading:
        """What tells whether more threads would help."""
        ticks = self.clock.ticks()
        waiting = sum(max(0.0, ticks - since) for since in list(self.since.values()))
        return Reading(ticks, self.clock.used(), self.progress, self.receiving + waiting, self.writing)

    @contextlib.contextmanager
    def watching(self, segment: Segment, response: Response) -> Iterator[None]:
        """Let the connection be given up while its body is received."""
        with self.lock:
            segment.pace = Pace(self._ticks())
            self._bodies[id(segment)] = response
        try:
            yield
        finally:
            with self.lock:
                del self._bodies[id(segment)]

    def give_up_laggards(self) -> None:
        """Shut down connections that lag so far behind that new ones are due, which wakes who waits for them. Under the lock."""
        # A rate limit slows them all, in turns.
        for segment in [] if self.rate else self.board.laggards(self._ticks()):
            if response := self._bodies.get(id(segment)):
                response.abort()

    def pace(self, count: int) -> float:
        """Wait as long as the rate limit asks after `count` bytes; returns the seconds that took."""
        rate = self.rate
        if rate is None:
            return 0.0
        began = self.clock.ticks()
        with self._rate_lock:
            seconds = rate.take(count, began)
        if seconds > 0:
            self.stopped.wait(seconds)
        return self.clock.ticks() - began

    def pause(self, host: str, seconds: float) -> None:
        """Hold back every new request of this process to a host."""
        with self.changed:
            self.board.slots.pause(host, self.clock.ticks() + seconds)

    def progress_made(self) -> list[ProgressMade]:
        """How far each open file is."""
        now = self.clock.now()
        with self.lock:
            return [
                ProgressMade(
                    now,
                    transfer.download.id,
                    transfer.ledger.bytes_done,
                    transfer.known.size,
                    transfer.bytes_downloaded,
                    len(transfer.ledger.active),
                    transfer.segments_finished,
                )
                for transfer in self.board.open.values()
            ]
