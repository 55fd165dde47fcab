"""What a seed stands for: files and where they are served, the runs that fetch them one after the other, and the faults of each run.

A scenario is a plain value, so that a failing one can be made smaller: with fewer files, fewer faults, fewer runs.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from marscore.policy.retry import Backoff, RetryRules
from marscore.resolve.model import Download, IfExists, Options
from marscore.values import Checksum, Credentials, Timeouts
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.faults.machine import BreaksOffALine, Signalled
from tests.simulation.faults.mirrors import OfOneSource
from tests.simulation.origin import Resource, Version, content
from tests.simulation.world import BEGIN, chance_of

KIB, MIB = 1024, 1024 * 1024
#: Sizes around those at which marscore does something else, the small ones several times.
SIZES = (0, 1, 300, 5_000, 20_000, 64 * KIB, 64 * KIB + 1, 150_000, 150_000, 400_000, 400_000, 2 * MIB, 2 * MIB + 500_000, 2 * MIB + 1)
#: Files that are hashed while they are written, of more than one piece, and of more parts than connections; now and then.
LARGE = (4 * MIB + 100_000, 12 * MIB)
HOSTS = ("a.example", "b.example", "c.example")
STRANGER = "stranger.example"
#: Waits that cost no steps.
RULES = RetryRules(max_retries=3, backoff=Backoff(initial=0.05, max=0.4))
PATIENCE = Timeouts(connect=1.0, read=1.0)


@dataclass(frozen=True)
class File:
    """One download. `starts` say where in the pool its versions begin, `sizes` how long they are.

    `way` is how its URL is served: by itself, by a redirect within its host, or to another one.
    """

    number: int
    host: str
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    validator: str = "strong"
    ranges: str = "yes"
    length: bool = True
    summed: bool = False
    sized: bool = False
    secret: str | None = None
    mirror: str | None = None
    #: One more, of a file that has one.
    second: str | None = None
    way: str = "direct"
    threads: int = 4
    #: Whether its servers heed If-Range.
    conditions: bool = True

    @property
    def path(self) -> str:
        return f"{('', 'deep/', 'deep/er/')[self.number % 3]}{self.number}.bin"

    @property
    def url(self) -> str:
        return f"https://{self.host}/{self.number}.bin"

    @property
    def urls(self) -> tuple[str, ...]:
        """The sources of its download."""
        hosts = [host for host in (self.mirror, self.mirror and self.second) if host is not None]
        return (self.url, *(f"https://{host}/mirrored/{at}/{self.number}.bin" for at, host in enumerate(hosts)))

    @property
    def comes_from_several(self) -> bool:
        """Whether its parts may come from several sources at once."""
        return self.summed and self.mirror is not None and max(self.sizes) >= 2 * MIB

    @property
    def target(self) -> str:
        """Where its bytes are."""
        there = {"direct": self.host, "moved": self.host, "elsewhere": STRANGER}[self.way]
        return self.url if self.way == "direct" else f"https://{there}/moved/{self.number}.bin"

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions that it ever has."""
        return tuple(_version(self, number) for number in range(len(self.sizes)))

    @property
    def bodies(self) -> list[memoryview]:
        """The contents of all versions."""
        return [content(start, size) for start, size in zip(self.starts, self.sizes, strict=True)]

    @property
    def _conditions(self) -> bool:
        # One that shows no entity tag and ignores If-Range could not be told from one that lies.
        return self.conditions or self.validator == "date"

    def resources(self) -> list[Resource]:
        """What its hosts serve."""
        header = None if self.secret is None else _header(self.secret)
        own = Resource(
            self.target, self.versions, self.ranges, self.length, header if self.way != "elsewhere" else None, conditions=self._conditions
        )
        served = [own]
        if self.way != "direct":
            served.append(Resource(self.url, self.versions, target=self.target, secret=header))
        for url in self.urls[1:]:
            served.append(Resource(url, self.versions, self.ranges, self.length, conditions=self._conditions))
        return served

    def download(self, run: Run) -> Download:
        """As the manifest of a run says it. A checksum is that of the last version, which is there in the end."""
        secret = {} if self.secret is None else _option(self.secret)
        options = Options(threads=self.threads, timeouts=replace(PATIENCE, total=run.total), retry=RULES, if_exists=run.if_exists, **secret)  # type: ignore[arg-type]
        last = self.bodies[-1]
        checksums = (Checksum("sha256", _sha256(self.starts[-1], self.sizes[-1])),) if self.summed and not run.unsummed else ()
        return Download(f"downloads[{self.number}]", self.urls, self.path, options, checksums, len(last) if self.sized else None)


@dataclass(frozen=True)
class Run:
    """One run of marscore, and the faults that it meets."""

    faults: tuple[Fault, ...] = ()
    processes: int | str = 1
    threads: int = 8
    per_host: int = 16
    max_rate: int | None = None
    buffer_size: int = 10 * MIB
    if_exists: IfExists = "keep"
    lateness: float = 0.01
    idle: float = 1.0
    #: Whether the manifest names no checksums this time.
    unsummed: bool = False
    fail_fast: str = "never"
    #: Seconds after which the run is to end, and after which each of its downloads is.
    deadline: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class Scenario:
    """Files, and runs that fetch them. After these come two that nothing disturbs."""

    seed: int
    files: tuple[File, ...]
    runs: tuple[Run, ...]
    rates: tuple[tuple[str, float], ...] = ()


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = chance_of(seed, "scenario")
    count = chance.choice((1, 1, 2, 2, 3, 3, 4, 8))
    files = tuple(_file(chance, number) for number in range(count))
    if chance.random() < 0.01:
        # So many are flushed at once.
        many = [_file(chance, number) for number in range(80)]
        files = tuple(replace(file, sizes=(5 + file.number,), starts=(file.number * 1000,)) for file in many)
    runs: list[Run] = []
    for _ in range(chance.choice((1, 2, 2, 3))):
        runs.append(_run(chance, files, *runs[-1:]))
    rates = tuple((host, chance.choice((0.2e6, 0.5e6, 1e6, 2e6, 20e6))) for host in (*HOSTS, STRANGER))
    return Scenario(seed, files, tuple(runs), rates)


