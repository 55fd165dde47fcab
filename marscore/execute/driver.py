"""Performs what transfers decide: the one place where requests are sent, bodies are read and pieces are written.

    Assignment --> open the partial file --> Opened     |  every fact goes to Transfer.step under the desk's lock;
               --> send the request      --> Answered   |  the commands that come back are performed outside it
               --> read, write, record   --> Ended or Broke --> Verify --> Hashed --> Place --> Placed

Any number of threads run this code at once, on different segments of the same or of other files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from marscore.errors import OriginError
from marscore.execute.desk import Desk
from marscore.execute.performer import LARGE, Performed, Performer
from marscore.execute.protocol import (
    Answered,
    Delivered,
    Ended,
    Fact,
    Lagged,
    Opened,
    Segment,
    Unasked,
)
from marscore.execute.schedule import Assignment
from marscore.execute.transfer import Transfer
from marscore.execute.writing import Begun, LargeWriter, OpenFile, Writer
from marscore.journal import Header
from marscore.policy.hands import FILE_WEIGHT
from marscore.policy.pacing import SLOW_WINDOW, SpeedWatch
from marscore.ports import Answer, Request, Response
from marscore.state import Content
from marscore.url import parse_url
from marscore.values import Access, Failure, Timeouts

#: Files up to this size are taken to their place from memory, if they come whole with their answer.
SMALL = 64 * 1024

_T = TypeVar("_T")


class Driver:
    """Carries out assignments in one thread."""

    def __init__(self, desk: Desk, files: dict[str, OpenFile]) -> None:
        self._desk = desk
        self._performer = Performer(desk, files)
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
            self._performer.tell(transfer, Unasked(self._desk.moment(), segment))

    def _tell(self, transfer: Transfer, fact: Fact) -> bool:
        """Let the transfer decide and do what it says. Returns whether it wants the body of the answer."""
        return self._seen(self._performer.tell(transfer, fact))

    def _seen(self, performed: Performed) -> bool:
        if performed.paused:
            # They would wait for the host behind this one; others may be asked meanwhile.
            self._let_go()
        return performed.receive

    def _attempt(self, transfer: Transfer, segment: Segment, request: Request) -> None:
        self._guarded(transfer, segment, lambda: self._fetch(transfer, segment, request))

    def _guarded(self, transfer: Transfer, segment: Segment | None, act: Callable[[], _T]) -> _T | None:
        done = self._performer.guarded(transfer, segment, act)
        if isinstance(done, Performed):
            self._seen(done)
            return None
        return done

    def _open(self, transfer: Transfer, host: str) -> Segment | None:
        moment = self._desk.moment
        file = None if transfer.work.untouched else self._performer.file(transfer)
        fact = file.reopen(moment) if file else Opened(moment())
        with self._desk.lock:
            commands = transfer.step(fact)
            # What is on disk may come from a mirror: then the slot that this thread holds is not the right one.
            segment = transfer.take(fact.at.ticks) if transfer.host == host else None
            self._performer.settle(transfer)
        self._seen(self._performer.carry_out(transfer, commands))
        return segment

    def _request(self, transfer: Transfer, segment: Segment) -> Request:
        with self._desk.lock:
            return Request(parse_url(segment.url), self._access(transfer), transfer.request_fields(segment))

    def _fetch(self, transfer: Transfer, segment: Segment, request: Request) -> None:
        desk = self._desk
        response = desk.client.open(request)
        try:
            if self._is_small(transfer, segment, response.answer):
                begun = self._deliver(transfer, segment, response)
                if begun is None:
                    return
                response = begun
            receive = self._tell(transfer, Answered(desk.moment(), segment, response.answer))
            if receive and self._behind and (transfer.known.size is None or transfer.known.size >= LARGE):
                self._let_go()
            if receive:
                self._receive(transfer, segment, response)
        finally:
            response.close()
        if receive:
            desk.progress += FILE_WEIGHT
            at = desk.moment()
            self._tell(transfer, Lagged(at, segment) if segment.lag else Ended(at, segment))

    def _is_small(self, transfer: Transfer, segment: Segment, answer: Answer) -> bool:
        """Whether the answer to a first request may well have brought a whole file with it, and nothing has to be minded meanwhile."""
        desk, length = self._desk, answer.fields.get("content-length", "")
        first = transfer.work.untouched and transfer.known.version is None and segment.asked is None and answer.status == 200
        if not first or desk.rate is not None or transfer.deadline is not None or "transfer-encoding" in answer.fields:
            return False
        if not length.isdecimal() or len(length) > 5 or int(length) > min(SMALL, desk.reads.limit(transfer.options.threads)):
            return False
        # A wrong size is known before the body is read.
        return transfer.known.unacceptable(int(length)) is None

    def _deliver(self, transfer: Transfer, segment: Segment, response: Response) -> Response | None:
        """Take a small file from memory to its place; where it did not come whole at once, return what is to be read as any other."""
        size = int(response.answer.fields["content-length"])
        self._desk.files.prepare(transfer.download.path)
        data = response.read(size)
        if len(data) < size or self._desk.stopped.is_set():
            return Begun(response, bytes(data))
        self._desk.progress += FILE_WEIGHT + size
        content = Content(data, transfer.algorithms)
        self._tell(transfer, Delivered(self._desk.moment(), segment, response.answer, content))
        return None

    def _access(self, transfer: Transfer) -> Access:
        access = self._desk.access(transfer.options)
        if transfer.deadline is None:
            return access
        left = max(0.1, transfer.deadline - self._desk.clock.ticks())
        times = access.timeouts
        return replace(access, timeouts=Timeouts(min(times.connect, left), min(times.read, left), times.total))

    def _receive(self, transfer: Transfer, segment: Segment, response: Response) -> None:
        desk = self._desk
        with desk.lock:
            epoch, size, done = segment.epoch, transfer.known.size, transfer.ledger.done
        file = self._performer.file(transfer)
        partial = file.of(epoch) if file else None
        if partial is None:
            return
        if size is not None:
            partial.reserve(size)
        limit = desk.reads.limit(transfer.options.threads)
        kind: type[Writer] = Writer
        if size is None or size >= LARGE:
            partial.follow(transfer.algorithms, done, desk.reads.spare(transfer.options.threads))
            kind = LargeWriter
        writer = kind(partial, segment, limit, lambda: self._header(transfer))
        try:
            with desk.watching(segment, response):
                self._pump(transfer, segment, response, writer)
        except Exception:
            writer.record()
            raise
        # A file that came whole and in one piece needs no record: it is proven and named at once.
        if desk.stopped.is_set() or segment.begin or segment.remaining or writer.recorded or not segment.whole:
            writer.record()

    def _header(self, transfer: Transfer) -> Header:
        with self._desk.lock:
            return transfer.header

    def _pump(self, transfer: Transfer, segment: Segment, response: Response, writer: Writer) -> None:
        desk = self._desk
        began = desk.clock.ticks()
        watch = SpeedWatch(transfer.options.min_speed, began)
        while segment.lag is None and not (segment.end is not None and segment.position >= segment.end):
            if desk.stopped.is_set():
                # Not the end of the body, which of a body without a length would be the end of the file.
                raise OriginError(Failure("interrupted", "the run was told to stop"))
            desk.since[id(segment)] = began
            try:
                data = writer.read(response, desk.rate.burst if desk.rate else None)
            except OriginError:
                if segment.lag is None:
                    raise
                # The connection broke since it was given up.
                return
            finally:
                del desk.since[id(segment)]
            came = desk.clock.ticks()
            desk.receiving += came - began
            if not data:
                break
            with desk.lock:
                room = transfer.admit(segment, len(data), came)
            if not room:
                break
            writer.write(data if room == len(data) else data[:room])
            desk.progress += len(data)
            # The wait for the rate limit is ours too: more connections would not shorten it, and the server is not slow for it.
            watch.rested(desk.pace(len(data)))
            began = desk.clock.ticks()
            desk.writing += began - came
            self._check_time(transfer, watch, len(data), began)

    def _check_time(self, transfer: Transfer, watch: SpeedWatch, count: int, ticks: float) -> None:
        if transfer.deadline is not None and ticks >= transfer.deadline:
            raise OriginError(Failure("timeout", f"the download took longer than its total of {transfer.options.timeouts.total:g} s"))
        if watch.too_slow(count, ticks):
            raise OriginError(Failure("too_slow", f"slower than min_speed, {transfer.options.min_speed} bytes/s, for {SLOW_WINDOW:g} s"))
