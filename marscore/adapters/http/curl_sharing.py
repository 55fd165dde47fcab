"""Which requests share a connection: small files of one origin ride streams of HTTP/2, and what is large gets a connection of its own.

Streams save handshakes and system calls for small files. A large body takes longer in frames than without, and several of them on one
connection get what one connection gets: of a lossy line, of a server that throttles, of a window. How large a file is shows with its
answer, so what an origin has sent lately says how it is asked for the next.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.ports import Request
from marscore.url import Url
from marscore.values import HttpVersion

#: Bytes from which on a body is large.
LARGE = 1024 * 1024
#: So many small bodies after a large one, and files of an origin count as small again.
_SMALL_AGAIN = 8

Offered: TypeAlias = Literal["1.1", "2", "3"]
#: Which connections are welcome: a new one `alone`, `any` that has a stream left or else a new one, or, to go `together`, rather one that
#: is being opened than a new one.
Connection: TypeAlias = Literal["alone", "any", "together"]


@dataclass(frozen=True, slots=True)
class Share:
    """How a request is sent: the latest version of HTTP that is offered, and over which connection."""

    http: Offered
    connection: Connection = "any"


class Sharing:
    """Chooses for each request, and learns from each answer."""

    def __init__(self, http: HttpVersion) -> None:
        self._http = http
        #: By origin, how many small bodies have to come before its files count as small.
        self._doubts: dict[str, int] = {}
        #: Origins that answer in streams, or do not.
        self._has_streams: dict[str, bool] = {}

    def choose(self, request: Request, url: Url) -> Share:
        """How to send a request, or a hop of it."""
        if url.scheme == "http":
            return Share("1.1")
        is_range = any(name.lower() == "range" for name, _ in request.fields)
        if self._http == "auto":
            # A connection without streams is used again for the next range.
            return Share("1.1") if is_range or self._doubts.get(url.origin) else Share("2", self._welcome(url, "any"))
        return Share(self._http, "alone" if is_range and self._http == "2" else self._welcome(url, "together"))

    def _welcome(self, url: Url, unknown: Connection) -> Connection:
        # Where there are no streams, whoever waits for a connection that is being opened only waits.
        known = self._has_streams.get(url.origin)
        return unknown if known is None else "together" if known else "any"

    def learn(self, url: Url, has_streams: bool, length: int | None) -> None:
        """Take note of an answer. What tells no length may be large."""
        doubts = self._doubts.get(url.origin, 0)
        self._doubts[url.origin] = _SMALL_AGAIN if length is None or length >= LARGE else max(0, doubts - 1)
        # What was asked without streams says nothing of whether there are any.
        self._has_streams[url.origin] = has_streams or self._has_streams.get(url.origin, False)
