"""Looks up what a name means here, beside the loop, where a redirect leads there through a proxy.

    Hop --begin--> thread: getaddrinfo --> ended --> the same hop, allowed or not

A proxy connects by itself, so no connection of ours tells the address. It may know a name that this machine does not: such a one may be
asked for. What is looked up here and what the proxy dials may differ; a look-up is all that can be checked (docs/security.md).
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from marscore.adapters.http.access import proxy_of
from marscore.adapters.http.curl_sharing import Share
from marscore.errors import OriginError
from marscore.policy.redirect import is_name, is_public
from marscore.ports import Exchange
from marscore.url import Url


@dataclass(slots=True, eq=False)
class Hop:
    """Where an exchange goes next, after which hops: with their cookies, after so many `answers` to challenges of `url`.

    `share` is how it has to be sent, None where that is free. Looked up: `allowed`.
    """

    exchange: Exchange
    url: Url
    hops: tuple[tuple[Url, Url], ...] = ()
    share: Share | None = None
    answers: int = 0
    cookies: Sequence[str] = ()
    paused: bool = False
    allowed: bool | None = None


class Lookups:
    """What waits for a look-up. `wake` is called, from another thread, when one has ended."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.waiting: dict[Exchange, Hop] = {}
        self._wake = wake
        self._ended: queue.SimpleQueue[Hop] = queue.SimpleQueue()

    def begin(self, hop: Hop) -> bool:
        """Look a hop's name up; returns whether there is a need to."""
        if hop.allowed is not None or not _is_wanted(hop):
            return False
        try:
            threading.Thread(target=self._look_up, args=(hop,), name="lookup", daemon=True).start()
        except RuntimeError:
            # Without a thread it is not known, and what is not known is refused.
            hop.allowed = False
            self._ended.put(hop)
            self._wake()
        self.waiting[hop.exchange] = hop
        return True

    def ended(self) -> list[Hop]:
        """The hops whose look-up has ended, but for those of which nothing is wanted any more."""
        if not self.waiting:
            return []
        ended = [self._ended.get_nowait() for _ in range(self._ended.qsize())]
        return [hop for hop in ended if self.waiting.get(hop.exchange) is hop and self.waiting.pop(hop.exchange)]

    def _look_up(self, hop: Hop) -> None:
        hop.allowed = _leads_to_public(hop.url)
        self._ended.put(hop)
        self._wake()


def _is_wanted(hop: Hop) -> bool:
    access = hop.exchange.request.access
    if not access.public_only(hop.url.origin, bool(hop.hops)) or not is_name(hop.url.host):
        return False
    try:
        return proxy_of(access, hop.url) is not None
    except OriginError:
        # Who asks for it says so.
        return False


def _leads_to_public(url: Url) -> bool:
    try:
        return all(is_public(str(address[0])) for *_, address in socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
    except (OSError, ValueError):
        return True
