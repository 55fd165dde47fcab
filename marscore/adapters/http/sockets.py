"""What the system knows of a connection by its descriptor, which belongs to libcurl; and what ends a wait for connections, or for bytes."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import sys
from functools import lru_cache
from typing import Any

if sys.platform != "win32":
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
    try:
        name = _view(fd).getsockname()
    except OSError:
        return None
    return name[1] if isinstance(name, tuple) else None


def bytes_taken(fd: int) -> int | None:
    """How many of the bytes that a TCP connection has received were read so far; None where the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError):
        info = _view(fd).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _OFFSET + _RECEIVED.size)
        # What comes between the two calls is counted as unread, and not as received.
        unread = _unread(fd)
        if len(info) >= _OFFSET + _RECEIVED.size:
            received: int = _RECEIVED.unpack_from(info, _OFFSET)[0]
            return received - unread
    return None


def has_unread(fd: int) -> bool:
    """Whether bytes have come on a connection that nobody has read; the end of it is none."""
    try:
        # Asked for before every request on a used connection: the portable way takes 5 us of 180 that a small file costs.
        return _unread(fd) > 0 if sys.platform != "win32" else bool(_view(fd).recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _unread(fd: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


class _View(socket.socket):
    """A descriptor of libcurl's as Python has sockets; it is libcurl's to close."""

    def __del__(self) -> None:
        self.detach()


#: What is asked of a descriptor is asked of whatever has its number by then; to make a view each time costs more than the question.
@lru_cache(256)
def _view(fd: int) -> socket.socket:
    return _View(socket.AF_INET, socket.SOCK_STREAM, fileno=fd)


def shut_down(fd: int) -> None:
    """Let a connection carry nothing more; the descriptor stays open."""
    with contextlib.suppress(OSError), socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as shared:
        shared.shutdown(socket.SHUT_RDWR)


def shut_down_socket(sock: Any) -> None:
    """Wake a thread that waits for bytes of this socket, of whatever kind, which is of no use from then on."""
    # Of TLS in TLS, urllib3 makes an object that is no socket, on top of one.
    plain = getattr(sock, "socket", sock)
    # A TLS socket's own shutdown would pull its state from under a thread that reads: the plain one wakes that thread with an error.
    with contextlib.suppress(OSError, ValueError):
        if isinstance(plain, socket.socket):
            socket.socket.shutdown(plain, socket.SHUT_RDWR)
