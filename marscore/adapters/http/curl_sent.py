"""Whether an answer over TLS came after its request was sent, on a connection that was used before.

TLS reads ahead: what follows an answer may be in its memory, where no socket shows it. libcurl takes that up in the call in which it sends
the next request, so an answer that is there after that call may be from before. Then it is one of ours only if as many bytes were taken
from the socket since, as it has, and what a record adds to them.
"""

from __future__ import annotations

from marscore.adapters.http.curl_sockets import Sockets
from marscore.adapters.http.sockets import bytes_taken

#: Bytes that one record adds at least (RFC 8446 section 5.2: header, type and tag).
_OVERHEAD = 22


class Sent:
    """A request on its way: in which call of libcurl it was sent, and how much had been taken from its connection by then."""

    __slots__ = ("_before", "call")

    def __init__(self) -> None:
        self.call: int | None = None
        self._before: tuple[int, int | None] | None = None

    def note(self, call: int, connection: int | None) -> None:
        """It is sent now, on that connection if it is one of TLS."""
        self.call = call
        self._before = None if connection is None else (connection, bytes_taken(connection))

    def is_answered_by(self, came: int, connection: int, sockets: Sockets) -> bool:
        """Whether `came` bytes of an answer can have come on the connection since."""
        if self.call is None:
            return False
        if sockets.came_since(connection, self.call):
            return True
        if self._before is None or self._before[0] != connection:
            return False
        before, now = self._before[1], bytes_taken(connection)
        return before is not None and now is not None and now - before >= came + _OVERHEAD
