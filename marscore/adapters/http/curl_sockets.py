"""The sockets of libcurl's connections, as the loop waits for them: those that it asks for, and those of HTTP/1 that carry nothing.

What comes on a connection of HTTP/1 that carries no request answers nothing that was asked (RFC 9112 section 6.3); libcurl would take it
for the answer to the next one, unless the connection was idle for a second. So such connections are watched, and shut down when something
comes.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Iterator

import pycurl

from marscore.adapters.http.sockets import Waker, port_of, shut_down

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Sockets:
    """By descriptor; they belong to libcurl."""

    def __init__(self) -> None:
        self.waker = Waker()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.waker, _READ)
        #: What libcurl waits for.
        self._watched: set[int] = set()
        #: Connections of HTTP/1 that carry nothing.
        self._idle: set[int] = set()
        #: Connections by their ports here.
        self._ports: dict[int, int] = {}
        #: At which call of libcurl something had come on a connection last.
        self._came: dict[int, int] = {}

    def ready(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for something to happen; what idle connections bring ends them, before anything is sent on them."""
        try:
            ready = self._selector.select(seconds)
        except OSError:
            # Where the system does not forget a descriptor that is closed (Windows), libcurl may have closed an idle one.
            for fd in list(self._idle):
                self.unwatch(fd)
            return []
        for fd in [key.fd for key, _ in ready if key.fd in self._idle]:
            self.spoil(fd)
        return ready

    def for_libcurl(self, ready: list[tuple[selectors.SelectorKey, int]], call: int) -> Iterator[tuple[int, int]]:
        """What libcurl is to be told of: descriptors and its own flags. `call` counts the calls of it so far."""
        for key, events in ready:
            if key.fileobj is self.waker:
                self.waker.drain()
            elif key.fd in self._watched:
                call += 1
                if events & _READ:
                    self._came[key.fd] = call
                yield key.fd, (pycurl.CSELECT_IN if events & _READ else 0) | (pycurl.CSELECT_OUT if events & _WRITE else 0)

    def watch(self, what: int, fd: int) -> None:
        """Wait for what libcurl asks for."""
        self.unwatch(fd)
        if what != pycurl.POLL_REMOVE:
            self._watched.add(fd)
            self._selector.register(fd, (_READ if what & pycurl.POLL_IN else 0) | (_WRITE if what & pycurl.POLL_OUT else 0))

    def unwatch(self, fd: int) -> None:
        """Wait for nothing of a connection."""
        self._watched.discard(fd)
        self._idle.discard(fd)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def came_since(self, fd: int, call: int) -> bool:
        """Whether something was received on a connection after this call, in which a request was sent on it."""
        return self._came.get(fd, 0) > call

    def connection_from(self, local_port: int) -> int | None:
        """The descriptor of the connection from this port of ours, as far as it is known."""
        if local_port not in self._ports:
            self._ports = {port: fd for fd in (*self._watched, *self._idle) if (port := port_of(fd)) is not None}
        return self._ports.get(local_port)

    def let_rest(self, fd: int) -> None:
        """Watch the connection of a response that ended well, unless libcurl has given it to a request that waited for one."""
        if fd not in self._watched:
            self.unwatch(fd)
            with contextlib.suppress(OSError):
                # An answer may have told that it is the last one, and libcurl has closed it.
                self._selector.register(fd, _READ)
                self._idle.add(fd)

    def spoil(self, fd: int) -> None:
        """Shut a connection down, so that libcurl can use it for nothing more."""
        self.unwatch(fd)
        if fd >= 0:
            shut_down(fd)

    def close_idle(self) -> None:
        """Shut the connections down that carry nothing now."""
        for fd in list(self._idle):
            self.spoil(fd)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._selector.close()
        self.waker.close()
