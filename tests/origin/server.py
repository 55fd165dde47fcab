"""A real HTTP/1.1 origin on loopback that misbehaves as its script says. Standard library only, one thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

from tests.origin.content import Body
from tests.origin.steps import Good, Handler, HangUp, Raw, Seen, Status, Step
from tests.origin.wire import Answer, chunks_of, head_of, plan_answer, read_request


class Origin:
    """Serves bodies and scripts from a free port, as a context.

    with Origin() as origin:
        origin.serve("/a.bin", Body(10_000), [busy(503), Good()])     # the first request is refused, the next ones are served
        fetch(origin.url("/a.bin"))
        assert len(origin.requests_for("/a.bin")) == 2
    """

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._tls = tls
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256)
        self._lock = threading.Lock()
        self._bodies: dict[str, Body] = {}
        self._scripts: dict[str, list[Step]] = {}
        self._handlers: dict[str, Handler] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self.requests: list[Seen] = []
        self.connections_accepted = 0
        self.peak_connections = 0
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

    def handle(self, path: str, handler: Handler) -> str:
        """Let a function choose the step for each request of a path. Returns its URL."""
        self._handlers[path] = handler
        return self.url(path)

    def requests_for(self, path: str) -> list[Seen]:
        """The requests for a path so far, in their order."""
        with self._lock:
            return [seen for seen in self.requests if seen.path == path]

    @property
    def open_connections(self) -> int:
        """TCP connections that are open now."""
        with self._lock:
            return len(self._sockets)

    # Its life

    def __enter__(self) -> Origin:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once, connections included."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets.values()), list(self._threads)
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # one of our own methods
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                number = self.connections_accepted
                self.connections_accepted += 1
                self._sockets[number] = sock
                self.peak_connections = max(self.peak_connections, len(self._sockets))
            self._run(self._converse, number, sock)

    def _converse(self, number: int, sock: socket.socket) -> None:
        stream = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                stream = self._tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._sockets[number] = stream
            with stream.makefile("rb") as reader:
                while not self._closing.is_set() and (seen := read_request(reader, number)):
                    if not self._answer(stream, seen):
                        return
        except (OSError, ValueError):
            return
        finally:
            with self._lock:
                self._sockets.pop(number, None)
            stream.close()

    def _answer(self, stream: socket.socket, seen: Seen) -> bool:
        """Answer one request. Returns whether the connection stays open."""
        step = self._next_step(seen)
        match step:
            case Raw():
                for _ in range(step.repeat):
                    stream.sendall(step.data)
                self._closing.wait(step.hold_s)
                return False
            case HangUp():
                return _hang_up(stream, step.reset)
            case Status():
                length = (("Content-Length", str(len(step.text))),)
                stream.sendall(head_of(step.status, (*length, *step.fields)) + step.text)
                return True
            case Good():
                body = step.body or self._bodies[seen.path]
                return self._serve(stream, plan_answer(step, body, seen), step)
        raise AssertionError(step)

    def _next_step(self, seen: Seen) -> Step:
        with self._lock:
            self.requests.append(seen)
            handler = self._handlers.get(seen.path)
            if handler is None:
                script = self._scripts.get(seen.path)
                if script is None:
                    return Status(404)
                return script.pop(0) if len(script) > 1 else script[0]
        return handler(seen)

    def _serve(self, stream: socket.socket, answer: Answer, step: Good) -> bool:
        self._closing.wait(step.delay_s)
        for status in step.informational:
            stream.sendall(f"HTTP/1.1 {status} Wait\r\n\r\n".encode())
        stream.sendall(answer.head)
        sent = 0
        for chunk in self._paced(answer, step):
            if step.cut_after is not None and sent + len(chunk) >= step.cut_after:
                stream.sendall(chunk[: step.cut_after - sent])
                return _hang_up(stream, step.reset)
            stream.sendall(chunk)
            sent += len(chunk)
        if answer.tail:
            stream.sendall(answer.tail)
        return answer.stays_open

    def _paced(self, answer: Answer, step: Good) -> Iterator[bytes]:
        began, sent = time.monotonic(), 0
        for chunk in chunks_of(answer, step.rate):
            if step.stall_after is not None and sent >= step.stall_after:
                self._closing.wait(step.stall_s)
            if step.rate is not None:
                self._closing.wait(max(0.0, began + sent / step.rate - time.monotonic()))
            if self._closing.is_set():
                return
            yield chunk
            sent += len(chunk)


def _hang_up(stream: socket.socket, reset: bool) -> bool:
    if reset:
        # SO_LINGER with a time of zero turns close into RST.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    else:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(stream, socket.SHUT_WR)
    return False
