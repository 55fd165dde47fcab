"""Performs what transfers decide: the one place where requests are sent, bodies are read and pieces are written.

    Assignment --> open the partial file --> Opened     |  every fact goes to Transfer.step under the desk's lock;
               --> send the request      --> Answered   |  the commands that come back are performed outside it
               --> read, write, record   --> Ended or Broke --> Verify --> Hashed --> Place --> Placed

Any number of threads run this code at once, on different segments of the same or of other files.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from typing_extensions import assert_never

from marscore.errors import IntegrityError, OriginError, StorageError
from marscore.execute.desk import Desk
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
    Opened,
    PauseHost,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Unasked,
    Verify,
)
from marscore.execute.schedule import Assignment
from marscore.execute.transfer import Transfer
from marscore.execute.writing import LargeWriter, OpenFile, Writer
from marscore.journal import Header
from marscore.policy.hands import FILE_WEIGHT
from marscore.policy.pacing import SLOW_WINDOW, Lag, SpeedWatch
from marscore.ports import Partial, Request, Response
from marscore.values import Access, Failure, Timeouts

#: Files from this size on are hashed while they are written, and verified apart from the threads that receive.
LARGE = 4 * 1024 * 1024

_T = TypeVar("_T")


class Driver:
    """Carries out assignments in one thread."""

    def __init__(self, desk: Desk, files: dict[str, OpenFile]) -> None:
        self._desk = desk
        self._files = files
        #: Whose requests go out with the one at hand: transfers, their segments and their requests, in order.
        self._behind: deque[tuple[Transfer, Segment, Request]] = deque()

    def perform(self, assignment: Assignment) -> None:
        """Do what is assigned, whatever happens: a failure becomes a fact for the transfer, never an exception here."""
        transfer, segment = assignment.transfer, assignment.segment
        if segment is None:
            segment = self._guarded(transfer, None, lambda: self._open(transfer, assignment.host))
        if assignment.along:
            self._together(assignment, segment)
        elif segment is not None:
            self._attempt(transfer, segment, self._request(transfer, segment))

    def _together(self, assignment: Assignment, segment: Segment | None) -> None:
        """Fetch several files whose requests may go out together."""
        segments = [(assignment.transfer, segment)]
        for transfer in assignment.along:
            segments.append((transfer, self._guarded(transfer, None, lambda: self._open(transfer, assignment.host))))  # noqa: B023 - called here
        self._behind.extend((transfer, each, self._request(transfer, each)) for transfer, each in segments if each)
        self._desk.client.ahead([request for *_, request in self._behind])
        while self._behind:
            self._attempt(*self._behind.popleft())
        self._desk.client.ahead(())

    def _let_go(self) -> None:
        """Leave the files that were to come on this connection to others: what comes now takes its time."""
        self._desk.client.ahead(())
        while self._behind:
            transfer, segment, _ = self._behind.popleft()
            self._tell(transfer, Unasked(self._desk.moment(), segment))

    def _attempt(self, transfer: Transfer, segment: Segment, request: Request) -> None:
        self._guarded(transfer, segment, lambda: self._fetch(transfer, segment, request))

    def _guarded(self, transfer: Transfer, segment: Segment | None, act: Callable[[], _T]) -> _T | None:
        try:
            return act()
        except StorageError as error:
            self._broke(transfer, None, error.failure)
        except (OriginError, IntegrityError) as error:
            self._broke(transfer, segment, error.failure)
        except Exception as error:  # noqa: BLE001 - a defect fails its one download by name, and the run goes on
            self._broke(transfer, None, Failure("internal", f"{type(error).__name__}: {error}"))
        return None

    def _open(self, transfer: Transfer, host: str) -> Segment | None:
        file = self._files[transfer.download.id] = OpenFile(self._desk.files, transfer.download.path)
        moment = self._desk.moment
        fact = Opened(moment()) if transfer.work.untouched else file.reopen(moment)
        with self._desk.lock:
            commands = transfer.step(fact)
            # What is on disk may come from a mirror: then the slot that this thread holds is not the right one.
            segment = transfer.take(fact.at.ticks) if transfer.host == host else None
            self._settle(transfer)
        self._carry_out(transfer, commands)
        return segment

    def _request(self, transfer: Transfer, segment: Segment) -> Request:
        with self._desk.lock:
            return Request(segment.url, self._access(transfer), transfer.request_fields(segment))

    def _fetch(self, transfer: Transfer, segment: Segment, request: Request) -> None:
        desk = self._desk
        response = desk.client.open(request)
        try:
            receive = self._tell(transfer, Answered(desk.moment(), segment, response.answer))
            if self._behind and (transfer.known.size is None or transfer.known.size >= LARGE):
                self._let_go()
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
        kind: type[Writer] = Writer
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, done, desk.reads.spare(transfer.options.threads))
            kind = LargeWriter
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

    def _pump(self, transfer: Transfer, segment: Segment, response: Response, writer: Writer) -> Lag | None:
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
                self._let_go()
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
