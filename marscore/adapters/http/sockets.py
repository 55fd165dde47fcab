"""What the system knows of a connection by its descriptor, which belongs to libcurl; and what ends a wait for connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys

#: Where in Linux' struct tcp_info tcpi_bytes_received is (linux/tcp.h, since 4.1).
_RECEIVED = struct.Struct("@Q")
_OFFSET = 128


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


def bytes_received(fd: int) -> int | None:
    """How many bytes a TCP connection has received so far, whether they were read or not; None where the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as shared:
            info = shared.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _OFFSET + _RECEIVED.size)
    except OSError:
        return None
    return _RECEIVED.unpack_from(info, _OFFSET)[0] if len(info) >= _OFFSET + _RECEIVED.size else None


def port_of(fd: int) -> int | None:
    """The port of our end; None of what is no connection of TCP."""
    try:
        with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as shared:
            name = shared.getsockname()
    except OSError:
        return None
    return name[1] if isinstance(name, tuple) else None


def shut_down(fd: int) -> None:
    """Let a connection carry nothing more; the descriptor stays open."""
    with contextlib.suppress(OSError), socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as shared:
        shared.shutdown(socket.SHUT_RDWR)
