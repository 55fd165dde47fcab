"""Performs what transfers decide: the one place where requests are sent, bodies are read and pieces are written.

    Assignment --> open the partial file --> Opened     |  every fact goes to Transfer.step under the desk's lock;
               --> send the request      --> Answered   |  the commands that come back are performed outside it
               --> read, write, record   --> Ended or Broke --> Verify --> Hashed --> Place --> Placed

Any number of threads run this code at once, on different segments of the same or of other files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from typing_extensions import assert_never

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.execute.protocol import (
    Answered,
    Broke,
    Command,
    Drop,
    Emit,
    Ended,
    Fact,
    Hashed,
    Lagged,
    Moment,
    Opened,
    PauseHost,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Verify,
)
from marscore.execute.schedule import Assignment, Board
from marscore.execute.transfer import Transfer
from marscore.journal import Header, PieceHasher
from marscore.policy.hands import FILE_WEIGHT, Reading
from marscore.policy.pacing import SLOW_WINDOW, Lag, SpeedWatch, TokenBucket
from marscore.ports import Clock, EventSink, FileStore, HttpClient, Partial, Request, Response
from marscore.resolve.model import Options
from marscore.values import Access, ByteRange, Failure, Timeouts

#: Files from this size on are hashed while they are written, and verified apart from the threads that receive.
LARGE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reads:
    """How bodies are read: at most `chunk` bytes at once, and at most `buffer` held for one file over all its connections."""

    chunk: int
    buffer: int

    def limit(self, connections: int) -> int:
        """The bytes that one read of one of a file's connections may bring."""
        return max(1024, min(self.chunk, self.buffer // max(1, connections)))

    def spare(self, connections: int) -> int:
        """How many pieces of so many bytes may be held besides those that the connections read into."""
        return max(0, self.buffer // self.limit(connections) - max(1, connections))


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
        self.stop_reason: Failure | None = None
        self.stopped = threading.Event()
        self.rate: TokenBucket | None = None
        #: Bytes that came, and a bit for each file; threads add to it without a lock, since it need not be exact.
        self.progress = 0
        #: Seconds that threads spent on receiving and on writing; added to in the same way.
        self.receiving = 0.0
        self.writing = 0.0
        #: Since when those threads receive that do.
        self.since: dict[int, float] = {}
        self.on_pause: Callable[[str, float], None] = lambda host, seconds: None
        self.on_verified: Callable[[], None] = lambda: None
        self._rate_lock = threading.Lock()
        self._accesses: dict[int, tuple[Options, Access]] = {}
        self._now, self._ticks, self._draw = clock.now, clock.ticks, clock.draw

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._now(), self._ticks(), self._draw())

    def access(self, options: Options) -> Access:
        """How to reach the origin of a download; many of them share one Options value."""
        known = self._accesses.get(id(options))
        if known is None:
            # Held with the options themselves, so that no others get their identity.
            known = self._accesses[id(options)] = options, options.access
        return known[1]

    def reading(self) -> Reading:
        """What tells whether more threads would help."""
        ticks = self.clock.ticks()
        waiting = sum(max(0.0, ticks - since) for since in list(self.since.values()))
        return Reading(ticks, self.clock.used(), self.progress, self.receiving + waiting, self.writing)

    def pace(self, count: int) -> None:
        """Wait as long as the rate limit asks after `count` bytes."""
        if self.rate is None:
            return
        with self._rate_lock:
            seconds = self.rate.take(count, self.clock.ticks())
        if seconds > 0:
            self.stopped.wait(seconds)

    def pause(self, host: str, seconds: float) -> None:
        """Hold back every new request of this process to a host."""
        with self.changed:
            self.board.slots.pause(host, self.clock.ticks() + seconds)


class OpenFile:
    """The partial file of a transfer, made anew when a new epoch begins; threads of an older epoch get none."""

    def __init__(self, files: FileStore, path: str) -> None:
        self._files = files
        self._path = path
        self._lock = threading.Lock()
        self._partial: Partial | None = None
        self._epoch = 0
        self._closed = False

    def reopen(self, at: Callable[[], Moment]) -> Opened:
        """Look for what an earlier run left and prove it piece by piece."""
        found = self._files.reopen(self._path)
        if found is None:
            return Opened(at())
        self._partial, journal = found
        proven: list[ByteRange] = []
        damaged = 0
        for piece in journal.pieces:
            if _holds(self._partial, piece.range, piece.hash):
                proven.append(piece.range)
            else:
                damaged += len(piece.range)
        header = journal.header
        return Opened(at(), tuple(proven), len(proven), damaged, header.size, header.validator, header.encoding, header.url_key)

    def of(self, epoch: int) -> Partial | None:
        """The partial file of an epoch; None if a newer one has begun or the transfer is over."""
        with self._lock:
            if self._closed or epoch < self._epoch:
                return None
            if self._partial is None or epoch > self._epoch:
                if self._partial is not None:
                    self._partial.discard()
                self._partial = self._files.create(self._path)
                self._epoch = epoch
            return self._partial

    def release(self, keep: bool) -> None:
        """Let go of it, kept for another run or removed."""
        with self._lock:
            self._closed = True
            if self._partial is not None:
                (self._partial.close if keep else self._partial.discard)()
                self._partial = None


def _holds(partial: Partial, span: ByteRange, digest: str) -> bool:
    hasher = PieceHasher(span.start)
    while hasher.length < len(span):
        data = partial.read(span.start + hasher.length, min(1024 * 1024, len(span) - hasher.length))
        if not data:
            return False
        hasher.update(data)
    return hasher.piece().hash == digest


class Driver:
    """Carries out assignments in one thread."""

    def __init__(self, desk: Desk, files: dict[str, OpenFile]) -> None:
        self._desk = desk
        self._files = files

    def perform(self, assignment: Assignment) -> None:
        """Do what is assigned, whatever happens: a failure becomes a fact for the transfer, never an exception here."""
        transfer, segment = assignment.transfer, assignment.segment
        try:
            if segment is None:
                segment = self._open(assignment)
            if segment is not None:
                self._fetch(transfer, segment)
        except StorageError as error:
            self._broke(transfer, None, error.failure)
        except (OriginError, IntegrityError) as error:
            self._broke(transfer, segment, error.failure)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            self._broke(transfer, None, Failure("internal", f"{type(error).__name__}: {error}"))

    def _open(self, assignment: Assignment) -> Segment | None:
        transfer = assignment.transfer
        file = self._files[transfer.download.id] = OpenFile(self._desk.files, transfer.download.path)
        moment = self._desk.moment
        fact = Opened(moment()) if transfer.work.untouched else file.reopen(moment)
        with self._desk.lock:
            commands = transfer.step(fact)
            # What is on disk may come from a mirror: then the slot that this thread holds is not the right one.
            segment = transfer.take(fact.at.ticks) if transfer.host == assignment.host else None
            self._settle(transfer)
        self._carry_out(transfer, commands)
        return segment

    def _fetch(self, transfer: Transfer, segment: Segment) -> None:
        desk = self._desk
        with desk.lock:
            request = Request(segment.url, self._access(transfer), transfer.request_fields(segment))
        response = desk.client.open(request)
        try:
            receive = self._tell(transfer, Answered(desk.moment(), segment, response.answer))
            lag = self._receive(transfer, segment, response) if receive else None
        finally:
            response.close()
        if receive:
            desk.progress += FILE_WEIGHT
            at = desk.moment()
            self._tell(transfer, Lagged(at, segment, lag) if lag else Ended(at, segment))

    def _access(self, transfer: Transfer) -> Access:
        access = self._desk.access(transfer.options)
        if transfer.deadline is None:
            return access
        left = max(0.1, transfer.deadline - self._desk.clock.ticks())
        times = access.timeouts
        return replace(access, timeouts=Timeouts(min(times.connect, left), min(times.read, left), times.total))

    def _receive(self, transfer: Transfer, segment: Segment, response: Response) -> Lag | None:
        desk = self._desk
        with desk.lock:
            epoch, size, done = segment.epoch, transfer.known.size, transfer.ledger.done
        partial = self._files[transfer.download.id].of(epoch)
        if partial is None:
            return None
        if size is not None:
            partial.reserve(size)
        limit = desk.reads.limit(transfer.options.threads)
        kind = _Writer
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, done, desk.reads.spare(transfer.options.threads))
            kind = _LargeWriter
        writer = kind(partial, segment, limit, lambda: self._header(transfer))
        try:
            lag = self._pump(transfer, segment, response, writer)
        except Exception:
            writer.record()
            raise
        # A file that came whole and in one piece needs no record: it is proven and named at once.
        if desk.stopped.is_set() or segment.begin or segment.remaining or writer.recorded or not segment.whole:
            writer.record()
        return lag

    def _header(self, transfer: Transfer) -> Header:
        with self._desk.lock:
            return transfer.header

    def _pump(self, transfer: Transfer, segment: Segment, response: Response, writer: _Writer) -> Lag | None:
        desk = self._desk
        began = desk.clock.ticks()
        watch = SpeedWatch(transfer.options.min_speed, began)
        while not (segment.end is not None and segment.position >= segment.end):
            if desk.stopped.is_set():
                # Not the end of the body, which of a body without a length would be the end of the file.
                raise OriginError(Failure("interrupted", "the run was told to stop"))
            desk.since[id(segment)] = began
            try:
                data = writer.read(response, desk.rate.burst if desk.rate else None)
            finally:
                del desk.since[id(segment)]
            came = desk.clock.ticks()
            desk.receiving += came - began
            if not data:
                break
            with desk.lock:
                room = transfer.admit(segment, len(data))
                # A rate limit slows them all, in turns.
                lag = transfer.lag(segment, room, came) if desk.rate is None else None
            if not room:
                break
            writer.write(data if room == len(data) else data[:room])
            desk.progress += len(data)
            # The wait for the rate limit is ours too: more connections would not shorten it.
            desk.pace(len(data))
            began = desk.clock.ticks()
            desk.writing += began - came
            self._check_time(transfer, watch, len(data), began)
            if lag is not None:
                return lag
        return None

    def _check_time(self, transfer: Transfer, watch: SpeedWatch, count: int, ticks: float) -> None:
        if transfer.deadline is not None and ticks >= transfer.deadline:
            raise OriginError(Failure("timeout", f"the download took longer than its total of {transfer.options.timeouts.total:g} s"))
        if watch.too_slow(count, ticks):
            raise OriginError(Failure("too_slow", f"slower than min_speed, {transfer.options.min_speed} bytes/s, for {SLOW_WINDOW:g} s"))

    def _broke(self, transfer: Transfer, segment: Segment | None, failure: Failure) -> None:
        # Once the run stops, what breaks breaks for that reason; the worker tells the transfers when its threads have left.
        if not self._desk.stopped.is_set():
            self._tell(transfer, Broke(self._desk.moment(), segment, failure))

    def _tell(self, transfer: Transfer, fact: Fact) -> bool:
        """Let the transfer decide and do what it says. Returns whether it wants the body of the answer."""
        with self._desk.lock:
            commands = transfer.step(fact)
            self._settle(transfer)
        return self._carry_out(transfer, commands)

    def _carry_out(self, transfer: Transfer, commands: list[Command]) -> bool:
        receive = False
        next_fact: Fact | None = None
        for command in commands:
            receive = receive or isinstance(command, Receive)
            next_fact = self._do(transfer, command) or next_fact
        return receive or (next_fact is not None and self._tell(transfer, next_fact))

    def _settle(self, transfer: Transfer) -> None:
        # Only who has something to take is woken: waking costs more than a small file.
        if self._desk.board.settle(transfer) or transfer.can_share():
            self._desk.changed.notify_all()

    def _do(self, transfer: Transfer, command: Command) -> Fact | None:
        match command:
            case Emit():
                self._desk.sink(command.event)
            case PauseHost():
                self._desk.pause(command.host, command.seconds)
                self._desk.on_pause(command.host, command.seconds)
            case Verify():
                if command.size < LARGE:
                    return self._verify(transfer, command)
                # In a thread of its own: a connection is not to stand idle while a file is hashed.
                threading.Thread(target=self._verify_apart, args=(transfer, command), name="marscore-verify", daemon=True).start()
            case Place():
                identity = self._partial(transfer).finish(transfer.download.path, command.size, command.digests)
                return Placed(self._desk.moment(), identity)
            case Release():
                self._close(transfer, command.keep)
            case Receive() | Drop():
                pass
            case _:
                assert_never(command)
        return None

    def _close(self, transfer: Transfer, keep: bool) -> None:
        file = self._files.pop(transfer.download.id, None)
        if file is not None:
            file.release(keep)

    def _verify_apart(self, transfer: Transfer, command: Verify) -> None:
        try:
            self._tell(transfer, self._verify(transfer, command))
        except StorageError as error:
            self._broke(transfer, None, error.failure)
        except Exception as error:  # noqa: BLE001 - as in perform
            self._broke(transfer, None, Failure("internal", f"{type(error).__name__}: {error}"))
        self._desk.on_verified()

    def _verify(self, transfer: Transfer, command: Verify) -> Fact:
        return Hashed(self._desk.moment(), self._partial(transfer).digests(command.size, command.algorithms))

    def _partial(self, transfer: Transfer) -> Partial:
        partial = self._files[transfer.download.id].of(transfer.ledger.epoch)
        if partial is None:
            raise StorageError(Failure("interrupted", "the run ended before the file got its name"))
        return partial


class _Writer:
    """Writes a segment's bytes at their place and records them piece by piece."""

    def __init__(self, partial: Partial, segment: Segment, limit: int, header: Callable[[], Header]) -> None:
        self._partial = partial
        self._segment = segment
        self._limit = limit
        self._header = header
        self._hasher = PieceHasher(segment.position)
        self.recorded = False

    def read(self, response: Response, most: int | None) -> bytes | memoryview:
        """Receive the next bytes: at most as many as the piece still needs."""
        return response.read(self._most(most))

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes; a piece that is full is recorded."""
        self._take(data)
        self._segment.written += len(data)
        if not self._hasher.room:
            self.record()

    def record(self) -> None:
        """Record what was written since the last piece."""
        if self._hasher.length:
            if not self.recorded:
                self._partial.describe(self._header())
            self._partial.record(self._hasher.piece())
            self._hasher = PieceHasher(self._segment.written)
            self.recorded = True

    def _most(self, most: int | None) -> int:
        return min(self._limit, self._hasher.room, most or self._limit)

    def _take(self, data: bytes | memoryview) -> None:
        self._partial.write(self._segment.written, data)
        self._hasher.update(data)


class _LargeWriter(_Writer):
    """The same for a file that is hashed while it is written: its bytes stay in memory of the file's own until they are."""

    def read(self, response: Response, most: int | None) -> bytes | memoryview:
        """Receive the next bytes: at most as many as the piece still needs."""
        memory = self._partial.lend(self._limit)
        return memory[: response.read_into(memory[: self._most(most)])]

    def _take(self, data: bytes | memoryview) -> None:
        assert isinstance(data, memoryview)
        # Hashed first, since what was written is no longer ours.
        before = self._hasher.copy()
        self._hasher.update(data)
        try:
            self._partial.write_lent(self._segment.written, data)
        except StorageError:
            self._hasher = before
            raise
