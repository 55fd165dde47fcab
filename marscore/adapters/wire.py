"""HTTP/1.1 on the wire, as far as a plain exchange needs it: the bytes of a GET out, the head of its answer in. Strict: what is not exactly
what RFC 9112 says is not understood here, and a client that understands more takes over.

    block_of(headers) + request_bytes(...) --> bytes to send        bytes that came --parse_head--> Head | None
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from marscore.frozen import dataclass

#: The end of a head (RFC 9112 section 2.1). Servers that end lines with a bare LF are left to the general client, which has to get to know.
END = re.compile(rb"\n\r?\n")
_TCHARS = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = r"[\t\x20-\x7e\x80-\xff]*"
_STATUS_LINE = re.compile("HTTP/1\\.1 ([1-9][0-9][0-9])(?: .*)?")
_NAME = re.compile(_TCHARS)
_FIELD = re.compile(_TCHARS + ": " + _VALUE)
#: What a head may not hold: controls but for tabs and line ends.
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x80-\xff]")
#: More is left to the general client.
MAX_FIELDS = 99
_LENGTH = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer: its status, and its fields by name in lower case, repeated ones joined (RFC 9110 section 5.3).

    `body_length` is how many bytes follow where that is plain to see and nothing but the file's own bytes; None where it is not.
    """

    status: int
    fields: Mapping[str, str]
    body_length: int | None

    @property
    def is_plain(self) -> bool:
        """Whether nothing about this answer asks for more than reading its body."""
        fields = self.fields
        if self.status not in (200, 206) or self.body_length is None or "set-cookie" in fields or "upgrade" in fields:
            return False
        return "connection" not in fields or fields["connection"].lower() == "keep-alive"


def head_of(status: int, fields: Mapping[str, str]) -> Head:
    """A head with what its fields say of the body's length."""
    # A transfer coding makes the length void (RFC 9112 section 6.3), and two lengths are an attack or a defect.
    if "transfer-encoding" in fields or fields.get("content-encoding", "identity").lower() != "identity":
        return Head(status, fields, None)
    length = fields.get("content-length", "")
    return Head(status, fields, int(length) if _LENGTH.fullmatch(length) else None)


def parse_head(data: bytes) -> Head | None:
    """Read a head that ends with an empty line; None where it is not strictly one of HTTP/1.1."""
    text = data.decode("latin-1")
    if not text.endswith("\r\n\r\n"):
        return None
    status_line, *lines = text[:-4].split("\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    # Each CR and each LF has to be a part of one of the line ends, that of the status line and the last two among them.
    ends = len(lines) + 2
    if match is None or len(lines) > MAX_FIELDS or _CONTROL.search(text) or not text.count("\r") == text.count("\n") == ends:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        written, colon, value = line.partition(":")
        name = _lower_name(written)
        if name is None or not colon:
            return None
        value = value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return head_of(int(match[1]), fields)


@lru_cache(maxsize=1024)
def _lower_name(name: str) -> str | None:
    """A field's name in lower case; None where it is none (RFC 9110 section 5.1)."""
    return name.lower() if _NAME.fullmatch(name) else None


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
    line = f"{name}: {value}"
    if _FIELD.fullmatch(line) is None:
        raise ValueError(f"{name} cannot be sent")
    return f"{line}\r\n".encode("latin-1")


def request_bytes(target: str, block: bytes, own: Iterable[tuple[str, str]]) -> bytes:
    """A GET as it is sent: `block` is what all requests of its kind have in common, `own` the fields of this one."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (target.encode("ascii"), block, block_of(own))
