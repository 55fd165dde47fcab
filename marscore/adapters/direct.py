"""The direct lane: plain GETs on kept-alive connections with nothing between the socket and the caller's buffer.

    first GET of an origin --> general client --> is the answer plain? --learn--> Way (pool, header bytes)
    further GETs           --> Way --> Wire: send, parse the head, read the body into a reused buffer
    anything unusual       --> the general client goes on reading from the bytes that came

The general client opens every origin, and its pools open every connection, so proxies, authentication, cookies and TLS stay its business.
A plain exchange costs a fifth of the time that it takes through requests (docs/performance.md), and the same rules judge its answers.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import Any, TypeAlias

from urllib3.exceptions import HTTPError

from marscore.adapters.connections import Way
from marscore.adapters.http import RequestsClient, RequestsResponse
from marscore.adapters.http_failures import CLOSED, body_failure_of, failure_of
from marscore.adapters.wire import END, Head, head_of, parse_head, request_bytes, split_url
from marscore.errors import OriginError
from marscore.ports import Answer, Request, Response
from marscore.values import Access, Failure, Timeouts

#: A head and the body of a small file come with one receive into a buffer of this size.
_BUFFER = 64 * 1024
#: What one receive of a body may bring that comes into our own memory.
_LARGE = 256 * 1024

_Key: TypeAlias = tuple[object, ...]


class DirectClient:
    """Implements `ports.HttpClient`: plain requests directly, all others through the general client."""

    def __init__(self, general: RequestsClient) -> None:
        self._general = general
        self._lanes: dict[_Key, _Lane | None] = {}
        self.abort = general.abort

    def open(self, request: Request) -> Response:
        """Send a GET."""
        with self._general.idle:
            return self._open(request)

    def _open(self, request: Request) -> Response:
        parts = split_url(request.url)
        if parts is None or self._general.has_cookies:
            return self._general.open(request)
        key = _key(parts[0], request.access)
        lane = self._lanes.get(key)
        if lane is None:
            return self._open_origin(key, request)
        return lane.open(request, parts[1])

    def _open_origin(self, key: _Key, request: Request) -> Response:
        response = self._general.open(request)
        if not _opens(response, request):
            return response
        if key not in self._lanes:
            way = self._general.way_to(request)
            # None is remembered too: what keeps an origin from being plain does not change from file to file.
            # Another thread may have found out meanwhile: a lane that was put in its place would lose its connections.
            self._lanes.setdefault(key, _Lane(way, self._general) if way else None)
        lane = self._lanes[key]
        # The body of the first file may be the largest: it is read directly as well.
        return lane.go_on(response, request) if lane else response

    def close(self) -> None:
        """Drop every idle connection."""
        self._general.close()


def _key(origin: str, access: Access) -> _Key:
    return (origin, access.headers, access.auth, access.verify, access.cert, access.proxies)


def _opens(response: Response, request: Request) -> bool:
    answer = response.answer
    return answer.protocol == "HTTP/1.1" and not answer.hops and head_of(answer.status, answer.fields).is_plain


class _Lane:
    """One origin with one set of header fields."""

    def __init__(self, way: Way, general: RequestsClient) -> None:
        self._way = way
        self._general = general

    def open(self, request: Request, target: str) -> Response:
        try:
            data = request_bytes(target, self._way.block, request.fields)
        except ValueError:
            return self._general.open(request)
        timeouts = request.access.timeouts
        try:
            wire, head = self._exchange(data, timeouts)
        except (OSError, ValueError, HTTPError) as error:
            raise OriginError(self._general.explain(failure_of(error, timeouts))) from error
        if head is not None and head.is_plain:
            return _DirectResponse(self, wire, head, request)
        # It is read on by the general client, from the same bytes: nothing is asked twice.
        return self._general.take_over(request, wire.connection, wire.unread())

    def go_on(self, response: RequestsResponse, request: Request) -> Response:
        """Read the body of an answer that the general client opened."""
        taken = response.hand_over()
        if taken is None:
            return response
        wire = _Wire(taken[0], served=True)
        wire.put(taken[1])
        return _DirectResponse(self, wire, head_of(response.answer.status, response.answer.fields), request)

    def release(self, wire: _Wire, whole: bool) -> None:
        """Let a connection wait for its next request after a whole body; drop it otherwise."""
        if whole:
            self._way.keep(wire.connection, wire)
        else:
            wire.close()
        self._general.idle.end()

    def explain(self, failure: Failure) -> Failure:
        return self._general.explain(failure)

    def _exchange(self, data: bytes, timeouts: Timeouts) -> tuple[_Wire, Head | None]:
        while True:
            wire = self._take_idle() or _Wire(self._way.connect(timeouts), served=False)
            try:
                return wire, wire.ask(data, timeouts)
            except _StaleError:
                # It was closed just now by a server that had seen it idle, which says nothing about the server: ask again at once.
                wire.close()
            except BaseException:
                wire.close()
                raise

    def _take_idle(self) -> _Wire | None:
        while (waiting := self._way.take()) is not None:
            # What the general client used before has no wire yet.
            wire: _Wire = waiting.reader or _Wire(waiting.connection, served=True)
            if not wire.readable():
                return wire
            wire.close()
        return None


class _StaleError(Exception):
    """A kept-alive connection brought nothing at all."""


class _Wire:
    """A connection with what was read of it and not used yet: `buffer[start:end]`. `served` says whether it was used before."""

    def __init__(self, connection: Any, served: bool) -> None:
        self.connection = connection
        self.sock: socket.socket = connection.sock
        self.start = 0
        self.end = 0
        self._view = memoryview(bytearray(_BUFFER))
        self._served = served
        self._poll = _poll_of(self.sock)

    def readable(self) -> bool:
        """Whether something is there to read. On an idle connection that is its end, or an answer to nothing that was asked."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            # It was taken off the socket with the record before.
            return True
        return bool(self._poll.poll(0)) if self._poll else False

    def ask(self, data: bytes, timeouts: Timeouts) -> Head | None:
        """Send a request and read the head of its answer; None where that is unusual.

        Raises:
            _StaleError: the connection had served before and is closed.
            OSError: the connection failed.
        """
        stale, self._served = self._served, True
        self.start = self.end = 0
        if self.sock.gettimeout() != timeouts.read:
            self.sock.settimeout(timeouts.read)
        try:
            self.sock.sendall(data)
            self.start = self._read_head()
        except CLOSED as error:
            if stale and not self.end:
                raise _StaleError from error
            raise
        if stale and not self.end:
            raise _StaleError
        return parse_head(bytes(self._view[: self.start]))

    def _read_head(self) -> int:
        """Read until the head is whole, or until it cannot become one; returns where it ends, 0 for no head."""
        view, buffer = self._view, self._view.obj
        assert isinstance(buffer, bytearray)
        while True:
            count = self.sock.recv_into(view[self.end :])
            searched = max(0, self.end - 3)
            self.end += count
            if found := END.search(buffer, searched, self.end):
                return found.end()
            full = self.end == len(view)
            if not count or full or (self.end >= _PREFIX_LENGTH and not buffer.startswith(_PREFIX)):
                return 0

    def put(self, came: bytes) -> None:
        """Take bytes of a body that another reader had taken off the socket."""
        self.start, self.end = 0, len(came)
        self._view[: self.end] = came

    def take(self, limit: int) -> memoryview:
        """Up to `limit` of the bytes that were read behind the head."""
        taken = self._view[self.start : min(self.end, self.start + limit)]
        self.start += len(taken)
        return taken

    def room(self, limit: int) -> memoryview:
        """Memory to receive up to `limit` bytes into: less than that where it is much. It is used again for the next bytes."""
        if limit > len(self._view) < _LARGE:
            self._view = memoryview(bytearray(_LARGE))
        return self._view[:limit]

    def receive_into(self, view: memoryview) -> int:
        """Wait for bytes and put them into `view`; returns how many, 0 at the end of the stream."""
        count = self.sock.recv_into(view)
        if isinstance(self.sock, ssl.SSLSocket) and 0 < count < len(view):
            count += self._more_records(self.sock, view[count:])
        return count

    def _more_records(self, sock: ssl.SSLSocket, view: memoryview) -> int:
        """Take what else is there already: TLS gives one record of 16 KiB at a time, too little to be worth a write of its own."""
        count, timeout = 0, sock.gettimeout()
        try:
            sock.settimeout(0)
            # Asking the system each time whether more has come costs half as much as the record.
            while count < len(view) and (more := sock.recv_into(view[count:])):
                count += more
        except (OSError, ValueError):
            # Nothing is left, or the connection failed: then what came is not to be lost with it, and the next call meets the same.
            pass
        finally:
            with contextlib.suppress(OSError):
                sock.settimeout(timeout)
        return count

    def unread(self) -> bytes:
        """Everything that came, head and all."""
        return bytes(self._view[: self.end])

    def close(self) -> None:
        self.connection.close()


