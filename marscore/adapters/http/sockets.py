"""What the system knows of a connection by its descriptor, which belongs to libcurl; and what ends a wait for connections."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import sys
from collections.abc import Iterator

if sys.platform.startswith("linux"):
    import fcntl
    import termios

#: Where in Linux' struct tcp_info tcpi_bytes_received is (linux/tcp.h, since 4.1).
_RECEIVED = struct.Struct("@Q")
_OFFSET = 128


class Dialled:
    """A new socket for libcurl, which takes a copy of its descriptor and lets go of this one without a word."""

    _fd = -1

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        self._fd = socket.socket(family, kind, protocol).detach()

    def fileno(self) -> int:
        """What is copied."""
        return self._fd

    def __del__(self) -> None:
        if self._fd >= 0:
            socket.close(self._fd)


class Waker:
    """Ends the wait of a selector that has it registered, from any thread or signal handler."""

    def __init__(self) -> None:
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)

    def fileno(self) -> int:
        """What a selector waits for."""
        return self._woken.fileno()

    def wake(self) -> None:
        """End the wait that goes on, or the next one."""
        # Full, it wakes anyhow; closed, there is nobody to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def drain(self) -> None:
        """Forget that it was woken."""
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def close(self) -> None:
        """Wake nobody any more."""
        self._woken.close()
        self._waker.close()


def port_of(fd: int) -> int | None:
    """The port of our end; None of what is no connection of TCP."""
    with contextlib.suppress(OSError), _borrowed(fd) as sock:
        name = sock.getsockname()
        return name[1] if isinstance(name, tuple) else None
    return None


def bytes_taken(fd: int) -> int | None:
    """How many of the bytes that a TCP connection has received were read so far; None where the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError), _borrowed(fd) as sock:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _OFFSET + _RECEIVED.size)
        # What comes between the two calls is counted as unread, and not as received.
        unread = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, unread)
        if len(info) >= _OFFSET + _RECEIVED.size:
            received: int = _RECEIVED.unpack_from(info, _OFFSET)[0]
            return received - unread[0]
    return None


def has_unread(fd: int) -> bool:
    """Whether bytes have come on a connection that nobody has read; the end of it is none."""
    with contextlib.suppress(OSError), _borrowed(fd) as sock:
        return bool(sock.recv(1, socket.MSG_PEEK))
    return False


@contextlib.contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A connection of libcurl's as Python has it, without a copy of its descriptor."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()


def shut_down(fd: int) -> None:
    """Let a connection carry nothing more; the descriptor stays open."""
    with contextlib.suppress(OSError), socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as shared:
        shared.shutdown(socket.SHUT_RDWR)
