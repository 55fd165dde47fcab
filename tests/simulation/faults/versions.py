"""What servers say of a file that is not so, and files that change while they are fetched."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.faults import Fault
from tests.simulation.faults.origins import RESET, Counting, OfAnswers
from tests.simulation.origin import Reply, Resource, Seen

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File


class IgnoresRanges(OfAnswers):
    """The whole file to a request for a part."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        if reply.status != 206 or reply.whole is None:
            return reply
        told = reply.with_fields(content_range=None, content_length=str(len(reply.whole)))
        return replace(told, status=200, body=reply.whole)


class WrongStart(OfAnswers):
    """A 206 of another range than the asked one, which it tells: some bytes later, or from the beginning of the file."""

    weight = 3

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        shown = reply.fields.get("content-range", "")
        if reply.status != 206 or not shown or reply.whole is None:
            return reply
        span, size = shown[6:].partition("/")[0], len(reply.whole)
        start, end = map(int, span.split("-"))
        first = 0 if self.amount % 2 else min(start + 1 + self.amount % 7, end)
        last = end if self.amount % 3 else min(first + end - start, size - 1)
        told = reply.with_fields(content_range=f"bytes {first}-{last}/{size}", content_length=str(last - first + 1))
        return replace(told, body=reply.whole[first : last + 1])


class WrongTotal(OfAnswers):
    """A 206 whose total is another one."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        span, _, total = reply.fields.get("content-range", "").rpartition("/")
        # Another fault, or this one with another amount, may have taken the total already.
        if reply.status != 206 or not total.isdigit():
            return reply
        return reply.with_fields(content_range=f"{span}/*" if self.amount % 2 else f"{span}/{int(total) + 1 + self.amount % 9}")


class WrongBytes(OfAnswers):
    """Other bytes than the right ones, under the right validator and length: only a checksum shows it."""

    weight = 5
    is_lie = True

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        body = reply.body
        if not body or not str(reply.status).startswith("20"):
            return reply
        at = min(self.amount, len(body) - 1)
        return replace(reply, body=memoryview(bytes(body[:at]) + bytes([body[at] ^ 1]) + bytes(body[at + 1 :])))


class Announces(OfAnswers):
    """An answer that announces the digest of the whole file, most often the right one: that of this version, in whatever answer."""

    weight = 4

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        whole = reply.whole if reply.status == 206 else reply.body
        if reply.status not in (200, 206) or whole is None:
            return reply
        digest = hashlib.sha256(whole).digest() if self.amount % 4 else bytes(32)
        return reply.with_fields(repr_digest=f"sha-256=:{base64.b64encode(digest).decode()}:")


class NoValidator(OfAnswers):
    """An answer that shows no validator, where others did."""

    weight = 1

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return reply.with_fields(etag=None, last_modified=None)


class OtherValidator(OfAnswers):
    """An answer that shows another validator than the others, for the same bytes."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        tag = reply.fields.get("etag")
        return reply if tag is None else reply.with_fields(etag=f'{tag[:-1]}-{self.amount % 2}"')


class Encoded(OfAnswers):
    """An answer with a content coding that nobody asked for, told or on some answers only."""

    weight = 1

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return reply.with_fields(content_encoding=("gzip", "br", "identity")[self.amount % 3])


class RepeatsSecrets(OfAnswers):
    """An answer whose entity tag repeats what the request told in secret, and whose other fields do as well."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        secret = seen.fields.get("x-token") or seen.fields.get("authorization")
        return reply if secret is None else reply.with_fields(etag=f'"of-{secret}"', x_echo=secret, last_modified=None)


class TellsSecrets(OfAnswers):
    """A redirect whose target holds what the request told in secret: whoever is asked there is told by this server, not by us."""

    weight = 1

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        secret = seen.fields.get("x-token")
        return reply if secret is None else Reply(302, {"location": f"/{secret}", "content-length": "0"})


class NotModified(OfAnswers):
    """304, asked about or not, with the validator of another version or with none."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        shown = {} if self.amount % 2 else {"etag": '"of-another"'}
        return Reply(304, {"date": reply.fields.get("date", ""), **shown})


class WrongLength(OfAnswers):
    """A 206 whose Content-Length is not that of its range, or a whole body of which more is announced than comes."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return reply.with_fields(content_length=str(len(reply.body) + 1 + self.amount % 3))


class NoLength(OfAnswers):
    """A body whose length is not told."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        # Nobody could tell the end of a body that is cut short from its own.
        return reply if reply.short else reply.with_fields(content_length=None)


class Redirects(OfAnswers):
    """A redirect where there was none: to a host that knows nothing of the file, to itself, to nowhere."""

    weight = 2

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        places = (
            "https://stranger.example/x",
            seen.url.text,
            "",
            "http://a.example/",
            "//stranger.example/x",
            "https://a.example@stranger.example/x",
        )
        return Reply(302, {"location": places[self.amount % len(places)], "content-length": "0"})


class ChangesMeanwhile(OfAnswers):
    """A body is cut, and by the time that somebody asks for the rest there is another version, or its URL leads elsewhere."""

    weight = 14
    most = 5

    def begin(self, play: Play) -> None:
        play.network.meddlers.append(_Changing(self, play))

    def spoil(self, seen: Seen, reply: Reply) -> Reply:
        return replace(reply, stop=min(self.amount, len(reply.body)), failure=RESET)


class _Changing:
    def __init__(self, fault: ChangesMeanwhile, play: Play) -> None:
        self._counting = Counting(fault)
        self._fault = fault
        self._play = play

    def meddle(self, seen: Seen, reply: Reply) -> Reply:
        spoiled = self._counting.meddle(seen, reply)
        if spoiled is not reply:
            for number, served in self._play.resources.items():
                if not any(resource.url == seen.url.text for resource in served):
                    continue
                if self._fault.amount % 4 == 0:
                    self._play.lead_elsewhere(number)
                for resource in served:
                    resource.change(self._play.world.elapsed)
        return spoiled


@dataclass(frozen=True)
class Timed(Fault):
    """Something that happens to a file on its servers, so many seconds after the run began."""

    number: int
    at: float

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        several = [file for file in files if len(file.sizes) > 1] or list(files)
        return cls(chance.choice(several).number, chance.choice((0.0, 0.01, 0.05, 0.2, 0.5, 1.0)) * chance.random())


class Changes(Timed):
    """Another version takes the place of the one that is served, on all servers at once."""

    weight = 8

    def begin(self, play: Play) -> None:
        for resource in play.resources.get(self.number, ()):
            play.world.at(self.at, partial(_change, play, resource))


def _change(play: Play, resource: Resource) -> None:
    resource.change(play.world.elapsed)


class LeadsElsewhere(Timed):
    """Its URL leads to another file from now on, with other bytes and the same entity tag, as reproducible builds have."""

    weight = 3

    def begin(self, play: Play) -> None:
        play.world.at(self.at, lambda: play.lead_elsewhere(self.number))
