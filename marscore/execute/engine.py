"""What one process has on its way: which downloads are begun, what their exchanges bring, and what is given up.

    Board.take --> Exchange --transport--> head --> Transfer (Answered) --> written as it comes, or kept whole if it is small --> Transfer

All of it belongs to the loop's thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.events import DownloadSkipped, ProgressMade
from marscore.execute.commands import Commands, failure_of
from marscore.execute.fetch import Clean, Fetch, written
from marscore.execute.helpers import Done, Helpers
from marscore.execute.outbox import Outbox
from marscore.execute.performer import LARGE
from marscore.execute.protocol import Answered, Broke, Delivered, Ended, Fact, Lagged, Opened, Segment, Work, Yielded
from marscore.execute.schedule import Assignment, Board
from marscore.execute.setup import Share, WorkerSettings
from marscore.execute.transfer import Transfer
from marscore.execute.writing import Writer
from marscore.frozen import dataclass
from marscore.policy.pacing import Pace, SpeedWatch, TokenBucket
from marscore.ports import Answer, Clock, Exchange, FileStore, Request, Transport
from marscore.resolve.model import Options
from marscore.state import Content
from marscore.url import parse_url
from marscore.values import Access, Failure, Timeouts, internal

#: Files up to this size are taken to their place from memory, if they come whole with their answer.
SMALL = 64 * 1024


@dataclass(frozen=True, slots=True)
class LoopPorts:
    """The adapters that a loop acts through; `clean` leaves out of an answer what repeats a secret, the others are as in `worker.Ports`."""

    transport: Transport
    files: FileStore
    clock: Clock
    clean: Clean
    show: Callable[[Sequence[ProgressMade]], None] | None = None
    expect: Callable[[Iterable[Work]], None] = lambda works: None
    beat: Callable[[], None] = lambda: None
    give_up: Callable[[], None] = lambda: None


class Engine:
    """Begins downloads as far as connections are free, and carries them to their ends."""

    def __init__(self, settings: WorkerSettings, ports: LoopPorts, outbox: Outbox, answer: Callable[[Done], None]) -> None:
        """Begin nothing yet; `answer` takes what helpers have done, from any thread."""
        self._settings = settings
        self._ports = ports
        self._clock = ports.clock
        self._outbox = outbox
        self.board = Board(settings.share.per_host)
        self._helpers = Helpers(answer)
        self.commands = Commands(self.board, ports.files, ports.clock, self._helpers, outbox.put)
        self.commands.let_go = self._let_go_of
        self._moment = self.commands.moment
        #: Hosts whose slots are held by downloads whose partial files are looked at.
        self._opening: dict[str, str] = {}
        self._fetches: dict[Exchange, Fetch] = {}
        self._rate: TokenBucket | None = None
        #: Until when nothing is received, for the rate limit.
        self._held_until: float | None = None
        #: When the board has something to do again.
        self._until = math.inf
        self._last_access: tuple[Options, Access] | None = None
        self.widen(settings.share)

    def take_in(self, works: Sequence[Work]) -> None:
        """Add downloads."""
        self._ports.expect(works)
        self.board.add(works)

    def widen(self, share: Share) -> None:
        """Take another share of the run's limits."""
        self.board.widen(share.per_host)
        self._rate = None if share.max_rate is None else TokenBucket(share.max_rate, self._clock.ticks())

    def turn(self, until: float) -> None:
        """Send and receive until something comes, at most until `until` ticks."""
        news = self._ports.transport.turn(min(until, self._until, self._held_until or math.inf))
        for exchange in news:
            if fetch := self._fetches.get(exchange):
                self._guarded(fetch, lambda: self._hear(fetch))
        self._go_on(self._clock.ticks())

    def stop(self, reason: Failure, unbegun: str) -> None:
        """End everything: what was received is recorded."""
        now = self._clock.now()
        for fetch in list(self._fetches.values()):
            self._let_go(fetch)
            if fetch.writer is not None:
                _quietly(fetch.writer.record)
        for transfer in list(self.board.open.values()):
            self.commands.stop(transfer, reason)
        for work in self.board.withdraw():
            self._outbox.put(DownloadSkipped(now, work.download.id, unbegun))

    def close(self) -> None:
        """Let go of connections and helpers."""
        self._helpers.close()
        self._ports.transport.close()

    # Beginning

    def fill(self) -> None:
        """Begin what there is to do for the connections that are free."""
        self._until = math.inf
        if self._held_until is not None:
            return
        while (free := self._free()) > 0:
            chosen = self.board.take(self._moment(), free - 1)
            if not isinstance(chosen, Assignment):
                self._until = math.inf if chosen.until is None else chosen.until
                break
            self._begin(chosen)
        if self.board.waiting <= self._settings.threads:
            # More is on its way by the time that it is needed.
            self._outbox.flush()

    def make_room(self) -> None:
        """Take connections from files that have several, for files that wait and have none."""
        while segment := self.board.crowded_out(self._clock.ticks(), self._free()):
            fetch = next(f for f in self._fetches.values() if f.segment is segment)
            self._guarded(fetch, lambda: self._finished(fetch, Yielded(self._moment(), fetch.segment)))  # noqa: B023 - called here
            self.fill()

    def _free(self) -> int:
        return self._settings.threads - len(self._fetches) - len(self._opening)

    def _begin(self, chosen: Assignment) -> None:
        transfer, host = chosen.transfer, chosen.host
        if chosen.segment is not None:
            self._ask(transfer, chosen.segment, host)
            return
        if transfer.work.untouched:
            self._opened(transfer, host, Opened(self._moment()))
            return
        self._opening[transfer.download.id] = host
        file = self.commands.file(transfer)
        moment = self._moment
        self._helpers.do(transfer.download.id, lambda: file.reopen(moment))

    def _opened(self, transfer: Transfer, host: str, fact: Fact) -> None:
        self.commands.tell(transfer, fact)
        # What is on disk may come from a mirror: then the slot that is held is not the right one.
        segment = transfer.take(fact.at.ticks) if transfer.host == host and not transfer.closed else None
        self.board.settle(transfer)
        if segment is None:
            self.board.release(host)
        else:
            self._ask(transfer, segment, host)

    def _ask(self, transfer: Transfer, segment: Segment, host: str) -> None:
        request = Request(parse_url(segment.url), self._access(transfer), transfer.request_fields(segment))
        exchange = Exchange(request, max_rate=self._rate.rate if self._rate else None)
        self._fetches[exchange] = Fetch(transfer, segment, host, exchange)
        self._ports.transport.start(exchange)

    def _access(self, transfer: Transfer) -> Access:
        last = self._last_access
        if last is None or last[0] is not transfer.options:
            last = self._last_access = transfer.options, transfer.options.access
        access = last[1]
        if transfer.deadline is None:
            return access
        left = max(0.1, transfer.deadline - self._clock.ticks())
        times = access.timeouts
        return replace(access, timeouts=Timeouts(min(times.connect, left), min(times.read, left), times.total))

    # Receiving

    def _guarded(self, fetch: Fetch, act: Callable[[], None]) -> None:
        """Do something for a fetch; what goes wrong ends it, and is told to its transfer."""
        try:
            act()
        except StorageError as error:
            self._broke(fetch, None, error.failure)
        except (OriginError, IntegrityError) as error:
            self._broke(fetch, fetch.segment, error.failure)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            self._broke(fetch, None, internal(error))

    def _broke(self, fetch: Fetch, segment: Segment | None, failure: Failure) -> None:
        self._let_go(fetch)
        if fetch.writer is not None:
            _quietly(fetch.writer.record)
        self.commands.tell(fetch.transfer, Broke(self._moment(), segment, failure))

    def _let_go(self, fetch: Fetch) -> None:
        """Give the fetch's connection and slot back."""
        if self._fetches.pop(fetch.exchange, None) is not None:
            if not fetch.exchange.over:
                self._ports.transport.cancel(fetch.exchange)
            self.board.release(fetch.host)

    def _hear(self, fetch: Fetch) -> None:
        """Take in what is new of a fetch."""
        exchange = fetch.exchange
        if exchange.answer is not None and fetch.answer is None:
            fetch.answer = self._ports.clean(exchange, exchange.answer)
            fetch.small = self._small_size(fetch, fetch.answer)
            if fetch.small is None and not self._answered(fetch):
                return
        if fetch.small is not None and not self._goes_on_as_large(fetch, fetch.small):
            return
        if exchange.chunks and not self._receive(fetch):
            return
        if exchange.over:
            self._ended(fetch)

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
        first = transfer.work.untouched and transfer.known.version is None and fetch.segment.asked is None and answer.status == 200
        if not first or self._rate is not None or transfer.deadline is not None or "transfer-encoding" in answer.fields:
            return None
        most = min(SMALL, self._settings.reads.limit(transfer.options.threads))
        if not length.isdecimal() or len(length) > 5 or int(length) > most or transfer.known.unacceptable(int(length)) is not None:
            return None
        self._ports.files.prepare(transfer.download.path)
        return int(length)

    def _deliver(self, fetch: Fetch, size: int) -> None:
        data = fetch.body()
        if len(data) != size:
            raise OriginError(Failure("truncated", f"the body ended {size - len(data)} bytes early"))
        assert fetch.answer is not None
        self._let_go(fetch)
        content = Content(data, fetch.transfer.algorithms)
        self.commands.tell(fetch.transfer, Delivered(self._moment(), fetch.segment, fetch.answer, content))

    def _answered(self, fetch: Fetch) -> bool:
        """Let the transfer judge an answer; says whether its body is wanted."""
        assert fetch.answer is not None
        if not self.commands.tell(fetch.transfer, Answered(self._moment(), fetch.segment, fetch.answer)):
            self._let_go(fetch)
            return False
        transfer, segment = fetch.transfer, fetch.segment
        partial = self.commands.file(transfer).of(segment.epoch)
        if partial is None:
            self._let_go(fetch)
            return False
        size = transfer.known.size
        if size is not None:
            partial.reserve(size)
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, transfer.ledger.done)
        fetch.writer = Writer(partial, segment, 0, lambda: transfer.header)
        ticks = self._clock.ticks()
        segment.pace = Pace(ticks)
        fetch.watch = SpeedWatch(transfer.options.min_speed, ticks)
        if self._held_until is not None:
            self._ports.transport.pause(fetch.exchange)
        return True

    def _receive(self, fetch: Fetch) -> bool:
        """Write what came; says whether the fetch goes on."""
        data, ticks = fetch.body(), self._clock.ticks()
        room = fetch.transfer.admit(fetch.segment, len(data), ticks)
        if room and fetch.writer is not None:
            written(fetch.writer, data if room == len(data) else data[:room])
        if not room or fetch.has_all:
            self._finished(fetch, Ended(self._moment(), fetch.segment))
            return False
        self._hold(len(data), ticks)
        fetch.check_time(len(data), ticks)
        return True

    def _ended(self, fetch: Fetch) -> None:
        failure = fetch.exchange.failure
        if failure is not None:
            raise OriginError(failure)
        self._finished(fetch, Ended(self._moment(), fetch.segment))

    def _finished(self, fetch: Fetch, fact: Fact) -> None:
        fetch.record()
        self._let_go(fetch)
        self.commands.tell(fetch.transfer, fact)

    # Time

    def _hold(self, count: int, ticks: float) -> None:
        """Receive nothing for as long as the rate limit asks: the kernel holds the senders back."""
        seconds = self._rate.take(count, ticks) if self._rate else 0.0
        if seconds <= 0:
            return
        if self._held_until is None:
            for fetch in self._fetches.values():
                if fetch.writer is not None:
                    self._ports.transport.pause(fetch.exchange)
        self._held_until = max(self._held_until or 0.0, ticks + seconds)
        for fetch in self._fetches.values():
            if fetch.watch is not None:
                fetch.watch.rested(seconds)

    def _go_on(self, now: float) -> None:
        if self._held_until is not None and now >= self._held_until:
            self._held_until = None
            for fetch in list(self._fetches.values()):
                self._ports.transport.resume(fetch.exchange)

    def look(self) -> None:
        """Give up what takes too long."""
        ticks = self._clock.ticks()
        lagging = {id(segment) for segment in ([] if self._rate else self.board.laggards(ticks))}
        for fetch in list(self._fetches.values()):
            if id(fetch.segment) in lagging:
                self._guarded(fetch, lambda: self._finished(fetch, Lagged(self._moment(), fetch.segment)))  # noqa: B023 - called here
            elif fetch.writer is not None and fetch.transfer.deadline is not None:
                self._guarded(fetch, lambda: fetch.check_time(0, ticks))  # noqa: B023 - called here
            elif fetch.segment.cancelled:
                # Another has its bytes, or they are of a version that is gone.
                self._guarded(fetch, lambda: self._finished(fetch, Ended(self._moment(), fetch.segment)))  # noqa: B023 - called here

    def progress_made(self) -> list[ProgressMade]:
        """How far each open file is."""
        now = self._clock.now()
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

    # What helpers have done

    def helped(self, done: Done) -> None:
        """Take in what a helper has done."""
        self._helpers.took()
        host = self._opening.pop(done.download, None)
        transfer = self.board.open.get(done.download)
        if transfer is None:
            if host is not None:
                self.board.release(host)
            return
        if done.fact is None:
            if host is not None:
                self.board.release(host)
            self.commands.tell(transfer, Broke(self._moment(), None, failure_of(done.error)))
        elif host is not None:
            self._opened(transfer, host, done.fact)
        else:
            self.commands.tell(transfer, done.fact)

    def _let_go_of(self, transfer: Transfer) -> None:
        for fetch in [f for f in self._fetches.values() if f.transfer is transfer]:
            self._let_go(fetch)


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except StorageError:
        # What is not recorded is fetched again.
        return
