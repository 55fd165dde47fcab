"""By what a loop holds a helper back that reads for it, and ends what it waits for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from marscore.adapters.http.sockets import shut_down_socket

#: Chunks that a helper may be ahead of its loop.
AHEAD = 4


class Control:
    """One exchange's: the loop gives leave to read, gives up and stops; the helper says what it waits on, and asks for leave.

    Its lock is held for as long as it takes to shut a socket down, and no longer.
    """

    def __init__(self) -> None:
        self.given_up = False
        self._leave = threading.Semaphore(AHEAD)
        self._lock = threading.Lock()
        self._stopped = False
        self._end: Callable[[], None] | None = None
        self._copy: socket.socket | None = None

    # The helper's part

    def may_read(self) -> bool:
        """Wait for leave to read one more chunk; returns whether anybody wants it."""
        self._leave.acquire()
        return not self.given_up

    def uses(self, sock: Any, is_copy: bool = False) -> None:
        """Say which socket is waited on, if any; a copy is closed when another takes its place."""
        self.ends_by(partial(_end_handshake if is_copy else shut_down_socket, sock), sock if is_copy else None)

    def ends_by(self, end: Callable[[], None], copy: socket.socket | None = None) -> None:
        """Say how the wait is ended from another thread."""
        with self._lock:
            self._end = end
            before, self._copy = self._copy, copy
            if self._stopped:
                end()
        if before is not None:
            before.close()

    def let_go(self) -> None:
        """Say that nothing is waited on any more."""
        self.uses(None)

    # The loop's part

    def read_on(self, chunks: int) -> None:
        """Give leave to read so many more."""
        if chunks:
            self._leave.release(chunks)

    def give_up(self) -> None:
        """Want no more chunks."""
        self.given_up = True
        self._leave.release()

    def stop(self) -> None:
        """End what the helper waits on, now and from now on."""
        with self._lock:
            self._stopped = True
            if self._end is not None:
                self._end()


def _end_handshake(sock: socket.socket) -> None:
    # Of a socket that is shut down for both ways before TLS begins on it, the standard library closes no descriptor.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
