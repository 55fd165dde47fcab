"""The sockets of libcurl's connections, as the loop waits for them: those that it asks for, and those of HTTP/1 that carry nothing.

What comes on a connection of HTTP/1 that carries no request answers nothing that was asked (RFC 9112 section 6.3); libcurl would take it
for the answer to the next one, unless the connection was idle for a second. So such connections are watched, and shut down when something
comes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pycurl

from marscore.adapters.http.polling import READ, WRITE, choose
from marscore.adapters.http.sockets import Waker, has_unread, port_of, shut_down

#: What libcurl asks for, and what it is told.
_WANTED = {pycurl.POLL_IN: READ, pycurl.POLL_OUT: WRITE, pycurl.POLL_INOUT: READ | WRITE}
_TOLD = {READ: pycurl.CSELECT_IN, WRITE: pycurl.CSELECT_OUT, READ | WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT}


class Sockets:
    """By descriptor; they belong to libcurl."""

    def __init__(self, portable: bool = False) -> None:
        self.waker = Waker()
        self._polling = choose(portable)
        self._polling.want(self.waker.fileno(), READ)
        #: What libcurl waits for.
        self._watched: set[int] = set()
        #: Connections of HTTP/1 that carry nothing.
        self._idle: set[int] = set()
        #: What was last wanted of a descriptor, whether it is anything's by now or not.
        self._wanted: dict[int, int] = {}
        #: Connections by their ports here.
        self._ports: dict[int, int] = {}
        #: Our ports from which requests were sent: a connection from one of them was used before, or its number was.
        self._used_ports: set[int] = set()
        #: From which port of ours a request was sent last, by descriptor; and the same of those on which an answer of HTTP/1 ended.
        self._used: dict[int, int] = {}
        self._http1: dict[int, int | None] = {}
        #: At which call of libcurl something had come on a connection last.
        self._came: dict[int, int] = {}

    def ready(self, seconds: float) -> list[tuple[int, int]]:
        """Wait for something to happen; what idle connections bring ends them, before anything is sent on them."""
        ready = []
        for fd, events in self._polling.wait(seconds):
            if fd in self._watched:
                ready.append((fd, events))
            elif fd == self.waker.fileno():
                self.waker.drain()
            elif fd in self._idle:
                self._end_idle(fd)
            else:
                # libcurl will ask again, if it still has it.
                self._forget(fd)
        return ready

    def for_libcurl(self, ready: list[tuple[int, int]], call: int) -> Iterator[tuple[int, int]]:
        """What libcurl is to be told of: descriptors and its own flags. `call` counts the calls of it so far."""
        for fd, events in ready:
            if fd in self._watched:
                call += 1
                if events & READ:
                    self._came[fd] = call
                yield fd, _TOLD[events]

    def watch(self, what: int, fd: int) -> None:
        """Wait for what libcurl asks for."""
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            return
        self._idle.discard(fd)
        self._watched.add(fd)
        self._want(fd, _WANTED[what])

    def came_since(self, fd: int, call: int) -> bool:
        """Whether something was received on a connection after this call, in which a request was sent on it."""
        return self._came.get(fd, 0) > call

    def connection_from(self, local_port: int) -> int | None:
        """The descriptor of the connection from this port of ours, as far as it is known."""
        fd = self._ports.get(local_port)
        if fd is None or port_of(fd) != local_port:
            self._ports = {port: fd for fd in (*self._watched, *self._idle) if (port := port_of(fd)) is not None}
        return self._ports.get(local_port)

    def is_out_of_step(self, local_port: int, surely_http1: bool) -> bool:
        """Whether a connection that a request is about to be sent on has brought something since the last answer.

        It was watched while it carried nothing, up to the call in which the request is sent; here is the moment before. `surely_http1` says
        that it has no streams, whose frames may come at any time.
        """
        was_used = local_port in self._used_ports
        self._used_ports.add(local_port)
        fd = self.connection_from(local_port)
        if fd is None:
            return False
        self._used[fd] = local_port
        return was_used and (surely_http1 or self._http1.get(fd) == local_port) and has_unread(fd)

    def let_rest(self, fd: int) -> None:
        """Watch the connection of a response that ended well, unless libcurl has given it to a request that waited for one."""
        self._http1[fd] = self._used.get(fd)
        if fd not in self._watched:
            with contextlib.suppress(OSError):
                # An answer may have told that it is the last one, and libcurl has closed it.
                if self._wanted.get(fd) != READ:
                    self._want(fd, READ)
                self._idle.add(fd)

    def spoil(self, fd: int) -> None:
        """Shut down a connection that libcurl has, so that it can use it for nothing more; -1 is none."""
        if fd >= 0:
            self._watched.discard(fd)
            self._idle.discard(fd)
            self._forget(fd)
            shut_down(fd)

    def close_idle(self) -> None:
        """Shut the connections down that carry nothing now."""
        for fd in list(self._idle):
            self._end_idle(fd)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._polling.close()
        self.waker.close()

    def _end_idle(self, fd: int) -> None:
        self._idle.discard(fd)
        # libcurl may have closed it without a word, and its number may be another file's.
        if self._forget(fd):
            shut_down(fd)

    def _forget(self, fd: int) -> bool:
        self._wanted.pop(fd, None)
        return self._polling.forget(fd)

    def _want(self, fd: int, flags: int) -> None:
        self._polling.want(fd, flags)
        self._wanted[fd] = flags
