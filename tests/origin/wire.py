"""HTTP/1.1 on the wire, as an origin writes and reads it: requests in, heads and chunks out."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from tests.origin.content import Body
from tests.origin.steps import Fields, Seen

_CHUNK = 64 * 1024
_LONGEST_LINE = 65_536


@dataclass(frozen=True)
class Answer:
    """A head and what follows it: `lead`, the span of the body, `trail`, each framed where it is chunked, and `tail` as it stands."""

    head: bytes
    body: Body
    start: int = 0
    end: int = 0
    stays_open: bool = True
    chunked: bool = False
    tail: bytes = b""
    lead: bytes = b""
    trail: bytes = b""


def read_request(reader: BinaryIO, connection: int, nth: int = 0) -> Seen | None:
    """Read one request head; None at the end of the connection, in the middle of a head too."""
    line = reader.readline(_LONGEST_LINE)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    raw = []
    while (line := reader.readline(_LONGEST_LINE)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        name, _, value = line.decode("latin-1").partition(":")
        raw.append((name.strip(), value.strip()))
    return Seen(method, target, Fields(tuple(raw)), connection, time.monotonic(), tuple(raw), nth)


def client_is_there(sock: socket.socket) -> bool:
    """Whether the client has not closed the connection; who only writes may find that out much later."""
    poll = select.poll()
    # An end or a reset is told whether it is asked for or not; that the client only will send no more, on Linux alone.
    poll.register(sock, getattr(select, "POLLRDHUP", 0))
    return not poll.poll(0)


def connections_to(port: int) -> int:
    """How many connections to a port of this machine their clients hold open; very many where the system does not tell as Linux does."""
    count = 0
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            return sys.maxsize
        for line in table.read_text().splitlines()[1:]:
            _, _, remote, state, _ = line.split(maxsplit=4)
            count += remote.endswith(f":{port:04X}") and state == "01"
    return count


def head_of(status: int, fields: tuple[tuple[str, str | None], ...]) -> bytes:
    """A status line and header fields; a field without a value is left out, and Date is now unless it is among them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unheard Of"
    told = status < 200 or any(name.lower() == "date" for name, _ in fields)
    dated = fields if told else (("Date", formatdate(usegmt=True)), *fields)
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in dated if value is not None), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunks_of(answer: Answer, size: int | None = None) -> Iterator[bytes]:
    """What follows the head in pieces of at most `size` body bytes."""
    for data in _pieces(answer, size or _CHUNK):
        yield b"%x\r\n%s\r\n" % (len(data), data) if answer.chunked else data


def _pieces(answer: Answer, size: int) -> Iterator[bytes]:
    if answer.lead:
        yield answer.lead
    # Not a range(): an endless body is longer than a C integer holds on some systems.
    start = answer.start
    while start < answer.end:
        stop = min(answer.end, start + size)
        yield answer.body.read(start, stop)
        start = stop
    if answer.trail:
        yield answer.trail