_PREFIX = b"HTTP/"
_PREFIX_LENGTH = len(_PREFIX)


class _DirectResponse:
    """Implements `ports.Response` on a wire."""

    def __init__(self, lane: _Lane, wire: _Wire, head: Head, request: Request) -> None:
        self.answer = Answer(head.status, head.fields, request.url)
        self._lane = lane
        self._wire: _Wire | None = wire
        self._timeouts = request.access.timeouts
        self._remaining = head.body_length or 0

    def read(self, limit: int) -> memoryview:
        """Return what has arrived of the body, up to `limit` bytes."""
        limit = min(limit, self._remaining)
        wire = self._wire
        assert wire is not None
        if wire.start < wire.end or not limit:
            data = wire.take(limit)
            self._remaining -= len(data)
            return data
        view = wire.room(limit)
        return view[: self._receive_into(wire, view)]

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with what has arrived of the body, as far as that goes."""
        limit = min(len(buffer), self._remaining)
        wire = self._wire
        assert wire is not None
        if wire.start < wire.end or not limit:
            data = wire.take(limit)
            buffer[: len(data)] = data
            self._remaining -= len(data)
            return len(data)
        return self._receive_into(wire, buffer[:limit])

    def _receive_into(self, wire: _Wire, view: memoryview) -> int:
        try:
            count = wire.receive_into(view)
        except (OSError, ValueError) as error:
            raise OriginError(self._lane.explain(body_failure_of(error, self._timeouts))) from error
        if not count:
            message = f"the body broke off, {self._remaining} bytes early"
            raise OriginError(self._lane.explain(Failure("truncated", message)))
        self._remaining -= count
        return count

    def close(self) -> None:
        """Give the connection back after a whole body; drop it otherwise."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        # Bytes behind the body answer nothing that was asked (RFC 9112 section 6.3).
        self._lane.release(wire, whole=not self._remaining and wire.start == wire.end)


def _poll_of(sock: socket.socket) -> Any:
    # Windows has no poll; there, a stale connection is found out by its silence alone.
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll
