"""The hosts of the simulated network: resources with a history of versions, and what an honest server answers (RFC 9110).

What a fault makes of an answer is told in `faults.origins`. Every request is kept as it was sent, so that it can be looked at afterwards.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from typing import Protocol

from marscore.ports import Exchange
from marscore.url import Url
from marscore.values import Failure
from tests.simulation.world import BEGIN, World

_POOL = random.Random(20_261_126).randbytes(40 * 1024 * 1024)
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_date = lru_cache(4096)(lambda second: formatdate(second, usegmt=True))


_NOTHING = memoryview(b"")


def content(start: int, size: int) -> memoryview:
    """Bytes that no other place of the pool holds."""
    assert start + size <= len(_POOL)
    return memoryview(_POOL)[start : start + size]


#: Seconds within which two versions of a file may have one date, and no client trusts it.
_SAME_SECOND = 50.0


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource, and the time of its last change, in Unix time."""

    body: memoryview
    etag: str | None
    modified: float | None


@dataclass(slots=True)
class Resource:
    """What a URL leads to. `ranges` tells whether parts are sent, and said to be; `secret` is the field without which it answers 401.

    `length` tells whether the size of a whole body is told, `conditions` whether If-Range is heeded. One with a `target` redirects there.
    """

    url: str
    versions: tuple[Version, ...]
    ranges: str = "yes"
    length: bool = True
    secret: tuple[str, str] | None = None
    target: str | None = None
    current: int = 0
    conditions: bool = True

    @property
    def version(self) -> Version:
        return self.versions[self.current]

    def change(self, elapsed: float) -> None:
        """Go on to the next version, if there is one, so many seconds after the world began.

        A date stands for one second. One that two versions have is a proof once it is old enough, unless the later one gets the time of the
        change: else the server would lie.
        """
        before, self.current = self.version, min(self.current + 1, len(self.versions) - 1)
        after = self.version
        if after is not before and after.etag is None and after.modified is not None and after.modified == before.modified:
            changed = replace(after, modified=max(after.modified, BEGIN + elapsed - _SAME_SECOND))
            self.versions = (*self.versions[: self.current], changed, *self.versions[self.current + 1 :])


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as a server saw it; field names in lower case. `first` is the host that the manifest names."""

    number: int
    at: float
    url: Url
    fields: Mapping[str, str]
    exchange: Exchange
    fresh: bool

    @property
    def host(self) -> str:
        return self.url.host


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes back: after `delay` seconds the head, then the body at `rate` bytes a second.

    After `stop` bytes of the body it ends with `failure`, or says nothing any more where that is None; `stop` 0 and no head where
    `status` is 0. `whole` is the file of which a body is a part; a `short` body ends early.
    """

    status: int
    fields: Mapping[str, str]
    body: memoryview = _NOTHING
    delay: float = 0.002
    rate: float = 20e6
    stop: int | None = None
    failure: Failure | None = None
    whole: memoryview | None = None
    short: bool = False

    def with_fields(self, **changed: str | None) -> Reply:
        """The same with other fields, by their names with `_`; None takes one away."""
        named = {name.replace("_", "-"): value for name, value in changed.items()}
        fields = {name: value for name, value in {**self.fields, **named}.items() if value is not None}
        return replace(self, fields=fields)


class Meddler(Protocol):
    """A fault of a server or of the way there: makes something else of an answer."""

    def meddle(self, seen: Seen, reply: Reply) -> Reply: ...


@dataclass
class Network:
    """All hosts. `requests` are those of the run that goes on, `most` the limits that it has to keep."""

    world: World
    resources: dict[str, Resource] = field(default_factory=dict)
    meddlers: list[Meddler] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    active: Counter[str] = field(default_factory=Counter)
    per_host: int = 16
    wrong: list[str] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    numbers: int = 0

    def begin(self, host: str) -> None:
        """Count one more request on its way for a host."""
        self.active[host] += 1
        if self.active[host] > self.per_host:
            self.wrong.append(f"{self.active[host]} requests at once to {host}, where {self.per_host} are allowed")

    def end(self, host: str) -> None:
        """Count one less."""
        self.active[host] -= 1

    def answer(self, exchange: Exchange, url: Url, fields: Mapping[str, str], fresh: bool) -> Reply:
        """Take in a request and say what comes back."""
        self.numbers += 1
        seen = Seen(self.numbers, self.world.elapsed, url, fields, exchange, fresh)
        self.requests.append(seen)
        resource = self.resources.get(url.text.partition("?")[0])
        reply = Reply(404, {"content-length": "0"}) if resource is None else self._honest(resource, fields)
        reply = replace(reply, rate=self.rates.get(url.host, reply.rate))
        for meddler in self.meddlers:
            reply = meddler.meddle(seen, reply)
        size = reply.fields.get("content-range", reply.fields.get("content-length", ""))
        asked = f"{fields.get('range', '')} {fields.get('if-range', '')}"
        self.world.tell(
            "origin", "%s %s -> %s %s%s", url.text, asked, reply.status, size, "" if reply.stop is None else f" stop {reply.stop}"
        )
        return reply

    def _honest(self, resource: Resource, fields: Mapping[str, str]) -> Reply:
        if resource.secret is not None and fields.get(resource.secret[0]) != resource.secret[1]:
            return Reply(401, {"content-length": "0"})
        if resource.target is not None:
            return Reply(302, {"location": resource.target, "content-length": "0"})
        version = resource.version
        shown = self._shown(version, resource)
        if self._not_modified(version, fields):
            return Reply(304, shown)
        asked = RANGE.fullmatch(fields.get("range", ""))
        if asked is None or resource.ranges == "no" or not self._may_be_part(resource, fields.get("if-range")):
            return Reply(200, {**shown, **({"content-length": str(len(version.body))} if resource.length else {})}, version.body)
        size = len(version.body)
        start, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size)
        if start >= end:
            return Reply(416, {**shown, "content-range": f"bytes */{size}", "content-length": "0"})
        told = {"content-range": f"bytes {start}-{end - 1}/{size}", "content-length": str(end - start)}
        return Reply(206, {**shown, **told}, version.body[start:end], whole=version.body)

    def _shown(self, version: Version, resource: Resource) -> dict[str, str]:
        shown = {"date": _date(int(BEGIN + self.world.elapsed))}
        if version.etag is not None:
            shown["etag"] = version.etag
        if version.modified is not None:
            shown["last-modified"] = _date(int(version.modified))
        if resource.ranges != "silent":
            shown["accept-ranges"] = "bytes" if resource.ranges == "yes" else "none"
        return shown

    def _not_modified(self, version: Version, fields: Mapping[str, str]) -> bool:
        if (tag := fields.get("if-none-match")) is not None:
            return version.etag is not None and version.etag.removeprefix("W/") == tag.removeprefix("W/")
        since = fields.get("if-modified-since")
        return since is not None and version.modified is not None and _date(int(version.modified)) == since

    def _may_be_part(self, resource: Resource, condition: str | None) -> bool:
        version = resource.version
        if condition is None or not resource.conditions:
            return True
        if condition.endswith('"'):
            return condition == version.etag and not condition.startswith("W/")
        return version.modified is not None and condition == _date(int(version.modified))
