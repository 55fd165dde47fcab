"""What comes of exchanges, as their transfers want it: heads judged, bodies written, ends told.

exchange --> head --> Transfer (Answered) --> chunks --Bodies--> disk --> Ended, Broke --> Transfer
         or, of a small file, kept until it is whole                  --> Delivered    --> Transfer
"""

from __future__ import annotations

import math
from collections.abc import Callable

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.execute.transfer.protocol import Answered, Broke, Delivered, Ended, Fact, Lagged, Segment, Yielded
from marscore.execute.worker.bodies import Bodies
from marscore.execute.worker.commands import Commands, failure_of
from marscore.execute.worker.fetch import Fetch, Fetches
from marscore.execute.worker.helpers import Helpers
from marscore.execute.worker.writing import LARGE, Writer
from marscore.policy.pacing import Pace, SpeedWatch, TokenBucket
from marscore.ports import Answer, Clock, Exchange, FileStore
from marscore.state import Content
from marscore.values import Failure, internal

#: Files up to this size are taken to their place from memory, if they come whole with their answer.
SMALL = 64 * 1024


class Receiving:
    """Takes in what comes of fetches. `clean` leaves out of an answer what repeats a secret; `buffer` bounds what is held of one file."""

    def __init__(
        self, fetches: Fetches, commands: Commands, files: FileStore, clean: Callable[[Exchange, Answer], Answer], clock: Clock
    ) -> None:
        self._fetches = fetches
        self._commands = commands
        self._files = files
        self._clean = clean
        self._ticks = clock.ticks
        self._clock = clock
        self._moment = commands.moment
        self._most = SMALL
        self._bodies: Bodies | None = None
        self._rate: TokenBucket | None = None
        #: Bytes of bodies that came, until somebody has told of them.
        self.received = 0
        #: Until when nothing is received, for the rate limit.
        self.held_until = math.inf

    def write_by(self, helpers: Helpers, buffer: int) -> None:
        """Write bodies, where the disk is slow, by these; at most `buffer` bytes of a file are held."""
        self._bodies = Bodies(helpers, self._clock, self, buffer)
        self._most = min(SMALL, buffer)

    @property
    def max_rate(self) -> int | None:
        """The most bytes a second."""
        return self._rate.rate if self._rate else None

    def limit(self, max_rate: int | None) -> None:
        """Receive no more bytes a second than that."""
        self._rate = None if max_rate is None else TokenBucket(max_rate, self._ticks())

    def hear(self, fetch: Fetch) -> None:
        """Take in what is new of a fetch."""
        self.guarded(fetch, self._hear)

    def guarded(self, fetch: Fetch, act: Callable[[Fetch], None]) -> None:
        """Do something for a fetch; what goes wrong ends it, and is told to its transfer."""
        try:
            act(fetch)
        except StorageError as error:
            self._broke(fetch, None, error.failure)
        except (OriginError, IntegrityError) as error:
            self._broke(fetch, fetch.segment, error.failure)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            self._broke(fetch, None, internal(error))

    def look(self, fetch: Fetch, ticks: float, lags: bool) -> None:
        """Give up what takes too long; `lags` tells that its connection is far slower than others."""
        if fetch.segment.cancelled:
            # Another has its bytes, or they are of a version that is gone.
            self._finished(fetch, Ended(self._moment(), fetch.segment))
        elif lags:
            self._finished(fetch, Lagged(self._moment(), fetch.segment))
        else:
            fetch.check_time(0, ticks)

    def yield_(self, fetch: Fetch) -> None:
        """Give up its connection, which another file needs."""
        self._finished(fetch, Yielded(self._moment(), fetch.segment))

    def rested(self, now: float) -> None:
        """Go on, where the rate limit allows more."""
        if now >= self.held_until:
            self.held_until = math.inf
            for fetch in self._fetches:
                self._fetches.go_on(fetch, "rate")

    def stop(self, fetch: Fetch) -> None:
        """Let go of a fetch, and record what was written."""
        self._fetches.let_go(fetch)
        _recorded(fetch)

    # Flow

    def hold(self, fetch: Fetch) -> None:
        """Let its sender wait for the disk: for as long, it is not slow."""
        if "disk" in fetch.held:
            return
        self._fetches.hold(fetch, "disk")
        fetch.waits_since = self._ticks()
        if fetch.segment.pace is not None:
            fetch.segment.pace.hold(fetch.waits_since)

    def go_on(self, fetch: Fetch) -> None:
        """Let its sender go on."""
        if "disk" not in fetch.held:
            return
        self._fetches.go_on(fetch, "disk")
        now = self._ticks()
        if fetch.watch is not None:
            fetch.watch.rested(now - fetch.waits_since)
        if fetch.segment.pace is not None:
            fetch.segment.pace.go_on(now)

    def not_written(self, fetch: Fetch, error: BaseException) -> None:
        """End a fetch whose bytes could not be written."""
        self._fetches.let_go(fetch)
        self._commands.tell(fetch.transfer, Broke(self._moment(), None, failure_of(error)))

    # Heads

    def _hear(self, fetch: Fetch) -> None:
        exchange = fetch.exchange
        if exchange.answer is not None and fetch.answer is None:
            fetch.answer = self._clean(exchange, exchange.answer)
            fetch.paced = self._commands.heard(fetch.transfer, fetch.segment, fetch.host, fetch.answer)
            fetch.small = self._small_size(fetch, fetch.answer)
            if fetch.small is not None and not exchange.over:
                # Its body comes later than its head.
                fetch.segment.answered(self._ticks(), fetch.answer.status)
            if fetch.small is None and not self._answered(fetch):
                return
        if fetch.small is not None and not self._goes_on_as_large(fetch, fetch.small):
            return
        if exchange.chunks and not self._receive(fetch):
            return
        if exchange.over:
            if exchange.failure is not None:
                raise OriginError(exchange.failure)
            self._finished(fetch, Ended(self._moment(), fetch.segment))

    def _goes_on_as_large(self, fetch: Fetch, size: int) -> bool:
        """Take a small file that came whole to its place. What broke off is kept as a part, as of a large one: then its body is wanted."""
        if not fetch.exchange.over:
            return False
        if fetch.exchange.failure is None:
            self._deliver(fetch, size)
            return False
        fetch.small = None
        return self._answered(fetch)

    def _small_size(self, fetch: Fetch, answer: Answer) -> int | None:
        """The size of a file that may well come whole with its first answer, and about which nothing has to be minded meanwhile."""
        transfer, length = fetch.transfer, answer.fields.get("content-length", "")
        fetches = transfer.work.untouched and transfer.work.purpose == "fetch"
        first = fetches and transfer.known.version is None and fetch.segment.asked is None and answer.status == 200
        if not first or self._rate is not None or transfer.deadline is not None or "transfer-encoding" in answer.fields:
            return None
        if not length.isdecimal() or len(length) > 5 or int(length) > self._most or transfer.known.unacceptable(int(length)) is not None:
            return None
        self._files.prepare(transfer.download.path)
        return int(length)

    def _deliver(self, fetch: Fetch, size: int) -> None:
        chunks, count = fetch.take()
        if count != size:
            what = f"ended {size - count} bytes early" if count < size else f"has {count - size} bytes more than were announced"
            raise OriginError(Failure("truncated", f"the body {what}"))
        assert fetch.answer is not None
        self.received += count
        self._fetches.let_go(fetch)
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        content = Content(data, fetch.transfer.algorithms_for(fetch.answer))
        self._commands.tell(fetch.transfer, Delivered(self._moment(), fetch.segment, fetch.answer, content))

    def _answered(self, fetch: Fetch) -> bool:
        """Let the transfer judge an answer; says whether its body is wanted."""
        assert fetch.answer is not None
        wanted = self._commands.tell(fetch.transfer, Answered(self._moment(), fetch.segment, fetch.answer, fetch.paced))
        transfer, segment = fetch.transfer, fetch.segment
        partial = self._commands.file(transfer).of(segment.epoch) if wanted else None
        if partial is None:
            self._fetches.let_go(fetch)
            return False
        size = transfer.known.size
        if size is not None:
            partial.reserve(size)
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, transfer.ledger.done)
        fetch.writer = Writer(partial, segment.position)
        ticks = self._ticks()
        segment.pace = Pace(ticks)
        fetch.watch = SpeedWatch(transfer.options.min_speed, ticks)
        if self.held_until < math.inf:
            self._fetches.hold(fetch, "rate")
        return True

    # Bodies

    def _receive(self, fetch: Fetch) -> bool:
        """Write what came; says whether the fetch goes on."""
        chunks, count = fetch.take()
        self.received += count
        ticks = self._ticks()
        room = fetch.transfer.admit(fetch.segment, count, ticks)
        if room:
            assert self._bodies is not None
            self._bodies.write(fetch, chunks if room == count else _front(chunks, room), room)
        self._slow_down(count, ticks)
        if not room or fetch.has_all:
            self._finished(fetch, Ended(self._moment(), fetch.segment))
            return False
        fetch.check_time(count, ticks)
        return True

    def _finished(self, fetch: Fetch, fact: Fact) -> None:
        """Tell a transfer that a fetch is over, once all that came of it is written."""
        self._fetches.let_go(fetch)
        self._after(fetch, lambda: self._record_and_tell(fetch, fact))

    def _record_and_tell(self, fetch: Fetch, fact: Fact) -> None:
        fetch.record()
        self._commands.tell(fetch.transfer, fact)

    def _broke(self, fetch: Fetch, segment: Segment | None, failure: Failure) -> None:
        self._fetches.let_go(fetch)

        def tell() -> None:
            defect = _recorded(fetch)
            self._commands.tell(fetch.transfer, Broke(self._moment(), None if defect else segment, defect or failure))

        self._after(fetch, tell)

    def _after(self, fetch: Fetch, act: Callable[[], None]) -> None:
        if self._bodies is None or not fetch.under_way:
            act()
            return
        self._bodies.after(fetch, lambda: self.guarded(fetch, lambda _: act()))

    def _slow_down(self, count: int, ticks: float) -> None:
        """Receive nothing for as long as the rate limit asks: the kernel holds the senders back."""
        seconds = self._rate.take(count, ticks) if self._rate else 0.0
        if seconds <= 0:
            return
        held = ticks if self.held_until == math.inf else self.held_until
        self.held_until = max(held, ticks + seconds)
        for fetch in self._fetches:
            if fetch.writer is not None:
                self._fetches.hold(fetch, "rate")
            if fetch.watch is not None:
                fetch.watch.rested(self.held_until - held)


def _front(chunks: list[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """The first `count` bytes of these."""
    front: list[bytes | memoryview] = []
    for chunk in chunks:
        if count <= 0:
            break
        front.append(chunk if len(chunk) <= count else memoryview(chunk)[:count])
        count -= len(chunk)
    return front


def _recorded(fetch: Fetch) -> Failure | None:
    """Record what was written of a fetch that has failed; returns a defect. What a disk does not take is fetched again."""
    try:
        fetch.record()
    except StorageError:
        return None
    except Exception as error:  # noqa: BLE001 - as a defect it ends the download by its name
        return internal(error)
    return None
