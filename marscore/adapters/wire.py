"""HTTP/1.1 on the wire, as far as a plain exchange needs it: the bytes of a GET out, the head of its answer in. Strict: what is not exactly
what RFC 9112 says is not understood here, and a client that understands more takes over.

    block_of(headers) + request_bytes(...) --> bytes to send        bytes that came --parse_head--> Head | None
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from marscore.frozen import dataclass

#: The end of a head (RFC 9112 section 2.1). Servers that end lines with a bare LF are left to the general client, which has to get to know.
END = re.compile(rb"\n\r?\n")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_HEAD = re.compile(rb"HTTP/1\.1 ([1-9]\d\d)(?: " + _VALUE + rb")?\r\n((?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*)\r\n")
#: http.client takes a hundred lines of fields, the empty one among them. More is left to it, which says so.
MAX_FIELDS = 99
_LENGTH = re.compile(r"[0-9]{1,19}")
#: What is in an authority and not in a Host field: user information, an IPv6 zone.
_USERINFO_OR_ZONE = re.compile("[@%]")
_LAST_DOTS = re.compile(r"\.+(?=(?::[0-9]*)?\Z)")
#: A path and query that are sent exactly as they are written. Anything else is first put in order by requests: a segment that is . or ..,
#: and a query that is empty, too.
_PLAIN_TARGET = re.compile(r"(?![^?]*/\.\.?(?:[/?]|\Z))(?!.*\?\Z)/[A-Za-z0-9._~/?=&+,;:@!$()*-]*")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer: its status, and its fields by name in lower case, repeated ones joined (RFC 9110 section 5.3)."""

    status: int
    fields: Mapping[str, str]

    @property
    def body_length(self) -> int | None:
        """How many bytes follow where that is plain to see and nothing but the file's own bytes; None where it is not.

        A transfer coding makes the length void (RFC 9112 section 6.3), and two lengths are an attack or a defect.
        """
        fields = self.fields
        if "transfer-encoding" in fields or fields.get("content-encoding", "identity").lower() != "identity":
            return None
        length = fields.get("content-length", "")
        return int(length) if _LENGTH.fullmatch(length) else None

    @property
    def is_plain(self) -> bool:
        """Whether nothing about this answer asks for more than reading its body."""
        fields = self.fields
        if self.status not in (200, 206) or self.body_length is None or "set-cookie" in fields or "upgrade" in fields:
            return False
        return "connection" not in fields or fields["connection"].lower() == "keep-alive"


def parse_head(data: bytes) -> Head | None:
    """Read a head that ends with an empty line; None where it is not strictly one of HTTP/1.1."""
    match = _HEAD.fullmatch(data)
    if match is None:
        return None
    lines = match[2].decode("latin-1").split("\r\n")[:-1]
    if len(lines) > MAX_FIELDS:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Head(int(match[1]), fields)


@lru_cache(maxsize=256)
def _block(headers: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(_line(name, value) for name, value in headers)


def block_of(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header fields as they are sent.

    Raises:
        ValueError: one of them cannot be sent.
    """
    return _block(tuple(headers))


def _line(name: str, value: str) -> bytes:
    line = f"{name}: {value}".encode("latin-1")
    if re.fullmatch(_TOKEN + rb": " + _VALUE, line) is None:
        raise ValueError(f"{name} cannot be sent")
    return line + b"\r\n"


def request_bytes(target: str, block: bytes, own: Iterable[tuple[str, str]]) -> bytes:
    """A GET as it is sent: `block` is what all requests of its kind have in common, `own` the fields of this one."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (target.encode("ascii"), block, block_of(own))


def split_url(url: str) -> tuple[str, str] | None:
    """A URL's origin and the target to send, where the URL is so plain that both are literally in it; else None."""
    start = url.find("/", 8)
    if start < 0 or _USERINFO_OR_ZONE.search(url, 0, start) or _PLAIN_TARGET.fullmatch(url, start) is None:
        return None
    return url[:start], url[start:]


def host_field(url: str) -> str:
    """The Host field for a URL: its port is left out where it is the scheme's own (RFC 9110 section 7.2), and so is the root's dot."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return _LAST_DOTS.sub("", host.removesuffix(default))
