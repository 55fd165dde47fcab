"""http.client's responses, for files whose every byte counts: a head is taken only where it is whole and its framing is beyond doubt.

    bytes --final_head--> the final head, put in order --> http.client

http.client guesses where a head is cut, broken or contradicts itself: a cut head counts as a whole one, what follows a malformed line is
dropped, an interim answer counts as the final one. A guess about where a body ends is a wrong file (RFC 9112 sections 6.3 and 8).
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
from collections.abc import Sequence
from http.client import BadStatusLine, HTTPException, HTTPMessage, HTTPResponse
from typing import Any, BinaryIO

from marscore.adapters.http.heads import MAX_BYTES, MAX_FIELDS

_LONGEST_CHUNK_LINE = 65_536
_MAX_INTERIM = 100
_GREETING = b"HTTP/"
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)", re.DOTALL)
_INTERIM = re.compile(rb"\S+ +1\d\d\b")
#: The fields that http.client itself looks at.
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection"})
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
#: RFC 9110 section 5.5: to be refused or replaced by a space. Line ends proper are gone by then.
_DANGEROUS = bytes.maketrans(b"\r\0", b"  ")


class StrictResponse(HTTPResponse):
    """An http.client response that refuses what is not HTTP, and knows whether its connection can be used again."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock

    @property
    def sock(self) -> Any:
        """The socket that it is read from."""
        return getattr(self._sock, "sock", self._sock)

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """Read the head.

        Raises:
            HTTPException: it is cut, broken or ambiguous.
        """
        stream: Any = self.fp
        head, doubtful = final_head(stream)
        status, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        if fields:
            # http.client takes a hundred fields of 64 KiB each, and looks at few of them.
            head = b"\r\n".join((status, *(field for field in fields if field.partition(b":")[0].lower() in _FRAMING), b"", b""))
        self.fp = io.BufferedReader(io.BytesIO(head))
        try:
            super().begin(*args, **kwargs)
        finally:
            self.fp = stream
        self.headers = self.msg = _message_of(fields)
        if doubtful or (self.chunked and self.version == 10):
            self.will_close = True

    def _close_conn(self) -> None:
        self._spoil_if_more()
        super()._close_conn()  # type: ignore[misc]  # the type stubs leave it out

    def _spoil_if_more(self) -> None:
        """Break the connection where bytes follow the body: they answer nothing that was asked (RFC 9112 section 6.3)."""
        if self.fp is None or not isinstance(self._sock, socket.socket):
            return
        before = self._sock.gettimeout()
        with contextlib.suppress(OSError, ValueError):
            self._sock.settimeout(0)
            try:
                more = bool(self.fp.peek(1))
            finally:
                self._sock.settimeout(before)
            if more:
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _read_next_chunk_size(self) -> int:
        # http.client takes whatever int() takes: signs, underscores, 0x.
        match = _CHUNK_SIZE.fullmatch(self.fp.readline(_LONGEST_CHUNK_LINE))
        if match is None:
            raise ValueError("no chunk size")
        return int(match[1], 16)


class HeadTooLarge(HTTPException):
    """A head has more fields, or more bytes, than are read."""


def final_head(stream: BinaryIO) -> tuple[bytes, bool]:
    """Read heads up to the final one, and return that with one field a line; interim ones are skipped (RFC 9110 section 15.2).

    What does not begin as HTTP does is returned as it is. The second value says whether where the next answer begins is in doubt.

    Raises:
        HTTPException: it is no head that can be relied on.
    """
    for _ in range(_MAX_INTERIM):
        greeting = stream.read(len(_GREETING))
        if greeting != _GREETING:
            return greeting, False
        status = greeting + _line(stream)
        lines = _unfolded(stream)
        if not _INTERIM.match(status):
            kept, doubtful = _framed(lines)
            return b"\r\n".join((status, *kept, b"", b"")), doubtful
        if status.split()[1] == b"101":
            raise HTTPException("another protocol, which was not asked for")
    raise HTTPException("too many interim answers")


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(MAX_BYTES + 1)
    if len(line) > MAX_BYTES:
        raise HeadTooLarge
    if not line.endswith(b"\n"):
        raise HTTPException("the head broke off")
    return line[:-1].removesuffix(b"\r").translate(_DANGEROUS)


def _unfolded(stream: BinaryIO) -> list[tuple[bytes, bytes]]:
    """The fields of a head: name and value, where a value on several lines is put on one (RFC 9112 section 5.2)."""
    fields: list[tuple[bytes, bytes]] = []
    size = 0
    while len(fields) <= MAX_FIELDS and size <= MAX_BYTES:
        line = _line(stream)
        size += len(line) + 1
        if not line:
            return fields
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, b"%b %b" % (value, line.strip(b" \t")))
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise BadStatusLine("a line that is no field")
        fields.append((match[1], match[2].strip(b" \t")))
    raise HeadTooLarge


def _framed(fields: Sequence[tuple[bytes, bytes]]) -> tuple[list[bytes], bool]:
    """The lines of a head with at most one of Content-Length and Transfer-Encoding, and whether it had both (RFC 9112 section 6.3)."""
    lengths = {part.strip(b" \t") for value in _values(fields, b"content-length") for part in value.split(b",")}
    # With "identity", the server says that it has put nothing around the body.
    codings = [value.lower() for value in _values(fields, b"transfer-encoding") if value.lower() not in (b"identity", b"")]
    if len(lengths) > 1 or not all(re.fullmatch(rb"\d{1,19}", length) for length in lengths):
        raise HTTPException("not a length")
    if codings not in ([], [b"chunked"]):
        raise HTTPException("a transfer coding that was not asked for")
    kept = [name + b": " + value for name, value in fields if name.lower() not in (b"content-length", b"transfer-encoding")]
    if codings:
        kept.append(b"Transfer-Encoding: chunked")
    elif lengths:
        kept.append(b"Content-Length: " + lengths.pop())
    return kept, bool(codings and lengths)


def _values(fields: Sequence[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key.lower() == name]


def _message_of(lines: Sequence[bytes]) -> HTTPMessage:
    message = HTTPMessage()
    for line in lines:
        name, _, value = line.partition(b": ")
        message[name.decode("ascii")] = value.decode("latin-1")
    return message
