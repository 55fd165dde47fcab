"""What servers, and what stands before them, do to answers: stall, cut, refuse, limit, fail."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from marscore.values import Failure
from tests.simulation.faults import Fault
from tests.simulation.origin import Reply, Seen

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File

RESET = Failure("connection", "the connection was reset")


@dataclass(frozen=True)
class OfAnswers(Fault):
    """Something of the answers to requests for a part of a URL, from the one with number `first` on, `count` of them."""

    where: str
    first: int
    count: int
    amount: int = 0

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        file = chance.choice(cls.suited(files) or list(files))
        where = chance.choice((file.target, file.target, file.target, file.url, f"://{file.host}/", "://"))
        if cls.is_lie:
            # What no one could tell from the truth is only tried where a checksum does.
            where = file.target if file.summed else "nowhere"
        size = max(file.sizes)
        return cls(
            where,
            chance.choice((0, 0, 0, 0, 1, 1, 2, 4)),
            min(cls.most, chance.choice((1, 1, 1, 2, 3, 5, 1000))),
            chance.randrange(size + 1),
        )

    @classmethod
    def suited(cls, files: Sequence[File]) -> list[File]:
        """The files with which it can do something."""
        return [file for file in files if file.summed] if cls.is_lie else list(files)

    #: Whether it is of a kind that only a checksum shows.
    is_lie: ClassVar[bool] = False
    #: How often it happens at most. What lets some bytes come each time would be endured for as long as it lasts.
    most: ClassVar[int] = 1000

    def begin(self, play: Play) -> None:
        if not self.is_lie or play.may_be_lied_to:
            play.network.meddlers.append(Counting(self))

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        """What becomes of an answer."""
        raise NotImplementedError


class Counting:
    """Lets a fault spoil those answers that it is about."""

    def __init__(self, fault: OfAnswers) -> None:
        self._fault = fault
        self._met = 0

    def meddle(self, seen: Seen, reply: Reply) -> Reply:
        if self._fault.where not in seen.url.text:
            return reply
        self._met += 1
        if not self._fault.first < self._met <= self._fault.first + self._fault.count:
            return reply
        return self._fault.spoil(seen, reply)


class Cut(OfAnswers):
    """The connection is reset in the middle of a body."""

    weight = 10
    most = 5

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, stop=min(self.amount, len(reply.body)), failure=RESET)


class CutShort(OfAnswers):
    """The body ends before its announced length, as if that were all."""

    weight = 2
    most = 5

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        if "content-length" not in reply.fields or self.amount >= len(reply.body):
            return replace(reply, stop=0, failure=RESET)
        return replace(reply, body=reply.body[: self.amount], short=True)


class Stalls(OfAnswers):
    """Nothing comes any more in the middle of a body."""

    weight = 2
    most = 5

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, stop=min(self.amount, len(reply.body)))


class SaysNothing(OfAnswers):
    """There is no head, for longer than anybody waits."""

    weight = 1

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, delay=1e6)


class Late(OfAnswers):
    """The head takes its time."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, delay=(self.amount % 90) / 100)


class Slow(OfAnswers):
    """The body trickles: slowly beside its siblings, not so slowly that anybody gives up at once."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, rate=max(len(reply.body) / 4, 100_000.0))


class ClosesFirst(OfAnswers):
    """The connection is closed before there is a head."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply(0, {}, failure=Failure("connection", "the server closed the connection without an answer"))


class Unreachable(OfAnswers):
    """Nobody listens there."""

    weight = 1

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply(0, {}, failure=Failure(("connection", "dns", "tls")[self.amount % 3], "nobody listens there"))


class Unavailable(OfAnswers):
    """503, with and without a Retry-After."""

    weight = 3

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply(503, {"content-length": "0", **({"retry-after": str(self.amount % 3)} if self.amount % 2 else {})})


class TooMany(OfAnswers):
    """429, with and without a Retry-After."""

    weight = 3

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply(429, {"content-length": "0", **({"retry-after": str(self.amount % 3)} if self.amount % 2 else {})})


class Broken(OfAnswers):
    """An error of the server's, or a refusal, as any status may be."""

    weight = 3

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply((400, 403, 404, 408, 410, 416, 425, 500, 501, 502, 504, 302, 304, 201)[self.amount % 14], {"content-length": "0"})


class LimitsRate(OfAnswers):
    """A host that accepts so many requests a second, and refuses what comes faster."""

    weight = 2

    def begin(self, play: Play) -> None:
        play.network.meddlers.append(_Bucket(self))

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return Reply(503 if self.amount % 2 else 429, {"content-length": "0"})


class _Bucket:
    def __init__(self, fault: LimitsRate) -> None:
        self._fault = fault
        self._rate = 5 + fault.amount % 20
        self._level, self._at = 3.0, 0.0

    def meddle(self, seen: Seen, reply: Reply) -> Reply:
        if self._fault.where not in seen.url.text:
            return reply
        self._level = min(3.0, self._level + (seen.at - self._at) * self._rate)
        self._at = seen.at
        if self._level < 1:
            return self._fault.spoil(seen, reply)
        self._level -= 1
        return reply


class RefusesFurther(OfAnswers):
    """One connection a client: a request beside another one for the same file is refused."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        if "range" not in seen.fields:
            return reply
        return Reply((403, 404, 416, 429, 501, 503)[self.amount % 6], {"content-length": "0"})
