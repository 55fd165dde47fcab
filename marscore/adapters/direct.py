"""The direct lane: plain GETs on kept-alive connections with nothing between the socket and the caller's buffer.

    first GET of an origin --> general client --> is the answer plain? --learn--> Way (pool, header bytes)
    further GETs           --> Way --> Wire: send, parse the head, read the body into a reused buffer
    anything unusual       --> the general client goes on reading from the bytes that came
    ahead(requests)        --> the first of them takes the others along; each later `open` finds its answer next on that connection

The general client opens every origin, and its pools open every connection, so proxies, authentication, cookies and TLS stay its business.
A plain exchange costs a fifth of the time that it takes through requests (docs/performance.md), and the same rules judge its answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from urllib3.exceptions import HTTPError

from marscore.adapters.connections import Way, shut_down
from marscore.adapters.http_failures import body_failure_of, failure_of
from marscore.adapters.http_response import RequestsResponse
from marscore.adapters.kept import StaleError, Wire
from marscore.adapters.requests_client import RequestsClient
from marscore.adapters.wire import Head, head_of, request_bytes
from marscore.errors import OriginError
from marscore.ports import Answer, Request, Response
from marscore.url import Url
from marscore.values import Failure, Timeouts

_Key: TypeAlias = tuple[object, ...]


class DirectClient:
    """Implements `ports.HttpClient`: plain requests directly, all others through the general client."""

    def __init__(self, general: RequestsClient) -> None:
        self._general = general
        self._lanes: dict[_Key, _Lane | None] = {}
        self._here = threading.local()
        self.abort = general.abort

    def open(self, request: Request) -> Response:
        """Send a GET."""
        with self._general.idle:
            return self._open(request)

    def ahead(self, requests: Sequence[Request]) -> None:
        """Send these together with the first of them, as far as their origins are plain and the same."""
        self._queue().begin(requests)

    def _queue(self) -> _Queue:
        """What this thread asks next."""
        queue: _Queue | None = getattr(self._here, "queue", None)
        if queue is None:
            queue = self._here.queue = _Queue()
        return queue

    def _open(self, request: Request) -> Response:
        queue, takes_more = self._queue(), _takes_more(request.url) or self._general.has_cookies
        if not queue.follows(request) or takes_more:
            queue.begin(())
        if takes_more:
            return self._general.open(request)
        key = _key(request)
        lane = self._lanes.get(key)
        if lane is None:
            return self._open_origin(key, request)
        return lane.open(request, queue)

    def _open_origin(self, key: _Key, request: Request) -> Response:
        response = self._general.open(request)
        if not _opens(response, request):
            return response
        if key not in self._lanes:
            way = self._general.way_to(request)
            # None is remembered too: what keeps an origin from being plain does not change from file to file.
            # Another thread may have found out meanwhile: a lane that was put in its place would lose its connections.
            self._lanes.setdefault(key, _Lane(key, way, self._general) if way else None)
        lane = self._lanes[key]
        # The body of the first file may be the largest: it is read directly as well.
        return lane.go_on(response, request) if lane else response

    def close(self) -> None:
        """Drop every idle connection."""
        self._general.close()


def _key(request: Request) -> _Key:
    access = request.access
    return (request.url.origin, access.headers, access.auth, access.verify, access.cert, access.proxies)


def _takes_more(url: Url) -> bool:
    # Credentials of its own, or an IPv6 zone.
    return url.username is not None or "%" in url.host


def _opens(response: Response, request: Request) -> bool:
    answer = response.answer
    return answer.protocol == "HTTP/1.1" and not answer.hops and head_of(answer.status, answer.fields).is_plain


class _Queue:
    """What one thread asks next, and the connection on which it has asked already (HTTP pipelining, RFC 9112 section 9.3.2).

    Nothing is lost with it: a request whose answer did not come this way is sent again, as any GET may be.
    """

    def __init__(self) -> None:
        self._next: deque[Request] = deque()
        self.wire: Wire | None = None
        #: Whether somebody reads a body from the wire, who lets go of it afterwards.
        self.reading = False

    def begin(self, requests: Sequence[Request]) -> None:
        """Forget what was to come, and expect these."""
        wire, self.wire = self.wire, None
        if wire is not None and wire.owed and not self.reading:
            wire.close()
        self._next = deque(requests)

    def follows(self, request: Request) -> bool:
        """Take the next request off if it is this one; without any, every request is as good."""
        if not self._next and self.wire is None:
            return True
        return bool(self._next) and self._next.popleft() is request

    def data(self, way: Way, key: _Key) -> list[bytes]:
        """The bytes of the requests that can go along: to the same origin, with the same header fields and credentials."""
        along: list[bytes] = []
        for request in self._next:
            if _takes_more(request.url) or _key(request) != key:
                break
            along.append(request_bytes(request.url.target, way.block, request.fields))
        return along

    def let_go(self, wire: Wire) -> None:
        """Expect nothing more of this connection, which others may use from now on."""
        if self.wire is wire:
            self.wire = None

    def holds(self, wire: Wire) -> bool:
        """Whether this connection is still to bring answers that somebody waits for."""
        return wire is self.wire and bool(self._next) and wire.owed > 0


class _Lane:
    """One origin with one set of header fields."""

    def __init__(self, key: _Key, way: Way, general: RequestsClient) -> None:
        self._key = key
        self._way = way
        self._general = general

    def open(self, request: Request, queue: _Queue) -> Response:
        timeouts = request.access.timeouts
        try:
            answered = self._answered_ahead(queue, timeouts) or self._asked(request, queue)
        except (OSError, HTTPError, ValueError) as error:
            raise OriginError(self._general.explain(failure_of(error, timeouts))) from error
        if answered is None:
            return self._general.open(request)
        wire, head = answered
        if head is not None and head.is_plain:
            return _DirectResponse(self, wire, head, request, queue)
        queue.let_go(wire)
        # It is read on by the general client, from the same bytes: nothing is asked twice.
        return self._general.take_over(request, wire.connection, wire.unread())

    def _answered_ahead(self, queue: _Queue, timeouts: Timeouts) -> tuple[Wire, Head | None] | None:
        """The answer to a request that was sent with an earlier one; None where it does not come that way."""
        wire = queue.wire
        if wire is None or not wire.owed:
            return None
        head = None
        try:
            head = wire.next_head(timeouts)
        except StaleError:
            # The server answers no more requests on this connection, which says nothing about them.
            pass
        finally:
            if head is None:
                # What is no head may be the rest of a body that was longer than it said: nothing more from here.
                queue.begin(())
                wire.close()
        return None if head is None else (wire, head)

    def _asked(self, request: Request, queue: _Queue) -> tuple[Wire, Head | None] | None:
        """Send a request, and those that go along; None where it holds what this lane does not send."""
        try:
            data = [request_bytes(request.url.target, self._way.block, request.fields), *queue.data(self._way, self._key)]
        except ValueError:
            return None
        wire, head = self._exchange(b"".join(data), request.access.timeouts, len(data))
        queue.wire = wire if len(data) > 1 else None
        return wire, head

    def go_on(self, response: RequestsResponse, request: Request) -> Response:
        """Read the body of an answer that the general client opened."""
        taken = response.hand_over()
        if taken is None:
            return response
        wire = Wire(taken[0], served=True)
        wire.put(taken[1])
        return _DirectResponse(self, wire, head_of(response.answer.status, response.answer.fields), request, _Queue())

    def release(self, wire: Wire, whole: bool, queue: _Queue) -> None:
        """Let a connection wait for its next request after a whole body; drop it otherwise."""
        queue.reading = False
        if not (whole and queue.holds(wire)):
            queue.let_go(wire)
            # Bytes behind the last body answer nothing that was asked (RFC 9112 section 6.3).
            if whole and not wire.owed and wire.start == wire.end:
                self._way.keep(wire.connection, wire)
            else:
                wire.close()
        self._general.idle.end()

    def explain(self, failure: Failure) -> Failure:
        return self._general.explain(failure)

    def _exchange(self, data: bytes, timeouts: Timeouts, count: int) -> tuple[Wire, Head | None]:
        while True:
            wire = self._take_idle() or Wire(self._way.connect(timeouts), served=False)
            try:
                return wire, wire.ask(data, timeouts, count)
            except StaleError:
                # It was closed just now by a server that had seen it idle, which says nothing about the server: ask again at once.
                wire.close()
            except BaseException:
                wire.close()
                raise

    def _take_idle(self) -> Wire | None:
        while (waiting := self._way.take()) is not None:
            # What the general client used before has no wire yet.
            wire: Wire = waiting.reader or Wire(waiting.connection, served=True)
            if not wire.readable():
                return wire
            wire.close()
        return None


class _DirectResponse:
    """Implements `ports.Response` on a wire."""

    def __init__(self, lane: _Lane, wire: Wire, head: Head, request: Request, queue: _Queue) -> None:
        self.answer = Answer(head.status, head.fields, request.url)
        self._lane = lane
        self._queue = queue
        queue.reading = True
        self._wire: Wire | None = wire
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

    def _receive_into(self, wire: Wire, view: memoryview) -> int:
        try:
            count = wire.receive_into(view)
        except (OSError, ValueError) as error:
            raise OriginError(self._lane.explain(body_failure_of(error, self._timeouts))) from error
        if not count:
            message = f"the body broke off, {self._remaining} bytes early"
            raise OriginError(self._lane.explain(Failure("truncated", message)))
        self._remaining -= count
        return count

    def abort(self) -> None:
        """Shut the connection down, from any thread."""
        wire = self._wire
        if wire is not None:
            shut_down(wire.sock)

    def close(self) -> None:
        """Give the connection back after a whole body; drop it otherwise."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        self._lane.release(wire, not self._remaining, self._queue)
