"""The barest copy in Python, for TLS and for machines without a compiler: `python bare.py PORT CONNECTIONS [CA_FILE] < parts`.

A part is a line "path output offset length". Each connection is a process of its own, kept alive, and takes every CONNECTIONS-th part.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys

_BUFFER = 128 * 1024


def _reach(port: int, tls: ssl.SSLContext | None) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain


def _fetch(connection: socket.socket, buffer: memoryview, line: str) -> None:
    path, output, offset, length = line.split()
    start, left = int(offset), int(length)
    connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nRange: bytes={start}-{start + left - 1}\r\n\r\n".encode())
    filled, body = 0, -1
    while body < 0:
        got = connection.recv_into(buffer[filled:])
        if not got:
            raise SystemExit("the server hung up")
        filled += got
        body = bytes(buffer[:filled]).find(b"\r\n\r\n")
    if bytes(buffer[:12]) != b"HTTP/1.1 206":
        raise SystemExit(bytes(buffer[:60]))
    file = os.open(output, os.O_WRONLY | os.O_CREAT, 0o644)
    fresh = buffer[body + 4 : filled]
    while True:
        os.pwrite(file, fresh, start)
        start, left = start + len(fresh), left - len(fresh)
        if not left:
            return os.close(file)
        got = connection.recv_into(buffer)
        if not got:
            raise SystemExit("the server hung up")
        fresh = buffer[:got]


def main(port: int, connections: int, authority: str | None = None) -> int:
    """Fetch the parts on standard input, each connection in a process of its own."""
    parts = sys.stdin.read().splitlines()
    tls = ssl.create_default_context(cafile=authority) if authority else None
    for number in range(connections):
        if os.fork() == 0:
            connection, buffer = _reach(port, tls), memoryview(bytearray(_BUFFER))
            for line in parts[number::connections]:
                _fetch(connection, buffer, line)
            os._exit(0)
    return max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(connections))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4]))
