"""Whatever happens to transfers, hosts and limits: what may be asked for now is found by a take, and what may be later has its moment."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from marscore.execute.transfer.protocol import (
    Answered,
    Broke,
    Ended,
    Fact,
    Hashed,
    Moment,
    Opened,
    Place,
    Placed,
    Stopped,
    Verify,
    Work,
    Yielded,
)
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.board import Assignment, Board, Idle
from marscore.policy.host_pace import HostPace
from marscore.policy.retry import Backoff, RetryRules
from marscore.ports import Answer
from marscore.resolve.model import Download, Options
from marscore.state import FileIdentity
from marscore.url import host_of, parse_url
from marscore.values import Checksum, Failure
from tests.long import examples

MIB = 1024 * 1024
HOSTS = "aab"
RULES = RetryRules(max_retries=2, backoff=Backoff(initial=0.02, factor=1.5, jitter="none"))
FIELDS = {"etag": '"v"', "accept-ranges": "bytes"}

#: What comes of an assignment: an answer that is refused, a broken body, an end, ...
ENDS = st.sampled_from(["503", "503", "503", "503 with Retry-After", "404", "cut", "whole", "left", "yielded"])
STEP = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(HOSTS), st.integers(1, 3), st.integers(1, 12)),
    st.tuples(st.just("add_several"), st.permutations("abc"), st.integers(2, 4), st.integers(1, 3)),
    st.tuples(st.just("take"), st.integers(0, 3)),
    st.tuples(st.just("end"), st.integers(0, 20), ENDS),
    st.tuples(st.just("time"), st.sampled_from([0.1, 0.5, 4.0, 30.0])),
    st.tuples(st.just("pause"), st.sampled_from(HOSTS), st.sampled_from([1.0, 10.0])),
    st.tuples(st.just("pace"), st.sampled_from(HOSTS)),
    st.tuples(st.just("widen"), st.integers(1, 3)),
    st.tuples(st.just("stop"), st.integers(0, 20)),
)


class Desk:
    """A board with what its threads would do, one step after the other."""

    def __init__(self, per_host: int) -> None:
        self.board = Board(per_host)
        self.ticks = 0.0
        self.held: list[Assignment] = []
        self._number = 0

    @property
    def now(self) -> Moment:
        return Moment(1e9 + self.ticks, self.ticks, 0.5)

    def add(self, host: str, threads: int, count: int) -> None:
        for _ in range(count):
            name, self._number = str(self._number), self._number + 1
            self.board.add([Work(Download(name, (f"http://{host}/{name}",), name, Options(threads=threads, retry=RULES)))])

    def add_several(self, hosts: list[str], threads: int, count: int) -> None:
        """Files that come from several hosts at once."""
        for _ in range(count):
            name, self._number = str(self._number), self._number + 1
            urls, checksum = tuple(f"http://{host}/{name}" for host in hosts), Checksum("sha256", "a" * 64)
            self.board.add([Work(Download(name, urls, name, Options(threads=threads, retry=RULES), (checksum,)))])

    def take(self, idle: int) -> Assignment | Idle:
        """Take and, if that is a new transfer, open it."""
        chosen = self.board.take(self.now, idle)
        if isinstance(chosen, Idle):
            return chosen
        segment = chosen.segment
        if segment is None:
            chosen.transfer.step(Opened(self.now))
            segment = chosen.transfer.take(self.ticks)
            assert segment is None or host_of(segment.url) == chosen.host
            self.board.settle(chosen.transfer)
        self.held.append(Assignment(chosen.transfer, segment, chosen.host))
        return chosen

    def end(self, number: int, how: str) -> None:
        if not self.held:
            return
        held = self.held[number % len(self.held)]
        transfer, segment = held.transfer, held.segment
        assert segment
        if how == "left":
            # The answer has come, and its body goes on: others may take a share of it.
            self._answer(held, 40 * MIB)
            return
        self.held.remove(held)
        self._hear(self.board.slots.pace(held.host), how)
        match how:
            case "503":
                self._step(transfer, Answered(self.now, segment, Answer(503, {}, parse_url(segment.url))))
            case "503 with Retry-After":
                self._step(transfer, Answered(self.now, segment, Answer(503, {"retry-after": "3"}, parse_url(segment.url))))
                self.board.pause(held.host, self.ticks + 3, self.ticks)
            case "404":
                self._step(transfer, Answered(self.now, segment, Answer(404, {}, parse_url(segment.url))))
            case "cut":
                self._answer(held, 40 * MIB)
                self._receive(held, MIB)
                self._step(transfer, Broke(self.now, segment, Failure("truncated", "cut")))
            case "yielded":
                self._step(transfer, Yielded(self.now, segment))
            case _:
                self._answer(held, 40 * MIB)
                self._receive(held, segment.remaining)
                self._step(transfer, Ended(self.now, segment))
        self.board.settle(transfer)
        self.board.release(held.host)
        self.board.settle(transfer)

    def _hear(self, pace: HostPace, how: str) -> None:
        if how == "503":
            pace.refused(self.ticks, explicit=False, too_many=False)
        elif how != "503 with Retry-After":
            pace.accepted(self.ticks)

    def time(self, seconds: float) -> None:
        self.ticks += seconds

    def pause(self, host: str, seconds: float) -> None:
        self.board.pause(f"{host}:80", self.ticks + seconds, self.ticks)

    def widen(self, per_host: int) -> None:
        self.board.widen(per_host, self.ticks)

    def pace(self, host: str) -> None:
        """Another process is refused."""
        self.board.slots.pace(f"{host}:80").slow_down(self.ticks)

    def finish(self) -> None:
        """Go on, with nothing but good answers, until every download is over."""
        self.check()
        for _ in range(2000):
            if self.board.empty and not self.held:
                return
            if self.held:
                self.end(0, "whole")
            self.ticks += 10.0
            self.check()
        raise AssertionError("some download never ended")

    def stop(self, number: int) -> None:
        for transfer in list(self.board.open.values())[number : number + 1]:
            self._step(transfer, Stopped(self.now, Failure("interrupted", "")))
            self.board.settle(transfer)

    def _step(self, transfer: Transfer, fact: Fact) -> None:
        """Tell the transfer; what is complete is verified and placed at once."""
        for command in transfer.step(fact):
            if isinstance(command, Verify):
                self._step(transfer, Hashed(self.now, {"sha256": "a" * 64}))
            elif isinstance(command, Place):
                self._step(transfer, Placed(self.now, FileIdentity(command.size, 1, 1), command.digests))

    def _answer(self, held: Assignment, size: int) -> None:
        segment = held.segment
        assert segment
        if segment.receiving or segment.cancelled:
            return
        answer = Answer(200, {**FIELDS, "content-length": str(size)}, parse_url(segment.url))
        if segment.asked:
            start, end = segment.asked
            last = (end or size) - 1
            part = {"content-range": f"bytes {start}-{last}/{size}", "content-length": str(last + 1 - start)}
            answer = Answer(206, {**FIELDS, **part}, parse_url(segment.url))
        self._step(held.transfer, Answered(self.now, segment, answer))
        self.board.settle(held.transfer)

    def _receive(self, held: Assignment, count: int) -> None:
        assert held.segment
        held.segment.written += held.transfer.admit(held.segment, count, self.ticks)

    def may_ask_at(self) -> list[float]:
        """From when on each transfer that could use a connection may have one; without those whose host has none to give."""
        found = [opening for transfer in self.board.open.values() for opening in transfer.openings]
        free = [(due, self.board.slots.free_at(host, self.ticks)) for host, due in found]
        return [max(due, at) for due, at in free if at is not None]

    def check(self) -> None:
        """Take all there is to take; what is left has to be due later, and the board has to say when."""
        while not isinstance(self.take(0), Idle):
            assert len(self.held) < 10_000
        self.look()

    def look(self) -> None:
        """The board has nothing to do now: what is left has to be due later, and the board has to say when."""
        chosen = self.board.take(self.now, 0)
        assert isinstance(chosen, Idle)
        times = self.may_ask_at()
        assert all(at > self.ticks for at in times), "something may be asked for now, and nobody is told to"
        if self.board.waiting and not self.held:
            assert chosen.until is not None, "nobody will begin what is waiting"
        if times:
            assert chosen.until is not None, "something may be asked for later, and nobody will"
            assert self.ticks < chosen.until <= min(times)


@settings(deadline=None, max_examples=examples(300))
@given(st.integers(1, 3), st.lists(STEP, max_size=60), st.data())
def test_a_take_finds_what_may_be_asked_for_or_says_when(per_host: int, steps: list[tuple[Any, ...]], data: st.DataObject) -> None:
    desk = Desk(per_host)
    for name, *arguments in steps:
        getattr(desk, name)(*arguments)
        if data.draw(st.booleans()):
            desk.check()
    desk.finish()
