"""A proxy that makes tunnels (RFC 9110 section 9.3.6). Where it is an https proxy, TLS goes through TLS to an https origin."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def tunnel(context: ssl.SSLContext | None, to: int | None = None) -> Iterator[str]:
    """Run one on a free port, for as many connections as come; its URL. `to` is a port of this machine at which all of them end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads: list[threading.Thread] = []
        taken: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    client = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) if context else plain
                    taken.append(client)
                    threads.append(threading.Thread(target=_serve, args=(client, to), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        for sock in (listening, *taken):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in (accepting, *threads):
            thread.join(30)


def _serve(client: socket.socket, to: int | None) -> None:
    # Who is at its ends may go whenever it likes.
    with contextlib.suppress(OSError, ValueError), client:
        if isinstance(client, ssl.SSLSocket):
            client.do_handshake()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := client.recv(1)):
                return
            head += byte
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection(("127.0.0.1", to) if to else (host, int(port)), 30) as there:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                ready = (
                    [client] if isinstance(client, ssl.SSLSocket) and client.pending() else select.select([client, there], [], [], 60)[0]
                )
                for source, sink in ((client, there), (there, client)):
                    if source not in ready:
                        continue
                    data = source.recv(65_536)
                    if not data:
                        return
                    sink.sendall(data)
