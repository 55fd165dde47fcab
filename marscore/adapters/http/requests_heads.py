"""http.client's responses, for files whose every byte counts: a head is taken only where it is whole and its framing is beyond doubt.

    bytes --_Stream--> lines --heads.read_head--> Head --StrictResponse--> http.client        chunks --_Chunks--> body

http.client guesses where a head is cut, broken or contradicts itself, takes for the size of a chunk whatever `int` takes, and drops what
stands behind a chunk unseen. A guess about where a body ends is a wrong file (RFC 9112 sections 6.3, 7.1 and 8). So the head is read and
judged here, and http.client is told what came of it: whether the connection stays open, and how long the body is.
"""

from __future__ import annotations

import contextlib
import io
import re
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any

from marscore.adapters.http.heads import MAX_BYTES, MAX_FIELDS, STRANGE, TOO_LARGE, Head, read_head
from marscore.adapters.http.sockets import shut_down_socket
from marscore.values import Failure

_LONGEST_LINE = 65_536
#: Bytes of a head that are read; how large it may be, `heads` says.
_READ_OF_A_HEAD = 2 * MAX_BYTES
_MAX_INTERIM = 100
_GREETING = b"HTTP/"
_VERSIONS = {"HTTP/1.0": 10, "HTTP/1.1": 11}
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_LINE_ENDS = (b"\r\n", b"\n")


class BadHead(HTTPException):
    """A head that is not relied on; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class StrictResponse(HTTPResponse):
    """An http.client response that refuses what is not HTTP, and knows whether its connection can be used again."""

    fp: Any

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        #: An answer to HEAD has no body, whatever its head says (RFC 9110 section 9.3.2).
        self._has_no_body = kwargs.get("method") == "HEAD"
        self.fp = _Stream(self.fp.detach(), sock)

    def begin(self, *_args: Any, **_kwargs: Any) -> None:
        """Read the head.

        Raises:
            HTTPException: it is cut, broken or ambiguous.
        """
        head = _final_head(self.fp)
        self.version = _VERSIONS[head.protocol]
        self.status = self.code = head.status
        self.reason = ""
        self.headers = self.msg = _message_of(head)
        # For http.client no body is chunked: those that are, `_Chunks` reads.
        self.chunked = False
        in_chunks = "transfer-encoding" in head.fields
        self.length = 0 if head.status in (204, 304) or self._has_no_body else head.length
        if in_chunks and self.length is None:
            self.fp = _Chunks(self.fp)
        options = head.fields.get("connection", "").lower()
        keeps = "close" not in options if self.version == 11 else "keep-alive" in options and not in_chunks
        self.will_close = not keeps or head.had_both or (self.length is None and not in_chunks)


class _Stream(io.BufferedReader):
    """What is read from a connection for one response."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        super().__init__(raw)
        self._sock = sock

    def close(self) -> None:
        """End the connection where bytes follow the body: they answer nothing that was asked (RFC 9112 section 6.3)."""
        if not self.closed and self._has_more():
            shut_down_socket(self._sock)
        super().close()

    def _has_more(self) -> bool:
        # Over TLS no selector tells of bytes that have been decrypted already.
        with contextlib.suppress(OSError, ValueError):
            before = self._sock.gettimeout()
            self._sock.settimeout(0)
            try:
                return bool(self.peek(1))
            finally:
                self._sock.settimeout(before)
        return False


class _Chunks(io.BufferedIOBase):
    """The body that comes in chunks (RFC 9112 section 7.1)."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._left = 0
        self._is_first = True

    def read1(self, most: int = -1) -> bytes:
        """Return what has come of the body, up to `most` bytes; nothing behind its end.

        Raises:
            IncompleteRead: the chunks are broken or break off.
        """
        if not self._left:
            self._left = self._next_size()
            if not self._left:
                self._read_trailers()
                return b""
        data = self._stream.read1(self._left if most < 0 else min(most, self._left))
        if not data and most:
            raise IncompleteRead(b"")
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _next_size(self) -> int:
        is_behind_a_chunk, self._is_first = not self._is_first, False
        if is_behind_a_chunk and self._stream.readline(2) not in _LINE_ENDS:
            raise IncompleteRead(b"")
        match = _CHUNK_SIZE.fullmatch(self._stream.readline(_LONGEST_LINE))
        if match is None:
            raise IncompleteRead(b"")
        return int(match[1], 16)

    def _read_trailers(self) -> None:
        for _ in range(MAX_FIELDS):
            line = self._stream.readline(_LONGEST_LINE)
            if line in _LINE_ENDS:
                return
            if not line.endswith(b"\n"):
                break
        raise IncompleteRead(b"")


def _final_head(stream: _Stream) -> Head:
    """Read heads up to the final one; interim ones are skipped (RFC 9110 section 15.2).

    Raises:
        HTTPException: it is no head that can be relied on.
    """
    for _ in range(_MAX_INTERIM):
        head = read_head(_head_lines(stream))
        if head is None:
            continue
        if isinstance(head, Failure):
            raise BadHead(head)
        if head.protocol not in _VERSIONS:
            break
        return head
    raise BadHead(STRANGE)


def _head_lines(stream: _Stream) -> list[bytes]:
    greeting = stream.read(len(_GREETING))
    if not greeting:
        raise RemoteDisconnected("no answer")
    if greeting != _GREETING:
        raise BadHead(STRANGE)
    lines = [greeting + stream.readline(_READ_OF_A_HEAD)]
    size = len(lines[0])
    while lines[-1].endswith(b"\n") and size < _READ_OF_A_HEAD:
        line = stream.readline(_READ_OF_A_HEAD)
        if line in _LINE_ENDS:
            return lines
        lines.append(line)
        size += len(line)
    raise BadHead(TOO_LARGE if size >= _READ_OF_A_HEAD else Failure("connection", "the head broke off"))


def _message_of(head: Head) -> HTTPMessage:
    """The fields as http.client has them; cookies each by itself, since they are no list."""
    message = HTTPMessage()
    for name, value in head.fields.items():
        for each in {"set-cookie": head.cookies, "location": head.locations}.get(name, (value,)):
            message[name] = each
    return message
