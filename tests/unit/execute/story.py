"""Drives a Transfer by hand, fact by fact: no network, no clock, no disk."""

from __future__ import annotations

from typing import Any, TypeVar

from marscore.events import Event
from marscore.execute.transfer.protocol import (
    Answered,
    Broke,
    Command,
    Emit,
    Ended,
    Hashed,
    Lagged,
    Moment,
    Opened,
    Receive,
    Segment,
    Verify,
    Work,
)
from marscore.execute.transfer.state_machine import Transfer
from marscore.policy.pacing import Pace
from marscore.policy.retry import Backoff, RetryRules
from marscore.ports import Answer
from marscore.resolve.model import Download, Options
from marscore.state import Claim
from marscore.url import parse_url
from marscore.values import Checksum, Failure, FailureKind, parse_checksum
from tests.unit.execute.well_typed import commanded

URL = "http://origin.example/file.bin"
MIRROR = "http://mirror.example/file.bin"
MIB = 1024 * 1024
SHA = "sha256:" + "a" * 64
STEADY = Backoff(initial=1.0, jitter="none")

_E = TypeVar("_E", bound=Event)
_C = TypeVar("_C", bound=Command)


class Story:
    """One transfer and what it said so far."""

    def __init__(self, *sources: str, checksum: str | None = None, size: int | None = None, known: Claim | None = None, **options: Any):
        checksums: tuple[Checksum, ...] = (parse_checksum(checksum),) if checksum else ()
        options.setdefault("retry", RetryRules(backoff=STEADY))
        download = Download("downloads[0]", sources or (URL,), "file.bin", Options(**options), checksums, size)
        self.ticks = 100.0
        self.transfer = Transfer(Work(download, known), self.now)
        self.commands: list[Command] = []

    @property
    def now(self) -> Moment:
        return Moment(1_700_000_000.0 + self.ticks, self.ticks, 0.5)

    def step(self, fact: Any) -> list[Command]:
        commands = [commanded(command) for command in self.transfer.step(fact)]
        for event in (command.event for command in commands if isinstance(command, Emit)):
            assert (event.at, getattr(event, "download", None)) == (self.now.unix, "downloads[0]")
        self.commands += commands
        return commands

    def open(self, **found: Any) -> Story:
        self.step(Opened(self.now, **found))
        return self

    def take(self) -> Segment:
        segment = self.transfer.take(self.ticks)
        assert segment is not None, "nothing is due"
        return segment

    def asks(self, segment: Segment) -> dict[str, str]:
        return dict(self.transfer.request_fields(segment))

    def answer(self, segment: Segment, status: int = 200, **fields: str) -> bool:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        commands = self.step(Answered(self.now, segment, Answer(status, named, parse_url(segment.url))))
        segment.pace = Pace(self.ticks)
        return any(isinstance(command, Receive) for command in commands)

    def receive(self, segment: Segment, count: int) -> int:
        room = self.transfer.admit(segment, count, self.ticks)
        segment.written += room
        return room

    def end(self, segment: Segment) -> list[Command]:
        return self.step(Ended(self.now, segment))

    def fetch(self, segment: Segment) -> list[Command]:
        """Receive all that a segment wants, and end it."""
        self.receive(segment, segment.remaining)
        return self.end(segment)

    def flow(self, seconds: float, *speeds: tuple[Segment, int]) -> list[Segment]:
        """Let bytes come at these speeds, twice a second; returns the segments that were left for their lag."""
        for _ in range(int(2 * seconds)):
            self.ticks += 0.5
            for segment, speed in speeds:
                if speed and not segment.cancelled:
                    self.receive(segment, speed // 2)
            lagging = self.transfer.laggard(self.ticks)
            if lagging is not None:
                self.step(Lagged(self.now, lagging))
        return [segment for segment, _ in speeds if segment.cancelled]

    def breaks(self, segment: Segment, kind: FailureKind = "connection", message: str = "reset") -> list[Command]:
        return self.step(Broke(self.now, segment, Failure(kind, message)))

    def hashed(self, digest: str = "a" * 64) -> list[Command]:
        return self.step(Hashed(self.now, {"sha256": digest}))

    def told(self, kind: type[_E]) -> list[_E]:
        return [c.event for c in self.commands if isinstance(c, Emit) and isinstance(c.event, kind)]

    def said(self, kind: type[_C]) -> list[_C]:
        return [c for c in self.commands if isinstance(c, kind)]

    @property
    def complete(self) -> bool:
        return bool(self.said(Verify))
