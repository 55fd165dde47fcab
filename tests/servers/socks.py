"""A SOCKS5 proxy (RFC 1928, with RFC 1929's passwords), as a context: what it was asked for, and whose password it takes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Socks:
    """A running proxy; `asked` holds the hosts as they were given to it, `passwords` what clients showed."""

    port: int
    user: bytes | None = None
    asked: list[str] = field(default_factory=list)
    passwords: list[bytes] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        """One connection, to its end."""
        with client, client.makefile("rb") as reader:
            _, count = reader.read(2)
            methods = reader.read(count)
            wanted = 2 if self.user is not None else 0
            if wanted not in methods:
                client.sendall(b"\x05\xff")
                return
            client.sendall(bytes([5, wanted]))
            if wanted and not self._let_in(client, reader):
                return
            target = self._target(reader)
            try:
                there = socket.create_connection(target)
            except OSError:
                client.sendall(b"\x05\x05\x00\x01" + bytes(6))
                return
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            with there:
                back = threading.Thread(target=_pump, args=(there, client), daemon=True)
                back.start()
                _pump(client, there)
                back.join(30)

    def _let_in(self, client: socket.socket, reader: object) -> bool:
        read = reader.read  # type: ignore[attr-defined]  # a file
        read(1)
        name = read(read(1)[0])
        password = read(read(1)[0])
        self.passwords.append(name + b":" + password)
        right = self.passwords[-1] == self.user
        client.sendall(bytes([1, 0 if right else 1]))
        return right

    def _target(self, reader: object) -> tuple[str, int]:
        read = reader.read  # type: ignore[attr-defined]  # a file
        *_, kind = read(4)
        if kind == 3:
            host = read(read(1)[0]).decode()
        else:
            host = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, read(4 if kind == 1 else 16))
        self.asked.append(host)
        return host, struct.unpack("!H", read(2))[0]


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def socks(user: bytes | None = None) -> Iterator[Socks]:
    """Run one on a free port; `user` is NAME:PASSWORD."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Socks(listening.getsockname()[1], user)
        threads: list[threading.Thread] = []
        taken: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    taken.append(client)
                    threads.append(threading.Thread(target=_serve, args=(proxy, client), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield proxy
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        accepting.join(30)
        for client in taken:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(30)


def _serve(proxy: Socks, client: socket.socket) -> None:
    # A client may go whenever it likes.
    with contextlib.suppress(OSError, ValueError, IndexError, struct.error):
        proxy.serve(client)
