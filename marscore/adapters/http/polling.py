"""What a loop waits for on sockets that belong to libcurl: Linux' epoll, or the standard library's selectors.

A descriptor stays registered when nothing is wanted of it for a moment, since most of them are wanted again for the next file: that is one
system call a file in place of four. Who is closed is forgotten by epoll itself, and by kqueue.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
from typing import Any, Protocol

#: Flags of what a descriptor is wanted for, and of what it is ready for.
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Polling(Protocol):
    """Waits for descriptors."""

    def want(self, fd: int, flags: int) -> None:
        """Wait for this of a descriptor from now on.

        Raises:
            OSError: it is closed.
        """
        ...

    def forget(self, fd: int) -> bool:
        """Wait for nothing of it; says whether it was waited for: a number that was closed and given to another file is not."""
        ...

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """The descriptors that are ready, and for what."""
        ...

    def close(self) -> None: ...


class Epoll:
    """Implements `Polling` by epoll(7)."""

    def __init__(self) -> None:
        self._epoll: Any = select.epoll()  # type: ignore[attr-defined, unused-ignore]  # Linux alone has it
        self._flags = {READ: select.EPOLLIN, WRITE: select.EPOLLOUT, READ | WRITE: select.EPOLLIN | select.EPOLLOUT}  # type: ignore[attr-defined, unused-ignore]

    def want(self, fd: int, flags: int) -> None:
        """Register it, or change what is wanted of it."""
        try:
            self._epoll.modify(fd, self._flags[flags])
        except FileNotFoundError:
            self._epoll.register(fd, self._flags[flags])

    def forget(self, fd: int) -> bool:
        """Take it out."""
        try:
            self._epoll.unregister(fd)
        except OSError:
            return False
        return True

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Wait; an error or a hang-up counts as both, as the standard library has it."""
        both = READ | WRITE
        ready = self._epoll.poll(None if seconds == float("inf") else seconds)
        return [(fd, _KNOWN.get(events, both)) for fd, events in ready]

    def close(self) -> None:
        """Wait for nothing any more."""
        self._epoll.close()


#: What most events are. EPOLLIN and EPOLLOUT have these values in the kernel's interface, whatever the machine.
_KNOWN = {1: READ, 4: WRITE}


class Selecting:
    """Implements `Polling` by the selector that the standard library takes for the best."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        #: What is behind each number, as far as the system tells.
        self._behind: dict[int, tuple[int, int] | None] = {}

    def want(self, fd: int, flags: int) -> None:
        """Register it anew: the system may have forgotten a descriptor that was closed, and the selector has not."""
        self.forget(fd)
        self._selector.register(fd, flags)
        self._behind[fd] = _identity(fd)

    def forget(self, fd: int) -> bool:
        """Take it out."""
        before = self._behind.pop(fd, None)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)
        return before is not None and before == _identity(fd)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Wait; where the system does not forget a descriptor that is closed (Windows), such a one is forgotten here."""
        try:
            return [(key.fd, events) for key, events in self._selector.select(None if seconds == float("inf") else seconds)]
        except OSError:
            for key in [*self._selector.get_map().values()]:
                if _is_closed(key.fd):
                    self.forget(key.fd)
            return []

    def close(self) -> None:
        """Wait for nothing any more."""
        self._selector.close()


def _identity(fd: int) -> tuple[int, int] | None:
    """What tells a file from another that gets its number; None where the system does not say (sockets on Windows)."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_closed(fd: int) -> bool:
    try:
        select.select([fd], [], [], 0)
    except (OSError, ValueError):
        return True
    return False


def choose(portable: bool = False) -> Polling:
    """The fastest that this system has, or the portable one where asked for."""
    return Epoll() if hasattr(select, "epoll") and not portable else Selecting()
