"""A client that shows every byte: what a test sends is what goes out, what came back is what it gets."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from tests.origin import Origin

LIMIT_S = 30


@dataclass
class Reply:
    """An answer as http.client read it."""

    status: int
    fields: http.client.HTTPMessage
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        return self.fields[name]


def get(origin: Origin, path: str, method: str = "GET", **fields: str) -> Reply:
    """One request on a connection of its own; underscores in field names stand for hyphens."""
    with connected(origin) as connection:
        return ask(connection, path, method, **fields)


@contextlib.contextmanager
def connected(origin: Origin) -> Iterator[http.client.HTTPConnection]:
    """A connection for several requests."""
    with contextlib.closing(http.client.HTTPConnection(origin.host, origin.port, timeout=LIMIT_S)) as connection:
        yield connection


def ask(connection: http.client.HTTPConnection, path: str, method: str = "GET", **fields: str) -> Reply:
    """One request on a connection that is open."""
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    with connection.getresponse() as response:
        return Reply(response.status, response.headers, response.read())


def raw(origin: Origin, path: str, *lines: str) -> bytes:
    """All bytes that come back until the connection ends."""
    with socket.create_connection((origin.host, origin.port), LIMIT_S) as sock:
        sock.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        received = bytearray()
        while data := sock.recv(65_536):
            received += data
        return bytes(received)
