"""Download: one file that is wanted, with everything decided: no templates, no defaults, no environment left.

Many downloads share one `Options` value (the same object), so that a hundred thousand of them stay small.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.policy.retry import RetryRules
from marscore.state import Claim, FileIdentity
from marscore.values import Access, Checksum, ClientCertificate, Credentials, Failure, Proxies, Timeouts

IfExists: TypeAlias = Literal["keep", "refresh", "replace", "fail"]
Mtime: TypeAlias = Literal["server", "now"]


@dataclass(frozen=True, slots=True)
class Unpack:
    """How an archive is to be unpacked.

    `into` is the folder as it is written, if it is; `strip` how many leading parts names lose, `only` globs of names in the archive, all
    if there are none; with `keep` "no" the archive goes once it is unpacked.
    """

    into: str | None = None
    strip: int = 0
    only: tuple[str, ...] = ()
    keep: Literal["yes", "no"] = "yes"


@dataclass(frozen=True, slots=True)
class Options:
    """How to fetch: what many downloads have in common.

    `headers` are (name, value) pairs; `auth` "netrc" looks the origin up there; `proxies` None means the environment's;
    `verify` is True, False or the path of a CA bundle; `threads` is the most connections for one file; `min_speed` is bytes a second.
    `mode` is permission bits, None what the umask gives; `mtime` says whose time the finished file has;
    `unpack` how archives are unpacked, None: not at all. `chosen`: see `Access`.
    """

    headers: tuple[tuple[str, str], ...] = ()
    threads: int = 4
    timeouts: Timeouts = Timeouts()
    retry: RetryRules = RetryRules()
    proxies: Proxies | None = None
    auth: Credentials | Literal["netrc"] | None = None
    verify: bool | str = True
    cert: ClientCertificate | None = None
    min_speed: int | None = None
    max_size: int | None = None
    if_exists: IfExists = "keep"
    mode: int | None = None
    mtime: Mtime = "server"
    unpack: Unpack | None = None
    tags: tuple[str, ...] = ()
    forward_headers: tuple[str, ...] = ()
    private_addresses: Literal["allow", "refuse"] = "allow"
    chosen: frozenset[str] | None = None

    @property
    def access(self) -> Access:
        """What an HTTP client needs of these to reach an origin."""
        return Access(
            self.headers,
            self.timeouts,
            self.proxies,
            self.auth,
            self.verify,
            self.cert,
            self.forward_headers,
            self.private_addresses,
            self.chosen,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """What the lock names of a download: its size in bytes, if it knows that, and its sha256 in lowercase hex."""

    size: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class ListSource:
    """Where a publisher's list of checksums is: `place` is a URL, or a path relative to the manifest's folder.

    `mirrors` are further URLs of it, `checksums` what the list itself must have. `asked` are the URLs that the manifest's `mirrors` put in
    the place of these, if they do.
    """

    place: str
    mirrors: tuple[str, ...] = ()
    checksums: tuple[Checksum, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it is fetched from; none for a path."""
        return self.asked or ((self.place, *self.mirrors) if "://" in self.place else ())


@dataclass(frozen=True, slots=True)
class Awaited:
    """A checksum that a list names: under `name` (None: what the download's URL says), by `algorithm` (None: what the list says)."""

    source: ListSource
    algorithm: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """One file to have in place.

    `id` is the entry's place (`downloads[3]`, `downloads[3][17]`), `sources` what is asked, in this order: the URL and then its mirrors,
    or those that the manifest's `mirrors` put in their place. `path` is relative to the output folder with `/` between its parts,
    `checksums` must all hold, `size` is in bytes. What the lock names is among these, and `held` tells it apart.

    `into` is the folder that it is unpacked into, relative to the output folder; None: it is not. `awaited` are further checksums, which
    have to be looked up in lists first. `original` is the URL as it is written, where that is not the first source; it is what
    the download is known by. `standing` is a file under its name that is not replaced, with its sha256: what comes is held against it.
    `replaces` is an object that was under its name when this was decided, and is replaced only as long as it is the same.
    `bad` says what is wrong with the row of a list that it is of: such a download is never begun, and fails.
    """

    id: str
    sources: tuple[str, ...]
    path: str
    options: Options
    checksums: tuple[Checksum, ...] = ()
    size: int | None = None
    held: Held | None = None
    into: str | None = None
    awaited: tuple[Awaited, ...] = ()
    original: str | None = None
    standing: Claim | None = None
    replaces: FileIdentity | None = None
    bad: str | None = None

    @property
    def url(self) -> str:
        """What it is known by, in state, lock, cache and report; no request is sent there unless it is a source too."""
        return self.sources[0] if self.original is None else self.original

    @property
    def other_than_standing(self) -> Failure:
        """What is said where what comes is not the file that stands under its name."""
        return Failure("path", "a file with other content is there already, and is not replaced without --overwrite")

    @property
    def stays(self) -> bool:
        """Whether the file stays where it is put, rather than to go once it is unpacked."""
        return self.into is None or self.options.unpack is None or self.options.unpack.keep == "yes"