def _file(chance: random.Random, number: int) -> File:
    large, summed = chance.random() < 0.03, chance.random() < 0.35
    first = chance.choice(LARGE if large else SIZES)
    others = [
        first if chance.random() < 0.7 else chance.choice(SIZES[:-3])
        for _ in range(chance.choice((0, 0, 0, 1) if summed else (0, 1, 1, 2)))
    ]
    sizes = (first, *others)
    # Each begins at a place of its own, and none is a part of another.
    starts = tuple((number * 3 + version) * 350_000 + number * 17 + version for version in range(len(sizes)))
    file = File(
        number,
        chance.choice(HOSTS[: chance.choice((1, 2, 3))]),
        sizes,
        starts,
        validator=chance.choice(("strong", "strong", "strong", "strong", "weak", "date", "date", "recent", "none")),
        ranges=chance.choice(("yes", "yes", "yes", "yes", "yes", "silent", "no")),
        length=chance.random() < 0.9,
        summed=summed,
        sized=chance.random() < 0.15,
        secret=chance.choice((None, None, "header", "password")),
        mirror=chance.choice(HOSTS) if chance.random() < 0.2 else None,
        way=chance.choice(("direct", "direct", "direct", "moved", "elsewhere")),
        threads=chance.choice((1, 2, 4, 4)),
        conditions=chance.random() < 0.75,
    )
    if chance.random() < 0.85:
        return file
    # Of several sources at once.
    size = chance.choice((*SIZES[-3:], *SIZES[-3:], LARGE[0]))
    mirror, second = chance.choice(HOSTS), chance.choice((None, *HOSTS))
    several = replace(file, sizes=(size, *file.sizes[1:]), summed=True, mirror=mirror, second=second, threads=4)
    # With one version only, what a liar sends is all that is wrong.
    return several if chance.random() < 0.3 else replace(several, sizes=(size,), starts=file.starts[:1])


def _run(chance: random.Random, files: Sequence[File], before: Run | None = None) -> Run:
    kinds = chance.choices(FAULTS, [kind.weight for kind in FAULTS], k=chance.choice((0, 1, 2, 3, 4, 5)))
    if any(file.comes_from_several for file in files) and chance.random() < 0.6:
        kinds = [*kinds[:2], chance.choice([kind for kind in FAULTS if issubclass(kind, OfOneSource)])]
    if before is not None and any(isinstance(fault, BreaksOffALine) for fault in before.faults) and chance.random() < 0.6:
        # What is recorded behind half a line is missed only by the run after.
        kinds = [*kinds, Signalled]
    return Run(
        tuple(kind.draw(chance, files) for kind in kinds),
        processes=chance.choice((1, 1, 1, 2, 3, "auto")),
        threads=chance.choice((1, 2, 4, 8, 8)),
        per_host=chance.choice((1, 2, 3, 16, 16)),
        max_rate=chance.choice((None, None, None, None, 3_000_000)),
        buffer_size=chance.choice((10 * MIB, 10 * MIB, 256 * KIB)),
        if_exists=chance.choice(("keep", "keep", "refresh", "replace", "replace")),
        lateness=chance.choice((0.0, 0.002, 0.02, 0.5)),
        idle=chance.choice((1.0, 1.0, 0.3)),
        unsummed=chance.random() < 0.25,
        fail_fast=chance.choice(("never", "never", "never", "never", "first_failure")),
        deadline=chance.choice((None, None, None, None, None, None, 0.3, 2.0)),
        total=chance.choice((None, None, None, None, None, None, 0.3, 2.0)),
    )


def secret_of(kind: str) -> str:
    """The secret of a kind, as it is sent."""
    return {"header": "t0ken-of-its-origin", "password": "somebody:passw0rd-of-its-origin"}[kind]


def _header(kind: str) -> tuple[str, str]:
    return ("x-token" if kind == "header" else "authorization"), secret_of(kind)


def _option(kind: str) -> dict[str, object]:
    if kind == "header":
        return {"headers": (("X-Token", secret_of(kind)),)}
    username, _, password = secret_of(kind).partition(":")
    return {"auth": Credentials(username, password)}


def _version(file: File, number: int) -> Version:
    body = content(file.starts[number], file.sizes[number])
    tag = f'"v{number}-of-{file.number}"'
    # All versions of one second have one date, which is then no proof.
    at = BEGIN - (3600.0 * (9 - number) if file.validator == "date" else 5.0)
    match file.validator:
        case "strong":
            return Version(body, tag, None if file.number % 2 else BEGIN - 7200.0 + 60.0 * number)
        case "weak":
            return Version(body, "W/" + tag, None)
        case "date" | "recent":
            return Version(body, None, at)
        case _:
            return Version(body, None, None)


@lru_cache(4096)
def _sha256(start: int, size: int) -> str:
    return hashlib.sha256(content(start, size)).hexdigest()
