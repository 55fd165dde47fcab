"""One easy handle of libcurl, and what came of the response that it is at: its head judged, its chunks kept, its end named.

Way (TLS, proxy) --set up once--> handle --begin--> one hop of an exchange after the other
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pycurl

from marscore.adapters.http.challenges import Challenges
from marscore.adapters.http.curl_failures import STREAM_ERRORS, Try, failure_of
from marscore.adapters.http.curl_sent import Sent
from marscore.adapters.http.curl_sharing import Connection, Share, Sharing
from marscore.adapters.http.curl_sockets import Sockets
from marscore.adapters.http.curl_way import Way, set_target, set_up
from marscore.adapters.http.heads import Head, final_head, is_whole, location_of
from marscore.adapters.http.lookups import Hop
from marscore.adapters.http.sockets import Dialled
from marscore.policy.redirect import is_public, next_url, private
from marscore.ports import Answer, Exchange, Method
from marscore.url import Url
from marscore.values import Failure

_WHOLE = frozenset({200, 203})
#: Bytes of a body that nobody wants which are received, so that its connection can be used again.
DRAINED = 64 * 1024
#: The smallest buffer that libcurl takes (CURLOPT_BUFFERSIZE).
_LEAST_BUFFER = 1024
#: How many buffers libcurl fills for one response in a turn, at most (8.23: two rounds of eleven reads a call, and two calls).
_BUFFERS = 44


class Loop(Protocol):
    """What a handle asks of the transport that turns it."""

    calls: int
    sharing: Sharing
    sockets: Sockets
    digest_proxies: set[Url]
    challenges: Challenges
    buffer: int

    def ticks(self) -> float: ...


class Handle:
    """One easy handle, and what came of the response that it is at."""

    def __init__(self, way: Way, loop: Loop) -> None:
        self.way = way
        self.curl = pycurl.Curl()
        self._loop = loop
        self._ticks = loop.ticks
        self._lines: list[bytes] = []
        #: What has come of the body and nobody has looked at.
        self.chunks: list[bytes] = []
        self._had_cookies = False
        self._sent = Sent()
        self._head: Head | Failure | None = None
        #: What it was told last, which stays as it is.
        self._fields: Sequence[bytes] | None = None
        self._options: tuple[bool, bool, int] | None = None
        self._method: Method = "GET"
        self._buffer = 0
        self.rest()
        set_up(self.curl, way)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self.chunks.append)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._before_it_is_sent)
        if way.access.private_addresses == "refuse" and way.proxy is None:
            self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)

    def rest(self) -> None:
        """Forget what it was at."""
        if self._sent.call is not None and not isinstance(self._head, Head):
            # Of a head that nobody has read, libcurl may have kept a cookie.
            self._had_cookies = True
        self._lines.clear()
        self.chunks.clear()
        self.exchange: Exchange | None = None
        self.hops: tuple[tuple[Url, Url], ...] = ()
        self.next_url: Url | None = None
        self.ended = self.paused = self.held = self._ended_early = False
        self.error: tuple[int, str] | None = None
        #: When something came of it last, or it was sent.
        self.heard = self._ticks()
        self._sent = Sent()
        self._fresh = self._refused = False
        #: How it has to be asked for once more: its connection, which was used before, was closed meanwhile, or brought something else
        #: (`is_too_early`); its proxy wants credentials by Digest; or nobody could tell where its body ends.
        self.again: Share | None = None
        self.is_too_early = False
        #: How many challenges it has answered.
        self.answers = 0
        self._head = None
        self._redirect_failure: Failure | None = None
        self._received = 0
        #: Since when what comes of it is wanted by nobody.
        self.unwanted_since: float | None = None

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[object, ...]]) -> Dialled | int:
        """Called before a connection is dialled: what may only be public leads to no other address, not even for a handshake."""
        family, kind, protocol, place = address
        if self.way.access.public_only(self.url.origin, bool(self.hops)) and not is_public(str(place[0])):
            self._refused = True
            return int(pycurl.SOCKET_BAD)
        try:
            return Dialled(family, kind, protocol)
        except OSError:
            # Nobody could catch it: libcurl says that there is no connection.
            return int(pycurl.SOCKET_BAD)

    def begin(self, hop: Hop, connection: Connection, fields: Sequence[bytes]) -> None:
        """Set the next request up, which carries these lines of header fields."""
        self.rest()
        exchange, url = hop.exchange, hop.url
        self.exchange, self.hops, self.url, self.answers = exchange, hop.hops, url, hop.answers
        curl = self.curl
        curl.setopt(pycurl.URL, url.text)
        set_target(curl, self.way, url)
        if fields != self._fields:
            self._fields = fields
            curl.setopt(pycurl.HTTPHEADER, list(fields))
        self._fresh = exchange.fresh or connection == "alone"
        options = self._fresh, connection == "together", exchange.max_rate or 0
        if options != self._options:
            self._options = options
            self._set_options(*options)
        if exchange.request.method != self._method:
            self._method = exchange.request.method
            # Which is HEAD; what resets it is to ask for a GET.
            curl.setopt(pycurl.NOBODY if self._method == "HEAD" else pycurl.HTTPGET, True)
        size = self._buffer_for(exchange)
        if size != self._buffer:
            self._buffer = size
            curl.setopt(pycurl.BUFFERSIZE, size)
        if self._had_cookies:
            # Cookies are for one chain of redirects, whose hops may be on several handles.
            curl.setopt(pycurl.COOKIELIST, "ALL")
        for cookie in hop.cookies:
            curl.setopt(pycurl.COOKIELIST, cookie)
        self._had_cookies = bool(hop.cookies)

    def _set_options(self, fresh: bool, waits: bool, max_rate: int) -> None:
        self.curl.setopt(pycurl.FRESH_CONNECT, fresh)
        self.curl.setopt(pycurl.PIPEWAIT, waits)
        self.curl.setopt(pycurl.MAX_RECV_SPEED_LARGE, max_rate)

    def _buffer_for(self, exchange: Exchange) -> int:
        """The bytes of one read: libcurl reads several times before it returns, and looks at the rate between reads."""
        bounds = [self._loop.buffer]
        if exchange.max_rate:
            bounds.append(exchange.max_rate // 160)
        if exchange.at_once is not None:
            bounds.append(exchange.at_once // _BUFFERS)
        return max(_LEAST_BUFFER, min(bounds))

    def following(self) -> Hop | None:
        """The hop with which its exchange goes on; None where this was the last one."""
        url = self.next_url if self.again is None else self.url
        if self.exchange is None or url is None:
            return None
        # As libcurl writes them.
        cookies = self.curl.getinfo(pycurl.INFO_COOKIELIST) if self._had_cookies else ()
        return Hop(self.exchange, url, self.hops, self.again, self.answers, cookies, self.paused)

    def take_in(self) -> bool:
        """Look at what came; says whether there is something new for its exchange."""
        new = self._head is None and self._read_head()
        if self.error is not None and self._head is None and (self.is_too_early or self._is_used_up() or self._is_for_digest()):
            self.again = Share(self.way.http, "alone")
        if self.chunks:
            self.heard = self._ticks()
            self._received += sum(map(len, self.chunks))
        if isinstance(self._head, Head) and self._head.is_identity and self._method == "GET":
            self._end_at_length(self._head)
        if not self.chunks:
            return new
        if self.exchange is not None and self.exchange.answer is not None:
            self.exchange.chunks += self.chunks
            new = True
        self.chunks.clear()
        return new

    def _end_at_length(self, head: Head) -> None:
        """End a body that libcurl would read to the end of its connection, though its length is told."""
        if head.length is None or self.error is not None:
            return
        beyond = self._received - head.length
        if beyond >= 0:
            data = b"".join(self.chunks)[: -beyond or None]
            self.chunks[:] = [data] if data else []
            self._received = head.length
            self.ended = self._ended_early = True
        elif self.ended:
            self.error = (pycurl.E_PARTIAL_FILE, "")

    @property
    def connection(self) -> int | None:
        """The descriptor of a connection of HTTP/1 that carried its response to the end."""
        if (
            not self.ended
            or self._ended_early
            or self.error is not None
            or not isinstance(self._head, Head)
            or not self._head.protocol.startswith("HTTP/1")
        ):
            return None
        fd: int = self.curl.getinfo(pycurl.ACTIVESOCKET)
        return fd if fd >= 0 else None

    @property
    def is_of_no_use(self) -> bool:
        """Whether what still comes is wanted by nobody, and too much to be received for the sake of the connection."""
        if isinstance(self._head, Failure) or self.again is not None:
            return True
        unwanted = self.exchange is None or self.next_url is not None or self._redirect_failure is not None
        return unwanted and self._received > DRAINED

    def is_worth_draining(self) -> bool:
        """Whether so little of the response is left that its connection is had for it."""
        if not isinstance(self._head, Head):
            return False
        if self._method == "HEAD":
            return True
        length = self._head.length
        return self._received < DRAINED if length is None else length - self._received <= DRAINED

    def failure(self) -> Failure | None:
        """Why its response is no whole one; None where it is."""
        if self._redirect_failure is not None or isinstance(self._head, Failure):
            return self._redirect_failure or self._head  # type: ignore[return-value]  # it is one of the two
        if self.next_url is not None:
            return None
        if self._refused:
            return private(bool(self.hops))
        if self.error is None:
            return None if self._head else Failure("connection", "the server closed the connection without an answer")
        tried = Try(
            self.way.access.timeouts,
            answered=self._head is not None,
            proxied=self.way.proxy is not None,
            system=self.curl.getinfo(pycurl.OS_ERRNO),
            tunnel=self.curl.getinfo(pycurl.HTTP_CONNECTCODE),
        )
        return failure_of(*self.error, tried)

    def silent_for_too_long(self, now: float) -> Failure | None:
        """The failure, if its server has said nothing for the time that it has. What connects has another time, which libcurl keeps."""
        limit = self.way.access.timeouts.read
        if self.paused or self._sent.call is None or now - self.heard < limit:
            return None
        return Failure("timeout", f"nothing came for {limit:g} s")

    def _read_head(self) -> bool:
        """Read the head once it is whole; says whether it is the answer."""
        if not (self.chunks or is_whole(self._lines)):
            return False
        self.heard = self._ticks()
        if self._is_too_early():
            self.again, self.is_too_early = Share(self.way.http, "alone"), True
            return False
        head = final_head(self._lines)
        if isinstance(head, Head) and head.status == 407 and self.way.proxy_digest and not (self.chunks or self.ended):
            return False
        self._head = head
        if isinstance(head, Head) and head.status == 407 and self._is_for_digest():
            self.again = Share(self.way.http, "alone")
            return False
        return isinstance(head, Head) and self._judge(head)

    def _is_used_up(self) -> bool:
        """Whether a connection that was used before brought nothing, or what came before the request was sent."""
        assert self.error is not None, "it is asked of what broke"
        if self._fresh or self._sent.call is None or self.error[0] in STREAM_ERRORS or self.curl.getinfo(pycurl.NUM_CONNECTS):
            return False
        return not self._lines or self._is_too_early()

    def _is_too_early(self) -> bool:
        """Whether a connection that was used before has brought what it did not receive since the request was sent."""
        has_streams = bool(self._lines) and not self._lines[0].startswith(b"HTTP/1")
        if self.way.scheme == "http" or has_streams or self.curl.getinfo(pycurl.NUM_CONNECTS):
            return False
        came = sum(map(len, self._lines)) + sum(map(len, self.chunks))
        return not self._sent.is_answered_by(came, self.curl.getinfo(pycurl.ACTIVESOCKET), self._loop.sockets)

    def _is_for_credentials(self, head: Head) -> bool:
        """Whether the origin asks for credentials by a challenge that can be answered: then the same is asked for once more, with them."""
        assert self.exchange is not None
        return self._loop.challenges.learn(self.exchange.request, self.url, head.fields.get("www-authenticate", ""), self.answers)

    def _is_for_digest(self) -> bool:
        """Whether the proxy took no Basic credentials, and offers to take them by Digest: from now on it gets them so."""
        proxy = self.way.proxy
        if proxy is None or proxy.username is None or self.way.proxy_digest:
            return False
        status = self.curl.getinfo(pycurl.HTTP_CONNECTCODE) or self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status != 407 or not self.curl.getinfo(pycurl.PROXYAUTH_AVAIL) & pycurl.HTTPAUTH_DIGEST:
            return False
        self._loop.digest_proxies.add(proxy)
        return True

    def _judge(self, head: Head) -> bool:
        assert self.exchange is not None or self.next_url is None
        # An interim answer may set one too.
        self._had_cookies = self._had_cookies or bool(head.cookies) or b" 1" in self._lines[0][:10]
        if self.exchange is None:
            return False
        location = location_of(head)
        if head.status == 401 and self._is_for_credentials(head):
            self.next_url, self.answers, self.unwanted_since = self.url, self.answers + 1, self._ticks()
            return False
        if location is None:
            has_streams = not head.protocol.startswith("HTTP/1")
            if self.way.scheme == "https":
                self._loop.sharing.learn(self.url, has_streams, head.length)
            if has_streams and head.length is None and head.status in _WHOLE and self._method == "GET":
                # To libcurl a stream that its server gives up without an error is one that has ended (RFC 9113 section 8.1.1).
                self.again = Share("1.1")
                return False
            self.exchange.answer = Answer(head.status, head.fields, self.url, self.hops, head.protocol)
            return True
        self.unwanted_since = self._ticks()
        following = location if isinstance(location, Failure) else next_url(self.url, location, len(self.hops))
        if isinstance(following, Failure):
            self._redirect_failure = following
        else:
            self.next_url, self.answers = following, 0
            self.hops = (*self.hops, (self.url, following))
        return False

    def _before_it_is_sent(self, address: str, _local: str, _port: int, local_port: int) -> int:
        """Called when there is a connection, and nothing has been sent on it yet."""
        # What came before is a challenge that libcurl answers now.
        self._lines.clear()
        self.heard = self._ticks()
        if self._loop.sockets.is_out_of_step(local_port, self.way.http == "1.1"):
            self.is_too_early = True
            return int(pycurl.PREREQFUNC_ABORT)
        # Who sends it cannot be asked for its connection here.
        self._sent.note(self._loop.calls, self._loop.sockets.connection_from(local_port) if self.way.scheme == "https" else None)
        refuses = self.way.proxy is None and self.way.access.public_only(self.url.origin, bool(self.hops))
        if refuses and not is_public(address):
            self._refused = True
            return int(pycurl.PREREQFUNC_ABORT)
        return int(pycurl.PREREQFUNC_OK)
