"""Which pauses that hosts asked for are told of downloads that did not ask: they are held back as well, as all requests to the host are.

HostPaused --longer--> whether it is news to the others     a download that begins --left--> the pauses that it runs into
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from marscore.events import HostPaused
from marscore.url import host_of

#: Seconds that a pause has to go on beyond the last one: connections that are refused together ask for the same a few times.
_NEWS = 0.25


class Pauses:
    """Those of one run, by host, with when they end in Unix time."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def longer(self, event: HostPaused) -> bool:
        """Take note of a pause; says whether others are held back by it for longer than they knew."""
        until, known = event.at + event.wait_s, self._until.get(event.host, 0.0)
        if until <= max(event.at, known) + _NEWS:
            return False
        self._until[event.host] = until
        return True

    def left(self, download: str, sources: Iterable[str], at: float) -> Iterator[HostPaused]:
        """What is left of them at a time, as of one download that asks for these URLs."""
        for host in {host_of(url) for url in sources} if self._until else ():
            if (left := self._until.get(host, at) - at) > 0:
                yield HostPaused(at, download, host, left)
