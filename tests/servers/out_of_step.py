"""A server that is out of step: behind each answer comes another that nobody asked for, and is there before the next request is sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

EXTRA = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"not asked for, " * 60


def body_of(path: bytes) -> bytes:
    """What is at a path."""
    return path * 300


def _answer_to(path: bytes) -> bytes:
    body = body_of(path)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class OutOfStep:
    """Answers, and sends the extra answer in the same TCP write: as it is, or over TLS in records of its own."""

    def __init__(self, context: ssl.SSLContext | None, pieces: int) -> None:
        self._context = context
        self._pieces = [EXTRA[len(EXTRA) * n // pieces : len(EXTRA) * (n + 1) // pieces] for n in range(pieces)]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"{'https' if context else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), taken:
            if self._context is None:
                self._answer(taken.recv, lambda pieces: taken.sendall(b"".join(pieces)))
                return
            came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self._context.wrap_bio(came, goes, server_side=True)

            def pumped(act: Callable[[], bytes | None]) -> bytes:
                while True:
                    try:
                        done = act()
                    except ssl.SSLWantReadError:
                        taken.sendall(goes.read())
                        data = taken.recv(65_536)
                        came.write(data) if data else came.write_eof()
                        continue
                    taken.sendall(goes.read())
                    return done or b""

            def send(pieces: list[bytes]) -> None:
                for piece in pieces:
                    tls.write(piece)
                taken.sendall(goes.read())

            pumped(tls.do_handshake)
            self._answer(lambda size: pumped(lambda: tls.read(size)), send)

    def _answer(self, receive: Callable[[int], bytes], send: Callable[[list[bytes]], None]) -> None:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                data = receive(65_536)
                if not data:
                    return
                head += data
            send([_answer_to(head.split(b" ")[1]), *self._pieces])
