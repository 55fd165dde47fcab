"""A real HTTP/1.1 origin on loopback that misbehaves as its script says. Standard library only, one thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from tests.origin.content import Body
from tests.origin.perform import perform
from tests.origin.steps import Good, Handler, Seen, Status, Step
from tests.origin.wire import client_is_there, connections_to, read_request


class Origin:
    """Serves bodies and scripts from a free port, as a context.

    with Origin() as origin:
        origin.serve("/a.bin", Body(10_000), [busy(503), Good()])     # the first request is refused, the next ones are served
        fetch(origin.url("/a.bin"))
        assert len(origin.requests_for("/a.bin")) == 2
    """

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._tls = tls
        self._listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256)
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._bodies: dict[str, Body] = {}
        self._scripts: dict[str, list[Step]] = {}
        self._handlers: dict[str, Handler] = {}
        self._rest: Handler | None = None
        self._sockets: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self.requests: list[Seen] = []
        self.connections_accepted = 0
        self._peak: int | None = None
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    # What tests say and ask

    def url(self, path: str = "/") -> str:
        """The URL of a path here."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def serve(self, path: str, body: Body, script: Sequence[Step] = ()) -> str:
        """Serve a body at a path, each request by the next step of the script, the last one repeating. Returns its URL."""
        with self._lock:
            self._bodies[path] = body
            self._scripts[path] = list(script) or [Good()]
        return self.url(path)

    def script(self, path: str, steps: Sequence[Step]) -> str:
        """Let each request of a path take the next step, the last one repeating. Returns its URL."""
        with self._lock:
            self._scripts[path] = list(steps) or [Good()]
        return self.url(path)

    def handle(self, path: str, handler: Handler) -> str:
        """Let a function choose the step for each request of a path. Returns its URL."""
        with self._lock:
            self._handlers[path] = handler
        return self.url(path)

    def handle_rest(self, handler: Handler) -> None:
        """Let a function choose the step for every path that nothing else was said about."""
        with self._lock:
            self._rest = handler

    def requests_for(self, path: str) -> list[Seen]:
        """The requests for a path so far, in their order."""
        with self._lock:
            return [seen for seen in self.requests if seen.path == path]

    def wait_for_requests(self, count: int, path: str | None = None, timeout: float = 30.0) -> bool:
        """Wait until so many requests came, for a path or in all. Returns whether they did."""
        with self._asked:
            return self._asked.wait_for(lambda: sum(path in (None, seen.path) for seen in self.requests) >= count, timeout)

    def watch_connections(self) -> None:
        """From now on see how many connections are held open at once, which takes 10 ms of processor time for each that makes it more."""
        self._peak = 0

    @property
    def peak_connections(self) -> int:
        """The most connections that clients held open at once, as far as they had not closed them when another one came."""
        assert self._peak is not None, "watch_connections() comes first"
        return self._peak

    def wait_for_connections(self, count: int, timeout: float = 30.0) -> bool:
        """Wait until clients have held so many connections open at once. Returns whether they did."""
        with self._asked:
            return self._asked.wait_for(lambda: self.peak_connections >= count, timeout)

    @property
    def open_connections(self) -> int:
        """TCP connections that are open now."""
        with self._lock:
            return len(self._sockets)

    # Its life

    def __enter__(self) -> Origin:
        with self._lock:
            self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, connections included; every thread has ended on return."""
        self._closing.set()
        # shutdown wakes the thread in accept; on some systems only a connection does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets.values()), list(self._threads)
        for sock in sockets:
            # Below TLS, which a thread may be in the middle of.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        """Start a thread; the lock is held by the caller, so that none starts while the origin closes."""
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()]
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing.is_set():
                    sock.close()
                    return
                self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        number = self.connections_accepted
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The handshake waits for the connection's own thread, so that one slow client holds up nobody and closing finds the socket.
        stream = wrapped(self._tls, sock) if self._tls else sock
        if stream is None:
            return
        self.connections_accepted += 1
        self._sockets[number] = stream
        if self._peak is not None and len(self._sockets) > self._peak:
            # Each sees some closed connections as open for a moment: the one while a thread is in the middle of a write, the other while
            # clients come and go as it looks.
            held = min(sum(map(client_is_there, self._sockets.values())), connections_to(self.port))
            self._peak = max(self._peak, held)
        self._asked.notify_all()
        self._run(self._converse, number, stream)

    def _converse(self, number: int, stream: socket.socket) -> None:
        try:
            if isinstance(stream, ssl.SSLSocket):
                stream.do_handshake()
            self._exchange(number, stream)
        except (OSError, ValueError):
            return
        finally:
            # Forgotten before it is closed: by then its number may belong to another socket.
            with self._lock:
                del self._sockets[number]
            stream.close()

    def _exchange(self, number: int, stream: socket.socket) -> None:
        nth = 0
        with stream.makefile("rb") as reader:
            while not self._closing.is_set() and (seen := read_request(reader, number, nth)):
                step, body = self._next_step(seen)
                if not perform(stream, step, seen, body, self._closing):
                    return
                nth += 1

    def _next_step(self, seen: Seen) -> tuple[Step, Body | None]:
        with self._lock:
            self.requests.append(seen)
            self._asked.notify_all()
            body, handler, script = self._bodies.get(seen.path), self._handlers.get(seen.path), self._scripts.get(seen.path)
            if script and handler is None:
                return (script.pop(0) if len(script) > 1 else script[0]), body
            handler = handler or self._rest
        return (handler(seen) if handler else Status(404)), body


def wrapped(context: ssl.SSLContext, sock: socket.socket) -> ssl.SSLSocket | None:
    """A server's end of TLS before its handshake; None where the client has gone by now."""
    try:
        return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    except OSError as error:
        # The standard library leaves its own socket open where a client has sent something and gone.
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if isinstance(own := frame.f_locals.get("self"), ssl.SSLSocket):
                own.close()
        sock.close()
        return None
