"""Reads heads of responses as they came, line by line, and refuses those that leave in doubt what follows them.

    lines of one head or several --final_head--> read_head --> Head | Failure | None (an interim answer, or none that is whole)

Both transports have their heads read here: libcurl hands its lines over, and the transport by requests reads them off the connection.
A guess about where a body ends is a wrong file (RFC 9112 sections 6.3 and 8), so lengths that contradict each other or are no numbers and
transfer codings that nobody asked for are failures, whatever the client below would make of them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from marscore.frozen import dataclass
from marscore.policy.redirect import the_location
from marscore.values import Failure

#: What others accept too: curl takes 300 KiB of head, browsers 256 KiB.
MAX_FIELDS, MAX_BYTES = 1000, 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]|2|3) ([1-9][0-9][0-9])(?: .*)?", re.DOTALL)
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)", re.DOTALL)
_LENGTH = re.compile("[0-9]{1,19}")
#: RFC 9110 section 5.5: to be refused or replaced by a space.
_DANGEROUS = bytes.maketrans(b"\r\n\0", b"   ")
_BLANK = frozenset({b"\r\n", b"\n", b""})
TOO_LARGE = Failure("connection", f"the server sends more than {MAX_FIELDS} header fields, or than {MAX_BYTES // 1024} KiB of them")
STRANGE = Failure("connection", "the server does not speak HTTP properly")


@dataclass(frozen=True, slots=True)
class Head:
    """Status and protocol of a response, and its fields by name in lower case, repeated ones joined (RFC 9110 section 5.3).

    `cookies` and `locations` are the values of Set-Cookie and Location, which are no lists, each as it came; `is_identity` says that the
    length stands beside a Transfer-Encoding of identity, which is none; `had_both` that a length stood beside chunks, so that where the
    next answer begins is in doubt (RFC 9112 section 6.3).
    """

    status: int
    protocol: str
    fields: Mapping[str, str]
    cookies: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    is_identity: bool = False
    had_both: bool = False

    @property
    def length(self) -> int | None:
        """The bytes of the body, where that is said."""
        length = self.fields.get("content-length")
        return None if length is None else int(length)


def is_whole(lines: Sequence[bytes]) -> bool:
    """Whether these lines end with a whole head, or with trailers behind one."""
    return bool(lines) and lines[-1] in _BLANK


def final_head(lines: Sequence[bytes]) -> Head | Failure | None:
    """The last head among these lines; lines behind its end are trailers, and left out. None where that is an interim one."""
    begin = max((number for number, line in enumerate(lines) if line.startswith(b"HTTP/")), default=None)
    return None if begin is None else read_head(lines[begin:])


def read_head(lines: Sequence[bytes]) -> Head | Failure | None:
    """The head that these lines begin with; None where it is an interim one."""
    first = _status_line(lines[0])
    if first is None:
        return STRANGE
    status, protocol = first
    if status < 200:
        return Failure("connection", "the server changed to another protocol") if status == 101 else None
    return _head(status, protocol, lines[1:])


@lru_cache(256)
def _status_line(line: bytes) -> tuple[int, str] | None:
    match = _STATUS_LINE.fullmatch(line.rstrip(b"\r\n"))
    return None if match is None else (int(match[2]), f"HTTP/{match[1].decode()}")


def _field(line: bytes) -> tuple[str, str] | None:
    """Name and value of a field; None where it is none."""
    match = _FIELD.fullmatch(line)
    if match is None:
        return None
    return match[1].decode("ascii").lower(), match[2].translate(_DANGEROUS).strip(b" \t").decode("latin-1")


#: Most lines of a head are those of the one before.
_known_field = lru_cache(4096)(_field)
_SHORT = 128


def _head(status: int, protocol: str, lines: Iterable[bytes]) -> Head | Failure:
    fields: dict[str, str] = {}
    apart: dict[str, list[str]] = {"set-cookie": [], "location": []}
    count = size = 0
    for line in _unfolded(lines):
        count, size = count + 1, size + len(line)
        field = _known_field(line) if len(line) < _SHORT else _field(line)
        if field is None:
            return STRANGE
        if count > MAX_FIELDS or size > MAX_BYTES:
            return TOO_LARGE
        name, value = field
        if name in apart:
            apart[name].append(value)
        if name == "content-length" and fields.get(name, value) == value:
            # The same once more is no contradiction (RFC 9110 section 8.6).
            fields[name] = value
        else:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    framing = _framed(fields)
    if isinstance(framing, Failure):
        return framing
    return Head(status, protocol, fields, tuple(apart["set-cookie"]), tuple(apart["location"]), *framing)


def _unfolded(lines: Iterable[bytes]) -> Iterable[bytes]:
    """The lines of fields up to the empty one, folded ones joined (RFC 9112 section 5.2)."""
    before: bytes | None = None
    for line in lines:
        if line in _BLANK:
            break
        text = line.rstrip(b"\r\n")
        if text[:1] in (b" ", b"\t") and before is not None:
            before = before.rstrip(b" \t") + b" " + text.strip(b" \t")
            continue
        if before is not None:
            yield before
        before = text
    if before is not None:
        yield before


def _framed(fields: dict[str, str]) -> tuple[bool, bool] | Failure:
    """Leave one at most of the fields that say where a body ends; returns `is_identity` and `had_both` (RFC 9112 section 6.3)."""
    if "content-length" in fields and not _LENGTH.fullmatch(fields["content-length"]):
        return Failure("connection", "the server contradicts itself about the length of its answer")
    coding = fields.get("transfer-encoding", "identity").lower()
    if coding not in ("identity", "chunked", ""):
        return Failure("connection", "the server uses a transfer coding that nobody asked for")
    is_identity = coding != "chunked" and "transfer-encoding" in fields
    # A length says nothing beside a transfer coding, and identity is none.
    void = fields.pop("content-length" if coding == "chunked" else "transfer-encoding", None)
    return is_identity, coding == "chunked" and void is not None


def location_of(head: Head) -> str | Failure | None:
    """Where a redirect leads; None where it is none."""
    location = the_location(head.locations) if head.status in _REDIRECTS else None
    if isinstance(location, str):
        with contextlib.suppress(UnicodeError):
            # Fields are bytes; servers send UTF-8 here.
            location = location.encode("latin-1").decode("utf-8")
    return location
