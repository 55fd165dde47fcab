"""An HTTP/2 server over TLS that answers each request as a script says, for what nginx never does: it resets, goes away, calms."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from tests.servers.tls import Tls

Errors = h2.errors.ErrorCodes


@dataclass(frozen=True)
class Reply:
    """An answer: status 200 with its length and this body, of which `sent` bytes go out (None: all); then the stream ends or is reset.

    Attributes:
        body: what is served.
        fields: more header fields, or others in place of the usual.
        sent: bytes of the body that are sent; what is left is owed.
        reset: the code that the stream is reset with then; without `sent`, before any answer.
        goaway: the code of a GOAWAY after it, which names this stream as the last one, or, if `unseen`, the one before.
        drop: the connection is closed then.
        answers, has_length: whether there is a head at all, and a length in it.
    """

    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()
    sent: int | None = None
    reset: Errors | None = None
    goaway: Errors | None = None
    unseen: bool = False
    drop: bool = False
    answers: bool = True
    has_length: bool = True


@dataclass
class Plain:
    """What who speaks HTTP/1.1 gets: a head, and a chunked body, which is cut after so many bytes."""

    head: bytes
    body: bytes
    cut: int | None = None

    def send(self, sock: socket.socket) -> None:
        """Answer one request."""
        while b"\r\n\r\n" not in sock.recv(65_536):
            pass
        sock.sendall(self.head + b"%x\r\n" % len(self.body) + self.body[: self.cut] + (b"\r\n0\r\n\r\n" if self.cut is None else b""))


Answer: TypeAlias = Callable[[str, int], Reply]


@dataclass
class Streams:
    """A running server. `requests` are (path, number of the connection) in their order."""

    base: str
    requests: list[tuple[str, int]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.base + path


@contextlib.contextmanager
def streams(tls: Tls, answer: Answer, most: int = 100, plain: Plain | None = None) -> Iterator[Streams]:
    """Run a server on a free port; `answer(path, nth request)` says what to do, `most` how many streams a connection may have.

    Who wants no streams gets `plain`, if there is any.
    """
    context = tls.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"] if plain else ["h2"])
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = Streams(f"https://127.0.0.1:{listening.getsockname()[1]}")
    taken: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            # TLS takes the descriptor over, so that this one is a copy by which all can be ended.
            taken.append(raw.dup())
            make = functools.partial(_Connection, server, len(taken) - 1, answer, most)
            thread = threading.Thread(target=_converse, args=(context, raw, plain, make), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        for sock in (listening, *taken):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in (accepting, *threads):
            thread.join(10)


def _converse(context: ssl.SSLContext, raw: socket.socket, plain: Plain | None, connection: Callable[[ssl.SSLSocket], _Connection]) -> None:
    with contextlib.suppress(OSError, h2.exceptions.ProtocolError), context.wrap_socket(raw, server_side=True) as sock:
        if plain is not None and sock.selected_alpn_protocol() != "h2":
            plain.send(sock)
        else:
            connection(sock).run()
        # Closed with something unread, it would reset what is on its way.
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while sock.recv(65_536):
            pass


class _Connection:
    def __init__(self, server: Streams, number: int, answer: Answer, most: int, sock: socket.socket) -> None:
        self._sock, self._server, self._number, self._answer = sock, server, number, answer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: most, h2.settings.SettingCodes.ENABLE_PUSH: 0}
        )
        #: By stream, what has to be sent still, and what comes then.
        self._owed: dict[int, tuple[bytes, Reply]] = {}

    def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        while data := self._sock.recv(65_536):
            for event in self._h2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self._begin(event.stream_id, next(str(value) for name, value in event.headers if str(name) == ":path"))
                elif isinstance(event, h2.events.StreamReset):
                    self._owed.pop(event.stream_id or 0, None)
            if not self._go_on():
                return

    def _flush(self) -> None:
        self._sock.sendall(self._h2.data_to_send())

    def _begin(self, stream: int, path: str) -> None:
        nth = len(self._server.requests)
        self._server.requests.append((path, self._number))
        reply = self._answer(path, nth)
        if reply.answers:
            usual = {":status": "200", "etag": '"v1"', "accept-ranges": "bytes"}
            if reply.has_length:
                usual["content-length"] = str(len(reply.body))
            self._h2.send_headers(stream, [*(usual | dict(reply.fields)).items()])
        self._owed[stream] = (reply.body[: reply.sent] if reply.answers else b"", reply)

    def _go_on(self) -> bool:
        """Send what windows leave room for; says whether the connection stays."""
        for stream, (data, reply) in list(self._owed.items()):
            sent = 0
            while sent < len(data) and (room := min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)) > 0:
                self._h2.send_data(stream, data[sent : sent + room])
                sent += room
            self._owed[stream] = (data[sent:], reply)
            if sent >= len(data):
                del self._owed[stream]
                if not self._end(stream, reply):
                    return False
        self._flush()
        return True

    def _end(self, stream: int, reply: Reply) -> bool:
        if reply.reset is not None:
            self._h2.reset_stream(stream, reply.reset)
        elif reply.answers and reply.sent is None:
            self._h2.end_stream(stream)
        if reply.goaway is not None:
            last: Sequence[int] = (stream - 2, stream)
            self._h2.close_connection(reply.goaway, last_stream_id=max(0, last[not reply.unseen]))
        self._flush()
        return not (reply.drop or reply.goaway is not None)
