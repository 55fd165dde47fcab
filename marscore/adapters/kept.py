"""One kept-alive connection of the direct lane: requests go out, heads and bodies come in, with nothing in between.

ask --bytes--> server --bytes--> next_head --> Head | None        take, room, receive_into: the body behind it
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import Any

from marscore.adapters.http_failures import CLOSED
from marscore.adapters.wire import END, Head, parse_head
from marscore.values import Timeouts

#: A head and the body of a small file come with one receive into a buffer of this size.
_BUFFER = 64 * 1024
#: What one receive of a body may bring that comes into our own memory.
_LARGE = 256 * 1024
_PREFIX = b"HTTP/"
#: Holds until the next acknowledgement is due; Linux alone has it.
_QUICK: int | None = getattr(socket, "TCP_QUICKACK", None)


class StaleError(Exception):
    """A kept-alive connection brought nothing at all."""


class Wire:
    """A connection with what was read of it and not used yet: `buffer[start:end]`.

    `served` says whether it was used before, `owed` counts the requests whose answers did not begin yet.
    """

    def __init__(self, connection: Any, served: bool) -> None:
        self.connection = connection
        self.sock: socket.socket = connection.sock
        self.start = 0
        self.end = 0
        self.owed = 0
        self._together = False
        self._view = memoryview(bytearray(_BUFFER))
        self._served = served
        self._poll = _poll_of(self.sock)

    def readable(self) -> bool:
        """Whether something is there to read. On an idle connection that is its end, or an answer to nothing that was asked."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            # It was taken off the socket with the record before.
            return True
        return bool(self._poll.poll(0)) if self._poll else False

    def ask(self, data: bytes, timeouts: Timeouts, count: int = 1) -> Head | None:
        """Send `count` requests and read the head of the first answer; None where that is unusual.

        Raises:
            StaleError: the connection had served before and is closed.
            OSError: the connection failed.
        """
        stale, self._served = self._served, True
        self.start = self.end = 0
        if self.sock.gettimeout() != timeouts.read:
            self.sock.settimeout(timeouts.read)
        self.owed = count
        self._together = count > 1
        return self._head(data, stale)

    def _acknowledge(self) -> None:
        """Have what came acknowledged at once, where several answers are to come.

        A server that sends whole segments only (nginx's tcp_nopush) waits for that before it sends the rest of an answer, and a system
        that has nothing to send acknowledges after 40 ms.
        """
        if self._together and _QUICK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def next_head(self, timeouts: Timeouts) -> Head | None:
        """Read the head of an answer to a request that was sent before; None where that is unusual.

        Raises:
            StaleError: the server closed the connection, and that is all.
            OSError: the connection failed.
        """
        left = self.end - self.start
        self._view[:left] = self._view[self.start : self.end]
        self.start, self.end = 0, left
        if self.sock.gettimeout() != timeouts.read:
            self.sock.settimeout(timeouts.read)
        return self._head(b"", stale=True)

    def _head(self, data: bytes, stale: bool) -> Head | None:
        try:
            if data:
                self.sock.sendall(data)
            self.start = self._read_head()
        except CLOSED as error:
            if stale and not self.end:
                raise StaleError from error
            raise
        if stale and not self.end:
            raise StaleError
        self.owed -= 1
        return parse_head(bytes(self._view[: self.start]))

    def _read_head(self) -> int:
        """Read until the head is whole, or until it cannot become one; returns where it ends, 0 for no head."""
        view, buffer = self._view, self._view.obj
        assert isinstance(buffer, bytearray)
        searched = 0
        while not (found := END.search(buffer, searched, self.end)):
            if self.end == len(view) or (self.end >= len(_PREFIX) and not buffer.startswith(_PREFIX)):
                return 0
            searched = max(0, self.end - 3)
            self._acknowledge()
            count = self.sock.recv_into(view[self.end :])
            if not count:
                return 0
            self.end += count
        return found.end()

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
        self._acknowledge()
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


def _poll_of(sock: socket.socket) -> Any:
    # Windows has no poll; there, a stale connection is found out by its silence alone.
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll
