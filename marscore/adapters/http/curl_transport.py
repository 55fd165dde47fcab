"""`ports.Transport` by libcurl: one multi handle, driven by the sockets that it names and the time that it asks for.

    start --> easy handle --> multi
    turn: sockets, timer --socket_action--> lines of heads, chunks of bodies (list.append: no Python runs for a chunk)
          --> Handle: a redirect? the next hop, on the same handle : the answer, chunks and end of its exchange

What follows an answer on a kept connection is no answer to the next request. What is in the socket by the time that this is sent keeps it
from being sent (`curl_sockets`); what TLS has read already shows by how much was taken from the socket since (`curl_sent`). Then it is sent
on a connection of its own.

libcurl follows no redirect, retries nothing but a kept connection that was closed meanwhile, undoes no content coding and writes no URL
anew. What it does: connections, TLS, HTTP/1.1 and 2, proxies and credentials for them, framing.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pycurl

from marscore.adapters.http.challenges import Challenges
from marscore.adapters.http.curl_handle import Handle
from marscore.adapters.http.curl_sharing import Sharing
from marscore.adapters.http.curl_sockets import Sockets
from marscore.adapters.http.curl_way import Ways
from marscore.adapters.http.lookups import Hop, Lookups
from marscore.errors import OriginError
from marscore.policy.redirect import private
from marscore.ports import Exchange
from marscore.url import Url
from marscore.values import Failure, HttpVersion

#: Seconds between two looks at who has been silent for too long.
_LOOK_EVERY = 0.25
#: Seconds that a body which nobody wants may take.
_DRAINED_FOR = 1.0
_KEPT_HANDLES = 64
#: Bytes of one receive, at most. libcurl does some twenty of them at a time, and what has come is held in memory.
MOST_AT_ONCE = 128 * 1024
#: Chunks, of 16 KiB at most, that a turn brings before they are taken in.
_MANY_CHUNKS = 64


class CurlTransport:
    """Implements `ports.Transport`. `connections` is how many may be open, over all hosts, those that wait for a request among them.

    Raises OSError where the system does not even give what it waits by.
    """

    def __init__(
        self, connections: int, ticks: Callable[[], float] = time.monotonic, http: HttpVersion = "auto", buffer: int = MOST_AT_ONCE
    ) -> None:
        """Receive at most `buffer` bytes at once."""
        self.ticks = ticks
        self.buffer = max(1024, min(buffer, MOST_AT_ONCE))
        self.waited = 0.0
        self.sharing = Sharing(http)
        self._multi = _new_multi()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, connections)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self.sockets = Sockets()
        self._lookups = Lookups(self.wake)
        #: How often libcurl was called.
        self.calls = 0
        self.challenges = Challenges()
        #: The proxies that take no Basic credentials, but by Digest.
        self.digest_proxies: set[Url] = set()
        self._ways = Ways(self.challenges, self.digest_proxies)
        #: When libcurl wants to be called, in ticks; and when silence is looked for.
        self._due = self._look = math.inf
        self._active: dict[Any, Handle] = {}
        #: The chunks of these, to count them by.
        self._chunks: dict[Any, list[bytes]] = {}
        self._of: dict[int, Handle] = {}
        #: Handles that rest, by the identity of their way: to hash one for every file costs as much as to look at its head.
        self._free: dict[int, list[Handle]] = defaultdict(list)
        #: Exchanges that ended without libcurl.
        self._ended: list[Exchange] = []

    def start(self, exchange: Exchange) -> None:
        """Begin to send a request."""
        self._go_on(Hop(exchange, exchange.request.url))

    def turn(self, until: float) -> list[Exchange]:
        """Send and receive."""
        now = self.ticks()
        ready = self.sockets.ready(0 if self._ended else max(0.0, min(until, self._due, self._look) - now))
        self.waited += self.ticks() - now
        self._turn_libcurl(ready)
        self._note_done()
        for hop in self._lookups.ended():
            self._go_on(hop)
        news, self._ended = dict.fromkeys(self._ended), []
        for handle in list(self._active.values()):
            if handle.take_in() and handle.exchange is not None:
                news[handle.exchange] = None
            if handle.paused:
                self._hold(handle)
            if (handle.ended or handle.is_of_no_use) and (exchange := self._end(handle)):
                news[exchange] = None
        self._give_up_silent(news)
        return list(news)

    def _turn_libcurl(self, ready: list[tuple[int, int]]) -> None:
        for fd, events in self.sockets.for_libcurl(ready, self.calls):
            self._act(fd, events)
            if sum(map(len, self._chunks.values())) >= _MANY_CHUNKS:
                # Others have their turn when these are written: in the next one they are ready still.
                break
        if self._due <= self.ticks():
            self._due = math.inf
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def pause(self, exchange: Exchange) -> None:
        """Receive no more of its body for now."""
        if hop := self._lookups.waiting.get(exchange):
            hop.paused = True
        if handle := self._of.get(id(exchange)):
            handle.paused = True
            self._hold(handle)

    def resume(self, exchange: Exchange) -> None:
        """Go on with it."""
        if hop := self._lookups.waiting.get(exchange):
            hop.paused = False
        if (handle := self._of.get(id(exchange))) and handle.paused:
            handle.paused = False
            handle.heard = self.ticks()
            if handle.held:
                handle.held = False
                with contextlib.suppress(pycurl.error):
                    handle.curl.pause(pycurl.PAUSE_CONT)

    def _hold(self, handle: Handle) -> None:
        """Let libcurl receive no more, once there is a connection: before, it refuses to."""
        if not handle.held:
            with contextlib.suppress(pycurl.error):
                handle.curl.pause(pycurl.PAUSE_RECV)
                handle.held = True

    def cancel(self, exchange: Exchange) -> None:
        """Want no more of it."""
        self._lookups.waiting.pop(exchange, None)
        handle = self._of.pop(id(exchange), None)
        if handle is None:
            return
        handle.exchange = None
        handle.unwanted_since = self.ticks()
        if handle.paused or not handle.is_worth_draining():
            self._let_go(handle)

    def close_idle(self) -> None:
        """Drop the connections that carry nothing now."""
        self.sockets.close_idle()

    def wake(self) -> None:
        """End the current turn, or the next one."""
        self.sockets.waker.wake()

    def close(self) -> None:
        """Drop everything."""
        for handle in list(self._active.values()):
            self._let_go(handle)
        self._of.clear()
        self._free.clear()
        self._multi.close()
        self.sockets.close()

    # What libcurl asks for

    def _on_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        self.sockets.watch(what, fd)

    def _on_timer(self, milliseconds: int) -> int:
        self._due = math.inf if milliseconds < 0 else self.ticks() + milliseconds / 1000
        return 0

    def _act(self, fd: int, events: int) -> None:
        self.calls += 1
        with contextlib.suppress(pycurl.error):
            self._multi.socket_action(fd, events)

    # Exchanges

    def _ask(self, hop: Hop) -> None:
        """Ask for a URL on behalf of an exchange."""
        exchange, url = hop.exchange, hop.url
        try:
            share = hop.share or self.sharing.choose(exchange.request, url)
            way, fields = self._ways.find(exchange.request, url, share.http)
            free = self._free[id(way)]
            handle = free.pop() if free else Handle(way, self)
            handle.begin(hop, share.connection, fields)
        except (OriginError, pycurl.error, ValueError) as error:
            # pycurl refuses what libcurl cannot be told.
            failure = error.failure if isinstance(error, OriginError) else Failure("connection", "not a request that can be sent")
            exchange.over, exchange.failure = True, failure
            self._ended.append(exchange)
            return
        self._of[id(exchange)] = handle
        self._active[handle.curl] = handle
        self._chunks[handle.curl] = handle.chunks
        self._look = min(self._look, self.ticks() + _LOOK_EVERY)
        self._multi.add_handle(handle.curl)

    def _note_done(self) -> None:
        """Note which responses libcurl has done with, and what it says of their ends."""
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._active[curl].ended = True
            for curl, code, message in failed:
                handle = self._active[curl]
                handle.ended, handle.error = True, (code, message)

    def _end(self, handle: Handle) -> Exchange | None:
        """Take a handle whose response ended out; returns its exchange, unless that goes on with another hop."""
        exchange, following, failure = handle.exchange, handle.following(), handle.failure()
        if handle.is_too_early:
            self.sockets.spoil(handle.curl.getinfo(pycurl.ACTIVESOCKET))
        connection = handle.connection
        self._let_go(handle)
        if connection is not None:
            self.sockets.let_rest(connection)
        if exchange is None:
            return None
        del self._of[id(exchange)]
        if following is not None:
            self._go_on(following)
            return None
        exchange.over, exchange.failure = True, failure
        return exchange

    def _go_on(self, hop: Hop) -> None:
        """Ask for a hop of an exchange, as soon as it is known to be allowed."""
        if self._lookups.begin(hop):
            return
        if hop.allowed is False:
            hop.exchange.over, hop.exchange.failure = True, private(bool(hop.hops))
            self._ended.append(hop.exchange)
            return
        self._ask(hop)
        if hop.paused:
            self.pause(hop.exchange)

    def _let_go(self, handle: Handle) -> None:
        """Take a handle out of libcurl's hands, which closes a connection that was in the middle of a response."""
        del self._active[handle.curl]
        del self._chunks[handle.curl]
        self._multi.remove_handle(handle.curl)
        free = self._free[id(handle.way)]
        if len(free) < _KEPT_HANDLES:
            handle.rest()
            free.append(handle)
        else:
            handle.curl.close()

    def _give_up_silent(self, news: dict[Exchange, None]) -> None:
        """End the exchanges of which nothing came for too long."""
        now = self.ticks()
        if now < self._look:
            return
        for handle in list(self._active.values()):
            exchange = handle.exchange
            if handle.unwanted_since is not None and now - handle.unwanted_since > _DRAINED_FOR:
                if ended := self._end(handle):
                    news[ended] = None
            elif exchange is not None and (failure := handle.silent_for_too_long(now)):
                del self._of[id(exchange)]
                self._let_go(handle)
                exchange.over, exchange.failure = True, failure
                news[exchange] = None
        self._look = now + _LOOK_EVERY if self._active else math.inf


def _new_multi() -> Any:
    try:
        return pycurl.CurlMulti()
    except pycurl.error:
        # It does not say why; what it needs is memory, little of it, and descriptors.
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from None
