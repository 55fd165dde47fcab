"""Whether what came on a connection of HTTP/1 that was used before came after the request was sent: before, it answers nothing of ours.

What came in the last record of TLS shows on no socket, since OpenSSL has read it already; so the bytes that TCP has received are compared.
"""

from __future__ import annotations

from marscore.adapters.http.curl_sockets import Sockets
from marscore.adapters.http.sockets import bytes_received


class Sent:
    """A request on its way: in which call of libcurl it was sent, and what its connection, one of TLS, had received by then."""

    __slots__ = ("_before", "call")

    def __init__(self) -> None:
        self.call: int | None = None
        self._before: tuple[int, int | None] | None = None

    def note(self, call: int, connection: int | None) -> None:
        """It is sent now, on that connection if it is one of TLS."""
        self.call = call
        self._before = None if connection is None else (connection, bytes_received(connection))

    def has_come_since(self, connection: int, sockets: Sockets) -> bool:
        """Whether the connection has received anything since."""
        if self.call is None:
            return False
        if sockets.came_since(connection, self.call):
            return True
        # It may have come between that call's sending and its receiving.
        now = bytes_received(connection)
        return now is not None and self._before != (connection, now)
