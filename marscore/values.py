"""Small values that every room shares: byte ranges, checksums, failures, and how sizes and durations are written.

Nothing here knows the network, the disk or the clock. Units: sizes are bytes, durations are seconds, both as plain numbers.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from marscore.frozen import dataclass

FailureKind = Literal[
    "http_status",
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "dns",
    "tls",
    "proxy",
    "truncated",
    "range_mismatch",
    "changed",
    "too_slow",
    "checksum",
    "size",
    "too_large",
    "redirect",
    "disk_full",
    "permission",
    "path",
    "archive",
    "resources",
    "store",
    "row",
    "offline",
    "interrupted",
    "internal",
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)

#: The folder in an output folder in which marscore keeps what is its own.
OWN_FOLDER = ".marscore"
#: What stands for a manifest's name in the report of a `get`.
COMMAND_LINE = "command line"

#: Which versions of HTTP are spoken: auto is HTTP/2 where TLS negotiates it, else 1.1.
HttpVersion = Literal["auto", "1.1", "2", "3"]

#: hashlib's names; the length is that of the digest in bytes.
DIGEST_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "blake2b": 64}
#: Those that answers announce and that can be computed here; weak ones tell of faults, not of forgeries.
ANNOUNCED_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "crc32": 4}
#: The algorithms that the Subresource Integrity syntax names (W3C SRI, section 3.5).
SRI_ALGORITHMS = ("sha256", "sha384", "sha512")
#: The usual way to write a digest, read in one step.
_PLAIN_SHA256 = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one try, in the vocabulary that retry rules, log and report share.

    `retry_after` is the server's own wish in seconds (RFC 9110 section 10.2.3), None where it made none. `lasting` says that no other try
    of the same source can go better, also where others of this kind may.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    retry_after: float | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was unpacked of an archive: the folder, relative to the output folder, and how many files and bytes are in it."""

    into: str
    files: int
    bytes: int


def internal(error: BaseException) -> Failure:
    """The failure that an error is told as which nobody expected: a system that gives too little, or else a defect of ours."""
    if isinstance(error, MemoryError):
        return Failure("resources", "the system gives too little memory")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return Failure("resources", "the system starts no more threads")
    return Failure("internal", f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes `start <= i < end` of a file (half-open, unlike the inclusive pair on the wire)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a byte range: {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start


def merge_ranges(ranges: Iterable[ByteRange]) -> tuple[ByteRange, ...]:
    """Join overlapping and touching ranges; the answer is sorted, disjoint and without empty ranges."""
    merged: list[ByteRange] = []
    for piece in sorted(r for r in ranges if len(r)):
        if merged and piece.start <= merged[-1].end:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].end, piece.end))
        else:
            merged.append(piece)
    return tuple(merged)


def gaps(ranges: Iterable[ByteRange], size: int) -> Iterator[ByteRange]:
    """Yield what of `0 <= i < size` the ranges leave uncovered, in order."""
    position = 0
    for piece in merge_ranges(ranges):
        if piece.start >= size:
            break
        if piece.start > position:
            yield ByteRange(position, piece.start)
        position = piece.end
    if position < size:
        yield ByteRange(position, size)


#: How a range ended: whole, by a failure, for a faster connection, for a file that had none, for another reason (another range or source
#: took its place, or the run ended); resumed: an earlier run had brought it.
RangeEnd = Literal["done", "failed", "redialled", "yielded", "given_up", "resumed"]


class FetchedRange(NamedTuple):
    """One request for bytes of a file: `length` of them, from `offset` on, were written.

    The times are seconds since the download began: when it was asked for, when the head of an answer came (None: none did), when it ended.
    `source` counts the download's URL and mirrors from 0; None where nobody knows. `kept` is false where the bytes were thrown away later.
    """

    offset: int
    length: int
    began_s: float
    answered_s: float | None
    ended_s: float
    source: int | None
    end: RangeEnd
    kept: bool


class MadeRequest(NamedTuple):
    """One request for bytes of a file, of which `length` were written from `offset` on.

    `began`, `answered` (None: no head of an answer came) and `ended` are Unix times. `source` counts the download's URL and mirrors from 0.
    `status` is the answer's; `failure` says why it failed, if it did.
    """

    source: int
    offset: int
    length: int
    began: float
    answered: float | None
    ended: float
    status: int | None
    failure: FailureKind | None


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest that a file must have: a hashlib algorithm and lowercase hex."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


@dataclass(frozen=True, slots=True)
class Announced:
    """A digest of the whole file that an answer carried in `field`. Its algorithm is one of `DIGEST_BYTES`, or crc32."""

    field: str
    checksum: Checksum


