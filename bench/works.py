"""The works: what is fetched, from which site, over how many connections."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

KIB, MIB, GIB = 1024, 1024**2, 1024**3

#: plain and tls are nginx itself over HTTP/1.1, h2 is TLS with HTTP/2 for who asks for it; throttled gives each connection 8 MiB/s; distant
#: and distant-tls are plain and tls behind 40 ms of round trip.
Site: TypeAlias = Literal["plain", "tls", "h2", "throttled", "distant", "distant-tls"]
#: Those that a client verifies.
SECURE: frozenset[Site] = frozenset({"tls", "h2", "distant-tls"})


@dataclass(frozen=True)
class File:
    """A file on the server; its content follows from its path."""

    path: str
    size: int

    @property
    def name(self) -> str:
        """Its last part, under which every tool stores it."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Work:
    """One job that every tool is given.

    Attributes:
        at_once: files in flight, for the tools that can.
        per_file: connections for one file; None leaves it at each tool's own default.
        prove: the tool is told the sha256 and has to prove it.
        again: an untimed first run fetches everything; the timed one finds it in place.
    """

    name: str
    title: str
    files: tuple[File, ...]
    site: Site = "plain"
    at_once: int = 1
    per_file: int | None = None
    prove: bool = False
    again: bool = False

    @property
    def secure(self) -> bool:
        """Whether it is fetched over TLS."""
        return self.site in SECURE

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Scale:
    """How large the works are."""

    large: int
    half: int
    middle: int
    medium: int
    small: int
    mixed: int
    tiny: int


FULL = Scale(large=GIB, half=512 * MIB, middle=64 * MIB, medium=256 * MIB, small=5_000, mixed=200, tiny=50_000)
QUICK = Scale(large=32 * MIB, half=16 * MIB, middle=4 * MIB, medium=8 * MIB, small=40, mixed=16, tiny=80)


def works(scale: Scale) -> list[Work]:
    """All works, in the order in which they run."""
    large = (File("large/large.bin", scale.large),)
    small = _alike("small", scale.small, 10 * KIB)
    tiny = _alike("tiny", scale.tiny, KIB)
    half, middle = (File("half/half.bin", scale.half),), (File("middle/middle.bin", scale.middle),)
    big, medium, mixed = _said(scale.large), _said(scale.medium), _mixed(scale.mixed)
    return [
        Work("large", f"{big}, plain", large),
        Work("large-half", f"{_said(scale.half)}, plain", half),
        Work("large-middle", f"{_said(scale.middle)}, plain", middle),
        Work("large-tls", f"{big}, TLS", large, "tls"),
        Work("large-half-tls", f"{_said(scale.half)}, TLS", half, "tls"),
        Work("large-middle-tls", f"{_said(scale.middle)}, TLS", middle, "tls"),
        Work("large-h2", f"{big}, TLS with HTTP/2", large, "h2"),
        Work("large-sha256", f"{big}, sha256 proven", large, prove=True),
        Work("small", f"{scale.small:,} x 10 KiB, plain", small, at_once=16),
        Work("small-tls", f"{scale.small:,} x 10 KiB, TLS", small, "tls", at_once=16),
        Work("small-h2", f"{scale.small:,} x 10 KiB, TLS with HTTP/2", small, "h2", at_once=16),
        Work("throttled", f"{medium}, 8 MiB/s a connection", (File("medium/medium.bin", scale.medium),), "throttled", per_file=16),
        Work("distant", f"{scale.mixed} x 1 KiB to 4 MiB, 40 ms away", mixed, "distant", at_once=16),
        Work("distant-tls", f"{scale.mixed} x 1 KiB to 4 MiB, 40 ms away, TLS", mixed, "distant-tls", at_once=16),
        Work("tiny", f"{scale.tiny:,} x 1 KiB, plain", tiny, at_once=16),
        Work("again", f"{scale.small:,} x 10 KiB, all in place", small, at_once=16, again=True),
        Work("start", "one file of 1 KiB", (File("start/start.bin", KIB),)),
    ]


def _alike(folder: str, count: int, size: int) -> tuple[File, ...]:
    return tuple(File(f"{folder}/{folder}-{number:05d}.bin", size) for number in range(count))


def _mixed(count: int) -> tuple[File, ...]:
    """Sizes spread evenly over the powers of two from 1 KiB to 4 MiB; always the same ones."""
    chance = random.Random(2026)
    return tuple(File(f"mixed/mixed-{number:05d}.bin", int(2 ** chance.uniform(10, 22))) for number in range(count))


def _said(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"
