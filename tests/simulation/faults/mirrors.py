"""What one of several sources of a file does to all that it answers, for as long as a run goes on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tests.simulation.faults import Fault
from tests.simulation.faults.origins import RESET
from tests.simulation.origin import Reply, Seen

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File


@dataclass(frozen=True)
class OfOneSource(Fault):
    """Something of all answers of one source, from the one with number `first` on. `amount` is a place in the file."""

    where: str
    first: int
    amount: int

    #: Whether only a checksum shows it.
    is_lie: ClassVar[bool] = False

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        file = chance.choice(
            [file for file in files if file.summed and file.mirror] or [file for file in files if file.summed] or list(files)
        )
        where = chance.choice((file.target, *file.urls[1:]))
        if cls.is_lie and not file.summed:
            where = "nowhere"
        return cls(where, chance.choice((0, 0, 0, 1, 2, 4)), chance.randrange(max(file.sizes) + 1))

    def begin(self, play: Play) -> None:
        if not self.is_lie or play.may_be_lied_to:
            play.network.meddlers.append(_Following(self))

    def spoil(self, met: int, reply: Reply) -> Reply:
        """What becomes of its answer with this number, from 1, of those with a body."""
        raise NotImplementedError


class _Following:
    def __init__(self, fault: OfOneSource) -> None:
        self._fault = fault
        self._met = 0

    def meddle(self, seen: Seen, reply: Reply) -> Reply:
        if self._fault.where not in seen.url.text or reply.status not in (200, 206):
            return reply
        self._met += 1
        return reply if self._met <= self._fault.first else self._fault.spoil(self._met, reply)


class LiesThroughout(OfOneSource):
    """Some bytes are others in whatever it sends."""

    weight = 12
    is_lie = True

    def spoil(self, met: int, reply: Reply) -> Reply:
        body = bytearray(reply.body)
        for at in range(self.amount % 1000, len(body), 40_000):
            body[at] ^= 1
        return replace(reply, body=memoryview(bytes(body)))


class LiesInOnePlace(OfOneSource):
    """One byte of the file is another one, always the same."""

    weight = 12
    is_lie = True

    def spoil(self, met: int, reply: Reply) -> Reply:
        shown = reply.fields.get("content-range", "bytes 0-")
        at = self.amount - int(shown[6:].partition("-")[0])
        if not 0 <= at < len(reply.body):
            return reply
        body = bytearray(reply.body)
        body[at] ^= 1
        return replace(reply, body=memoryview(bytes(body)))


class HasAnotherSize(OfOneSource):
    """Its file is some bytes longer than the others' are."""

    weight = 2
    is_lie = True

    def spoil(self, met: int, reply: Reply) -> Reply:
        more = 1 + self.amount % 9
        if reply.status == 206:
            span, _, size = reply.fields.get("content-range", "bytes 0-0/0").rpartition("/")
            return reply.with_fields(content_range=f"{span}/{int(size) + more}") if size.isdecimal() else reply
        body = memoryview(bytes(reply.body) + bytes(more))
        told = {"content_length": str(len(body))} if "content-length" in reply.fields else {}
        return replace(reply.with_fields(**told), body=body)


class Dies(OfOneSource):
    """Each of its bodies is reset, and sooner each time."""

    weight = 3

    def spoil(self, met: int, reply: Reply) -> Reply:
        # What lets some bytes come each time would be endured for as long as it lasts.
        return replace(reply, stop=min(self.amount >> (4 * met), len(reply.body)), failure=RESET)


class GoesMute(OfOneSource):
    """Nothing comes any more, with a head or without one."""

    weight = 3

    def spoil(self, met: int, reply: Reply) -> Reply:
        return replace(reply, stop=0) if self.amount % 2 else replace(reply, delay=1e6)


class IsSlow(OfOneSource):
    """It sends a small part of what the others do in the same time."""

    weight = 3

    def spoil(self, met: int, reply: Reply) -> Reply:
        return replace(reply, rate=(200_000.0, 400_000.0)[self.amount % 2])
