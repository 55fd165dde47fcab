"""What one process has on its way: which downloads are begun, on which connections, and what is given up.

    Board.take --> a partial file that is looked at by a helper --> Exchange --transport--> Receiving --> Transfer --> Board
               or, of one that is untouched, at once

All of it belongs to the loop's thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from marscore.events import BytesReceived, DownloadSkipped, ProgressMade
from marscore.execute.transfer.protocol import Broke, Opened, Segment, Work
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.board import Assignment, Board
from marscore.execute.worker.commands import Commands
from marscore.execute.worker.fetch import Fetch, Fetches
from marscore.execute.worker.helpers import Done, Helpers, HelperThreads
from marscore.execute.worker.outbox import Outbox
from marscore.execute.worker.placing import MOST_WAITING, Placing
from marscore.execute.worker.receiving import Receiving
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.execute.worker.writing import reopen
from marscore.frozen import dataclass
from marscore.ports import Answer, Clock, Exchange, FileStore, Partial, Request, Transport, Unpacker
from marscore.resolve.model import Options
from marscore.url import parse_url
from marscore.values import Access, Failure

#: Reading and hashing keep a core busy each; what waits for a disk gains from more.
_HASHING, _AT_THE_DISK = 4, 16
#: What waits for an object store to take a file: some tens of milliseconds each, and for a large file long.
_AT_THE_STORE, _SENDING = 64, 8
#: Each decompresses one archive.
_UNPACKING = 2
#: The share of its time that the loop has to wait for bytes for a file to get further connections: one that is busy with those that come
#: gains nothing from them (over loopback, 1 GiB takes 1.06 s with one connection and 1.3 s with four).
IDLE = 0.5


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters that a worker acts through.

    `helpers` makes those who do what takes its time: at most so many, and what takes what they have done. `clean` leaves out of an answer
    what repeats a secret. `show` takes readings of progress, where they do not go among the events;
    `expect` is told of works before they begin; `beat` is called every second for as long as the worker works, and `give_up` where it broke
    and some of its downloads may never be told of: with why, or None where there is no memory even for that. `unpacker` is there where an
    archive is to be unpacked. `is_far` says that files get their places over a network, so that nothing of it is left to the loop.
    """

    transport: Transport
    files: FileStore
    clock: Clock
    clean: Callable[[Exchange, Answer], Answer] = lambda exchange, answer: answer
    show: Callable[[Sequence[ProgressMade]], None] | None = None
    expect: Callable[[Iterable[Work]], None] = lambda works: None
    beat: Callable[[], None] = lambda: None
    give_up: Callable[[Failure | None], None] = lambda failure: None
    helpers: Callable[[int, Callable[[Done], None]], Helpers] = HelperThreads
    unpacker: Unpacker | None = None
    is_far: bool = False


