"""One process's share of the run, in one thread: its loop owns the board, the transfers, the timers and the connections.

    submit, pause, widen, stop --inbox--> loop: transport.turn --> heads, chunks, ends --> Transfer.step --> commands
                                  helpers (what takes its time) --Done--> inbox                          --> events, in batches

Nothing here is guarded by a lock, since nobody else reaches it: whoever wants something of a worker puts it into the inbox, and wakes the
loop. The same worker runs in the run's own process and in children.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from typing_extensions import assert_never

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.events import DownloadSkipped, Event, ProgressMade, Warned
from marscore.execute.fetch import Clean, Fetch, written
from marscore.execute.helpers import Done, Helpers
from marscore.execute.outbox import Outbox
from marscore.execute.performer import LARGE
from marscore.execute.protocol import (
    Answered,
    Broke,
    Command,
    Delivered,
    Drop,
    Emit,
    Ended,
    Fact,
    Hashed,
    Identified,
    Identify,
    Lagged,
    Moment,
    Opened,
    PauseHost,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Stopped,
    Store,
    Verify,
    Work,
)
from marscore.execute.schedule import Assignment, Board
from marscore.execute.setup import Share, WorkerSettings
from marscore.execute.ticker import BEAT_EVERY, FLUSH_EVERY, PROGRESS_EVERY
from marscore.execute.transfer import Transfer
from marscore.execute.writing import OpenFile, Writer
from marscore.frozen import dataclass
from marscore.journal import Header
from marscore.policy.pacing import Pace, SpeedWatch, TokenBucket
from marscore.ports import Answer, Clock, Exchange, FileStore, Request, Transport
from marscore.resolve.model import Options
from marscore.state import Content
from marscore.url import parse_url
from marscore.values import Access, Failure, Timeouts, internal

#: Files up to this size are taken to their place from memory, if they come whole with their answer.
SMALL = 64 * 1024
#: Seconds that a loop gets to end when the run stops.
STOP_GRACE = 1.5


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


class LoopWorker:
    """Runs downloads in one thread. `send` takes batches of events."""

    def __init__(self, settings: WorkerSettings, ports: LoopPorts, send: Callable[[list[Event]], None]) -> None:
        self._settings = settings
        self._ports = ports
        self._clock = ports.clock
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outbox = Outbox(send)
        self._thread = threading.Thread(target=self._run, name="marscore-loop", daemon=True)
        self._show = ports.show or (self._outbox.extend if settings.progress == "events" else None)
        self._tell_pause: Callable[[str, float], None] = lambda host, seconds: None
        # What follows belongs to the loop's thread.
        self._board = Board(settings.share.per_host)
        self._helpers = Helpers(self._done)
        self._files: dict[str, OpenFile] = {}
        self._transfers: dict[str, Transfer] = {}
        #: Hosts whose slots are held by downloads whose partial files are looked at.
        self._opening: dict[str, str] = {}
        self._fetches: dict[Exchange, Fetch] = {}
        self._rate: TokenBucket | None = None
        #: Until when nothing is received, for the rate limit.
        self._held_until: float | None = None
        self._until = math.inf
        self._over = False
        self._last_access: tuple[Options, Access] | None = None
        now = self._clock.ticks()
        self._due = {self._flush: now, self._look: now, self._tell_progress: now, ports.beat: now}
        self._every = {self._flush: FLUSH_EVERY, self._look: FLUSH_EVERY, self._tell_progress: PROGRESS_EVERY, ports.beat: BEAT_EVERY}
        self._widen(settings.share)

    # What others ask of it, from any thread

    def on_pause(self, tell: Callable[[str, float], None]) -> None:
        """Have `tell(host, seconds)` called when a server asks this process to wait, so that others hear of it."""
        self._tell_pause = tell

    def start(self) -> None:
        """Start the loop.

        Raises:
            RuntimeError: the system starts no thread.
        """
        self._thread.start()

    def submit(self, works: Iterable[Work]) -> None:
        """Add downloads."""
        works = list(works)
        self._say(lambda: self._take_in(works))

    def pause(self, host: str, seconds: float) -> None:
        """Hold back new requests to a host, as another process was asked to."""
        self._say(lambda: self._board.slots.pause(host, self._clock.ticks() + seconds))

    def widen(self, share: Share) -> None:
        """Take a new share of the run's limits."""
        self._say(lambda: self._widen(share))

    def narrow(self, share: Share) -> int:
        """Take a smaller share of the run's limits; return how many connections to one host are in use, which may still be more."""
        used = [0]
        told = threading.Event()

        def take() -> None:
            self._widen(share)
            used[0] = self._board.slots.most_used
            told.set()

        self._say(take)
        told.wait(STOP_GRACE)
        return used[0]

    def stop(self, reason: Failure, unbegun: str) -> None:
        """Stop at once: what was received is recorded, begun downloads end with `reason`, the others as skipped.

        Raises:
            RuntimeError: the loop does not end in its grace.
        """
        self._say(lambda: self._stop(reason, unbegun))
        self._join()

    def close(self) -> None:
        """End the loop, which has nothing to do any more, and send the last events."""
        self._say(self._end)
        self._join()

    def _say(self, act: Callable[[], None]) -> None:
        self._inbox.put(act)
        self._ports.transport.wake()

    def _join(self) -> None:
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join(STOP_GRACE)
            if self._thread.is_alive():
                raise RuntimeError("the loop does not end")

    def _done(self, done: Done) -> None:
        self._say(lambda: self._helped(done))

    # The loop

    def _run(self) -> None:
        try:
            while not self._over:
                self._turn()
            self._flush()
        except BaseException as error:  # noqa: BLE001 - whatever it is, each download has its outcome
            self._die(error)
        finally:
            self._helpers.close()
            self._ports.transport.close()

    def _turn(self) -> None:
        news = self._ports.transport.turn(min(self._until, *self._due.values(), self._held_until or math.inf))
        while not self._inbox.empty():
            self._inbox.get()()
        for exchange in news:
            if fetch := self._fetches.get(exchange):
                self._guarded(fetch, lambda: self._hear(fetch))
        now = self._clock.ticks()
        self._go_on(now)
        for act, due in self._due.items():
            if due <= now:
                act()
                self._due[act] = now + self._every[act]
        if not self._over:
            self._fill()

    def _die(self, error: BaseException) -> None:
        """End all downloads by name: this worker is of no use any more."""
        try:
            failure = internal(error)
            self._stop(failure, failure.message)
            self._flush()
        except BaseException:  # noqa: BLE001 - without memory for that either, nobody would ever hear of its downloads
            self._ports.give_up()

    def _moment(self) -> Moment:
        return Moment(self._clock.now(), self._clock.ticks(), self._clock.draw())

    def _flush(self) -> None:
        self._outbox.flush()

    def _take_in(self, works: Sequence[Work]) -> None:
        self._ports.expect(works)
        self._board.add(works)

    def _widen(self, share: Share) -> None:
        self._board.widen(share.per_host)
        self._rate = None if share.max_rate is None else TokenBucket(share.max_rate, self._clock.ticks())

    def _end(self) -> None:
        self._over = True

    def _stop(self, reason: Failure, unbegun: str) -> None:
        now = self._clock.now()
        for fetch in list(self._fetches.values()):
            self._let_go(fetch)
            if fetch.writer is not None:
                self._quietly(fetch.writer.record)
        for transfer in list(self._board.open.values()):
            for command in transfer.step(Stopped(self._moment(), reason)):
                if isinstance(command, Emit):
                    self._outbox.put(command.event)
            self._board.settle(transfer)
            if file := self._files.pop(transfer.download.id, None):
                # Whatever it is worth, the next run decides.
                file.release(keep=True)
        for work in self._board.withdraw():
            self._outbox.put(DownloadSkipped(now, work.download.id, unbegun))
        self._over = True

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            act()
        except StorageError:
            # What is not recorded is fetched again.
            return

    # Beginning

    def _fill(self) -> None:
        """Begin what there is to do for the connections that are free."""
        self._until = math.inf
        while (free := self._settings.threads - len(self._fetches) - len(self._opening)) > 0:
            chosen = self._board.take(self._moment(), free - 1)
            if not isinstance(chosen, Assignment):
                self._until = math.inf if chosen.until is None else chosen.until
                break
            self._begin(chosen)
        if self._board.waiting <= self._settings.threads:
            # More is on its way by the time that it is needed.
            self._flush()

    def _begin(self, chosen: Assignment) -> None:
        transfer, host = chosen.transfer, chosen.host
        if chosen.segment is not None:
            self._ask(transfer, chosen.segment, host)
            return
        if transfer.work.untouched:
            self._opened(transfer, host, Opened(self._moment()))
            return
        self._opening[transfer.download.id] = host
        file = self._file(transfer)
        moment = self._moment
        self._helpers.do(transfer.download.id, lambda: file.reopen(moment))

    def _opened(self, transfer: Transfer, host: str, fact: Fact) -> None:
        self._tell(transfer, fact)
        # What is on disk may come from a mirror: then the slot that is held is not the right one.
        segment = transfer.take(fact.at.ticks) if transfer.host == host and not transfer.closed else None
        self._board.settle(transfer)
        if segment is None:
            self._board.release(host)
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
            self._quietly(fetch.writer.record)
        self._tell(fetch.transfer, Broke(self._moment(), segment, failure))

    def _let_go(self, fetch: Fetch) -> None:
        """Give the fetch's connection and slot back."""
        if self._fetches.pop(fetch.exchange, None) is not None:
            if not fetch.exchange.over:
                self._ports.transport.cancel(fetch.exchange)
            self._board.release(fetch.host)

    def _hear(self, fetch: Fetch) -> None:
        """Take in what is new of a fetch."""
        exchange = fetch.exchange
        if exchange.answer is not None and fetch.answer is None:
            fetch.answer = self._ports.clean(exchange, exchange.answer)
            fetch.small = self._small_size(fetch, fetch.answer)
            if fetch.small is None and not self._answered(fetch):
                return
        if fetch.small is not None:
            if not exchange.over:
                return
            if exchange.failure is None:
                self._deliver(fetch, fetch.small)
                return
            fetch.small = None
            if not self._answered(fetch):
                return
        if exchange.chunks and not self._receive(fetch):
            return
        if exchange.over:
            self._ended(fetch)

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
        self._tell(fetch.transfer, Delivered(self._moment(), fetch.segment, fetch.answer, content))

    def _answered(self, fetch: Fetch) -> bool:
        """Let the transfer judge an answer; says whether its body is wanted."""
        assert fetch.answer is not None
        if not self._tell(fetch.transfer, Answered(self._moment(), fetch.segment, fetch.answer)):
            self._let_go(fetch)
            return False
        transfer, segment = fetch.transfer, fetch.segment
        partial = self._file(transfer).of(segment.epoch)
        if partial is None:
            self._let_go(fetch)
            return False
        size = transfer.known.size
        if size is not None:
            partial.reserve(size)
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, transfer.ledger.done)
        fetch.writer = Writer(partial, segment, 0, lambda: self._header(transfer))
        ticks = self._clock.ticks()
        segment.pace = Pace(ticks)
        fetch.watch = SpeedWatch(transfer.options.min_speed, ticks)
        if self._held_until is not None:
            self._ports.transport.pause(fetch.exchange)
        return True

    def _header(self, transfer: Transfer) -> Header:
        return transfer.header

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
        self._tell(fetch.transfer, fact)

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

    def _look(self) -> None:
        """Give up what takes too long."""
        ticks = self._clock.ticks()
        lagging = {id(segment) for segment in ([] if self._rate else self._board.laggards(ticks))}
        for fetch in list(self._fetches.values()):
            if id(fetch.segment) in lagging:
                self._guarded(fetch, lambda: self._finished(fetch, Lagged(self._moment(), fetch.segment)))  # noqa: B023 - called here
            elif fetch.writer is not None and fetch.transfer.deadline is not None:
                self._guarded(fetch, lambda: fetch.check_time(0, ticks))  # noqa: B023 - called here
            elif fetch.segment.cancelled:
                # Another has its bytes, or they are of a version that is gone.
                self._guarded(fetch, lambda: self._finished(fetch, Ended(self._moment(), fetch.segment)))  # noqa: B023 - called here

    def _tell_progress(self) -> None:
        if self._show is None:
            return
        now = self._clock.now()
        self._show(
            [
                ProgressMade(
                    now,
                    transfer.download.id,
                    transfer.ledger.bytes_done,
                    transfer.known.size,
                    transfer.bytes_downloaded,
                    len(transfer.ledger.active),
                    transfer.segments_finished,
                )
                for transfer in self._board.open.values()
            ]
        )

    # Deciding and doing

    def _file(self, transfer: Transfer) -> OpenFile:
        name = transfer.download.id
        return self._files.get(name) or self._files.setdefault(name, OpenFile(self._ports.files, transfer.download.path))

    def _tell(self, transfer: Transfer, fact: Fact) -> bool:
        """Let the transfer decide and do what it says; says whether it wants the body of the answer."""
        receive, facts = False, [fact]
        while facts:
            for command in transfer.step(facts.pop(0)):
                receive = receive or isinstance(command, Receive)
                try:
                    if (following := self._do(transfer, command)) is not None:
                        facts.append(following)
                except Exception as error:  # noqa: BLE001 - what goes wrong with a file is told to its transfer
                    facts.append(Broke(self._moment(), None, _failure_of(error)))
        self._board.settle(transfer)
        return receive

    def _do(self, transfer: Transfer, command: Command) -> Fact | None:
        match command:
            case Emit():
                self._outbox.put(command.event)
            case PauseHost():
                self._board.slots.pause(command.host, self._clock.ticks() + command.seconds)
                self._tell_pause(command.host, command.seconds)
            case Verify() | Place():
                return self._with_partial(transfer, command)
            case Store():
                identity = self._ports.files.store(transfer.download.path, command.content)
                return Placed(self._moment(), identity, command.content.digests)
            case Identify():
                return Identified(self._moment(), self._ports.files.identify(transfer.download.path))
            case Release():
                self._release(transfer, command.keep)
            case Receive() | Drop():
                pass
            case _:
                assert_never(command)
        return None

    def _with_partial(self, transfer: Transfer, command: Verify | Place) -> Fact | None:
        partial = self._file(transfer).of(command.epoch)
        if partial is None:
            raise StorageError(Failure("interrupted", "the run ended before the file got its name"))
        path, moment = transfer.download.path, self._moment

        def act() -> Fact:
            if isinstance(command, Verify):
                return Hashed(moment(), partial.digests(command.size, command.algorithms))
            return Placed(moment(), partial.finish(path, command.size, command.digests), command.digests)

        if command.size < LARGE:
            return act()
        self._helpers.do(transfer.download.id, act)
        return None

    def _helped(self, done: Done) -> None:
        """Take in what a helper has done."""
        self._helpers.took()
        host = self._opening.pop(done.download, None)
        transfer = self._board.open.get(done.download)
        if transfer is None:
            if host is not None:
                self._board.release(host)
            return
        if done.fact is None:
            if host is not None:
                self._board.release(host)
            self._tell(transfer, Broke(self._moment(), None, _failure_of(done.error)))
        elif host is not None:
            self._opened(transfer, host, done.fact)
        else:
            self._tell(transfer, done.fact)

    def _release(self, transfer: Transfer, keep: bool) -> None:
        for fetch in [f for f in self._fetches.values() if f.transfer is transfer]:
            self._let_go(fetch)
        file = self._files.pop(transfer.download.id, None)
        failure = file.release(keep) if file else None
        if failure:
            self._outbox.put(Warned(self._clock.now(), transfer.download.id, f"what is left of it stays: {failure.message}"))


def _failure_of(error: BaseException | None) -> Failure:
    if isinstance(error, (StorageError, OriginError, IntegrityError)):
        return error.failure
    return internal(error or RuntimeError())