def parse_checksum(text: str) -> Checksum:
    """Read `algorithm:hex` or an SRI string `sha256-BASE64`.

    Raises:
        ValueError: unknown algorithm, or a digest of the wrong length or alphabet.
    """
    if _PLAIN_SHA256.fullmatch(text):
        return Checksum("sha256", text[7:])
    sri = re.fullmatch(r"(\w+)-([A-Za-z0-9+/_-]+={0,2})", text)
    if sri and sri[1].lower() in SRI_ALGORITHMS:
        return _from_sri(sri[1].lower(), sri[2])
    algorithm, colon, digest = text.partition(":")
    algorithm, digest = algorithm.strip().lower(), digest.strip().lower()
    if not colon or algorithm not in DIGEST_BYTES:
        known = ", ".join(DIGEST_BYTES)
        raise ValueError(f"must be algorithm:hex with one of {known}, or an SRI string such as sha256-BASE64")
    wanted = 2 * DIGEST_BYTES[algorithm]
    if not re.fullmatch(r"[0-9a-f]*", digest) or len(digest) != wanted:
        raise ValueError(f"a {algorithm} digest has {wanted} hexadecimal digits, this one has {len(digest)} characters")
    return Checksum(algorithm, digest)


def _from_sri(algorithm: str, text: str) -> Checksum:
    try:
        digest = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not valid base64 after {algorithm}-") from error
    if len(digest) != DIGEST_BYTES[algorithm]:
        raise ValueError(f"a {algorithm} digest has {DIGEST_BYTES[algorithm]} bytes, this one has {len(digest)}")
    return Checksum(algorithm, digest.hex())


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect, to wait for the next bytes, and for the whole download (None: no limit)."""

    connect: float = 30.0
    read: float = 30.0
    total: float | None = None


#: Basic is RFC 7617, Digest RFC 7616.
AuthScheme = Literal["basic", "digest", "auto"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password, and the scheme by which an origin is shown them; `auto` is the one that its challenge asks for.

    A user name whose password is empty is a secret itself: many servers take tokens so.
    """

    username: str
    password: str = ""
    scheme: AuthScheme = "basic"

    def __repr__(self) -> str:
        return f"Credentials({repr(self.username) if self.password else '...'}, ...)"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy for each scheme; None there means a direct connection."""

    http: str | None = None
    https: str | None = None

    def __repr__(self) -> str:
        # A proxy URL may carry a password.
        return "Proxies(...)"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM files that a TLS client shows; `key` is None where `cert` holds both, `password` decrypts it."""

    cert: str
    key: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"ClientCertificate({self.cert!r}, {self.key!r})"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an origin: the header fields, credentials, proxies and TLS settings of a request (see `resolve.model.Options`).

    `forward_headers` names, in lower case, those header fields that go along on a redirect to another origin; `private_addresses` says
    whether a redirect may lead to an address that is not public. `chosen` are the origins that the author of the manifest has written,
    where others have written some: what leads to none of these is looked at as a redirect is; None: all are the author's.
    """

    headers: tuple[tuple[str, str], ...] = ()
    timeouts: Timeouts = Timeouts()
    proxies: Proxies | None = None
    auth: Credentials | Literal["netrc"] | None = None
    verify: bool | str = True
    cert: ClientCertificate | None = None
    forward_headers: tuple[str, ...] = ()
    private_addresses: Literal["allow", "refuse"] = "allow"
    chosen: frozenset[str] | None = None

    def is_chosen(self, origin: str) -> bool:
        """Whether the author of the manifest has chosen an origin, and not who writes a list that is elsewhere."""
        return self.chosen is None or origin in self.chosen

    def public_only(self, origin: str, is_redirect: bool) -> bool:
        """Whether a request to an origin may be sent to public addresses alone."""
        return self.private_addresses == "refuse" and (is_redirect or not self.is_chosen(origin))


_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGTP]?i?)B?\s*")
_SIZE_FACTOR: dict[str, int] = {"": 1} | {
    prefix + infix: int(base ** (power + 1))
    for infix, base in (("", 1000), ("i", 1024))
    for power, prefixes in enumerate(("kK", "M", "G", "T", "P"))
    for prefix in prefixes
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*")
_DURATION_FACTOR = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Read `10MiB`, `1.5GB` or a number of bytes; iB units count in 1024s, B units in 1000s.

    Raises:
        ValueError: not a size, or not a whole number of bytes.
    """
    match = _SIZE.fullmatch(text)
    if not match or match[2] not in _SIZE_FACTOR:
        raise ValueError("must be a size such as 10MiB, 1.5GB or a number of bytes")
    whole, _, fraction = match[1].partition(".")
    scaled, rest = divmod(int(whole + fraction) * _SIZE_FACTOR[match[2]], int(10 ** len(fraction)))
    if rest:
        raise ValueError("must be a whole number of bytes")
    return scaled


def parse_duration(text: str) -> float:
    """Read `500ms`, `30s`, `5m`, `2h`, `1d`, or a number of seconds.

    Raises:
        ValueError: not a duration.
    """
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _DURATION_FACTOR[match[2]] if match else math.inf
    if math.isinf(seconds):
        raise ValueError("must be a duration such as 500ms, 30s, 5m, 2h or a number of seconds")
    return seconds


def format_size(count: float) -> str:
    """Write a number of bytes for a person: `812 B`, `1.5 MiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = 0
    while abs(count) >= 1024 and power < len(units) - 1:
        count /= 1024
        power += 1
    return f"{count:.0f} {units[power]}" if power == 0 else f"{count:.1f} {units[power]}"