class Engine:
    """Begins downloads as far as connections are free, and carries them to their ends."""

    def __init__(self, settings: WorkerSettings, ports: Ports, outbox: Outbox, answer: Callable[[Done], None]) -> None:
        """Begin nothing yet; `answer` takes what helpers have done, from any thread."""
        self._settings = settings
        self._ports = ports
        self._clock = ports.clock
        self._outbox = outbox
        self.board = Board(settings.share.per_host)
        self._hashing, self._at_the_disk = ports.helpers(_HASHING, answer), ports.helpers(_AT_THE_DISK, answer)
        self._unpacking = ports.helpers(_UNPACKING, answer)
        self._fetches = Fetches(ports.transport, self.board)
        self._sending = [ports.helpers(count, answer) for count in (_AT_THE_STORE, _SENDING)] if ports.is_far else []
        placing, most = (self._sending[0], _AT_THE_STORE) if ports.is_far else (self._at_the_disk, _AT_THE_DISK)
        self._placing = Placing(ports.files, ports.clock, placing, most, ports.is_far)
        self.commands = Commands(self.board, ports.files, ports.clock, self._hashing, outbox.put)
        self.commands.place_by(self._placing)
        self.commands.sending = self._sending[1] if ports.is_far else None
        if ports.unpacker is not None:
            self.commands.unpack_by(ports.unpacker, self._unpacking)
        self.commands.let_go = self._let_go_of
        self._receiving = Receiving(self._fetches, self.commands, ports.files, ports.clean, ports.clock)
        self._receiving.write_by(self._at_the_disk, settings.buffer)
        outbox.count = self._bytes_received
        #: When it was counted last what came, in ticks.
        self._counted: float | None = None
        self._moment = self.commands.moment
        #: Hosts whose slots are held by downloads whose partial files are looked at.
        self._opening: dict[str, str] = {}
        #: When the board has something to do again.
        self._until = -math.inf
        #: When the last look was, and for how long turns had waited by then.
        self._looked: tuple[float, float] | None = None
        self.board.sharing = False
        self._last_access: tuple[Options, Access] | None = None
        self._receiving.limit(settings.share.max_rate)

    def take_in(self, works: Sequence[Work]) -> None:
        """Add downloads."""
        # First, so that they have their outcome whatever happens next.
        self.board.add(works)
        self._ports.expect(works)

    def give_back(self, most: int) -> tuple[str, ...]:
        """Have no more to do with at most so many of those that were not begun; returns their ids."""
        return tuple(work.download.id for work in self.board.give_back(most))

    def widen(self, share: Share) -> None:
        """Take another share of the run's limits."""
        self.board.widen(share.per_host, self._clock.ticks())
        self._receiving.limit(share.max_rate)

    def narrow(self, share: Share) -> int:
        """Take a smaller share; returns how many connections to one host are in use, which may still be more."""
        self.widen(share)
        # Those that wait for another request would count for the others, too.
        self._ports.transport.close_idle()
        return self.board.slots.most_used

    def pause(self, host: str, seconds: float) -> None:
        """Begin no request to a host for so long."""
        ticks = self._clock.ticks()
        self.board.pause(host, ticks + seconds, ticks)

    def pace(self, host: str) -> None:
        """Ask a host more slowly."""
        self.board.changed = True
        self.board.slots.pace(host).slow_down(self._clock.ticks())

    @property
    def due(self) -> float:
        """When there is something to begin again, or to go on with, in ticks."""
        return min(self._until, self._receiving.held_until)

    def turn(self, until: float) -> None:
        """Send and receive until something comes, at most until `until` ticks."""
        for exchange in self._ports.transport.turn(until):
            if fetch := self._fetches.of(exchange):
                self._receiving.hear(fetch)
        self._placing.hand_over()
        self._receiving.rested(self._clock.ticks())

    def stop(self, reason: Failure, unbegun: str) -> None:
        """End everything: what was received is recorded."""
        now = self._clock.now()
        for fetch in self._fetches:
            self._receiving.stop(fetch)
        for transfer in list(self.board.open.values()):
            self.commands.stop(transfer, reason)
        for work in self.board.withdraw():
            self._outbox.put(DownloadSkipped(now, work.download.id, unbegun))

    def close(self) -> None:
        """Let go of connections and helpers."""
        self._hashing.close()
        self._at_the_disk.close()
        for helpers in (self._unpacking, *self._sending):
            helpers.close()
        self._ports.transport.close()

    # Beginning

    def fill(self) -> None:
        """Begin what there is to do for the connections that are free."""
        if not self.board.changed and self._clock.ticks() < self._until:
            return
        self._until = math.inf
        # Nothing is begun while nothing is received, or what was waits for the disk: it is looked for again later.
        self.board.changed = blocked = self._receiving.held_until < math.inf or self._placing.waiting >= MOST_WAITING
        if blocked:
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
            fetch = next((fetch for fetch in self._fetches if fetch.segment is segment), None)
            if fetch is None:
                # It has no connection any more: what came of it is still being written.
                return
            self._receiving.guarded(fetch, self._receiving.yield_)
            self.fill()

    def _free(self) -> int:
        return self._settings.threads - len(self._fetches) - len(self._opening)

    def _begin(self, chosen: Assignment) -> None:
        transfer, host = chosen.transfer, chosen.host
        if chosen.segment is not None:
            self._ask(transfer, chosen.segment, host)
            return
        if transfer.work.untouched or transfer.work.in_place is not None:
            self._opened(transfer, host, Opened(self._moment()))
            return
        self._opening[transfer.download.id] = host
        files, path, moment = self._ports.files, transfer.download.path, self._moment
        self._hashing.do(lambda: reopen(files, path, moment), lambda found, error: self._reopened(transfer, found, error))

    def _reopened(self, transfer: Transfer, found: tuple[Partial | None, Opened] | None, error: BaseException | None) -> None:
        host = self._opening.pop(transfer.download.id)
        partial, fact = found or (None, None)
        if fact is None or transfer.closed:
            self.board.release(host)
            if partial is not None:
                partial.close()
            self.commands.helped(transfer, None, error)
            return
        self.commands.adopt(transfer, partial)
        self._opened(transfer, host, fact)

    def _opened(self, transfer: Transfer, host: str, fact: Opened) -> None:
        self.commands.carry_out(transfer, fact)
        # What is on disk may come from a mirror: then the slot that is held is not the right one.
        segment = None if transfer.closed else transfer.take(fact.at.ticks, lambda other: other == host)
        self.board.settle(transfer)
        if segment is None:
            self.board.release(host)
        else:
            self._ask(transfer, segment, host)

    def _ask(self, transfer: Transfer, segment: Segment, host: str) -> None:
        request = Request(parse_url(segment.url), self._access(transfer), transfer.request_fields(segment), transfer.method)
        exchange = Exchange(request, max_rate=self._receiving.max_rate, at_once=self._at_once(transfer, segment))
        self._fetches.begin(Fetch(transfer, segment, host, exchange))

    def _at_once(self, transfer: Transfer, segment: Segment) -> int:
        """What a connection may bring in a turn: of what may be held of a file the first a third, and the others a share of another.

        The last third is what may wait for a disk that is slow (`Bodies`).
        """
        third = self._settings.buffer // 3
        return third if transfer.ledger.active[0] is segment else third // transfer.options.threads

    def _access(self, transfer: Transfer) -> Access:
        # The same for many: how to reach an origin is looked up by it.
        last = self._last_access
        if last is None or last[0] is not transfer.options:
            last = self._last_access = transfer.options, transfer.options.access
        return last[1]

    # Now and then

    def look(self) -> None:
        """Give up what takes too long, and see whether more connections would help."""
        ticks = self._clock.ticks()
        self._measure(ticks)
        lagging = {id(segment) for segment in ([] if self._receiving.max_rate else self.board.laggards(ticks))}
        for fetch in self._fetches:
            lags = id(fetch.segment) in lagging
            self._receiving.guarded(fetch, lambda fetch, lags=lags: self._receiving.look(fetch, ticks, lags))  # type: ignore[misc]
        for transfer in [transfer for transfer in self.board.open.values() if transfer.waits_too_long(ticks)]:
            self.commands.tell(transfer, Broke(self._moment(), None, transfer.overdue))

    def _measure(self, ticks: float) -> None:
        """Let files have further connections where this thread waits for bytes for most of its time."""
        waited = self._ports.transport.waited
        last, self._looked = self._looked, (ticks, waited)
        if last is not None and ticks > last[0]:
            then, waited_then = last
            self.board.sharing = waited - waited_then > IDLE * (ticks - then)
            self.board.changed = self.board.changed or self.board.sharing

    def _bytes_received(self) -> BytesReceived | None:
        """The bytes of bodies that came since this was asked last; None: there were none."""
        count, self._receiving.received = self._receiving.received, 0
        then, self._counted = self._counted, self._clock.ticks()
        return BytesReceived(self._clock.now(), count, self._counted - (self._counted if then is None else then)) if count else None

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

    def _let_go_of(self, transfer: Transfer) -> None:
        for fetch in self._fetches:
            if fetch.transfer is transfer:
                fetch.forget_queue()
                self._fetches.let_go(fetch)
