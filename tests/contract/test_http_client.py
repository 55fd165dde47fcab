"""What every transport makes of an answer, cold and on a connection that was used before, over plain TCP and TLS."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

import pytest

from marscore.values import Access, FailureKind
from tests.contract.http_kinds import IDENTITY, Kind
from tests.origin import Body, Good, Origin, Raw, Status, Step, busy

#: A connection that stays open behind a raw answer: a client that waits for its end is found out.
OPEN = 60.0
FILE = Body(10 * 1024)
PACKED = gzip.compress(b"packed", mtime=0)


@dataclass(frozen=True)
class Case:
    """What is answered, and what the caller sees of it; `fields` only where all of them matter."""

    step: Step
    status: int | None = 200
    body: bytes = b""
    kind: FailureKind | None = None
    fields: dict[str, str] | None = None
    asks: tuple[tuple[str, str], ...] = field(default=())


def raw(head: bytes, rest: bytes = b"", hold_s: float = OPEN) -> Raw:
    return Raw(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + rest, hold_s)


def good(body: Body) -> Case:
    fields = {
        "content-type": "application/octet-stream",
        "etag": '"v1"',
        "last-modified": "Mon, 06 Jul 2026 10:00:00 GMT",
        "accept-ranges": "bytes",
        "content-length": str(body.length),
    }
    return Case(Good(body), body=body.read(0, body.length), fields=fields)


def bad(head: bytes, rest: bytes = b"") -> Case:
    return Case(raw(head, rest), None, kind="connection")


ANSWERS: dict[str, Case] = {
    "0 bytes": good(Body(0)),
    "1 byte": good(Body(1)),
    "10 KiB": good(FILE),
    "3 MiB": good(Body(3 * 1024 * 1024)),
    "a part": Case(Good(FILE), 206, FILE.read(100, 5000), asks=(("Range", "bytes=100-4999"),)),
    "a part without end": Case(Good(FILE), 206, FILE.read(100, FILE.length), asks=(("Range", "bytes=100-"),)),
    "304": Case(Good(FILE), 304, asks=(("If-None-Match", '"v1"'),)),
    "304 with a length": Case(raw(b"HTTP/1.1 304 Not Modified\nContent-Length: 5"), 304),
    "204 with a length": Case(raw(b"HTTP/1.1 204 No Content\nContent-Length: 5"), 204),
    "416": Case(Good(FILE), 416, asks=(("Range", "bytes=99999-"),)),
    "404": Case(Status(404), 404, b"no file here\n"),
    "503": Case(busy(503, "7"), 503, b"no file here\n", fields={"content-length": "13", "retry-after": "7"}),
    "odd case and spaces": Case(
        raw(b"HTTP/1.1 200 OK\ncOnTeNt-LENGTH:2\nx-A: \t a  b \t \nX-B:\nx-a:c", b"ok"),
        body=b"ok",
        fields={"content-length": "2", "x-a": "a  b, c", "x-b": ""},
    ),
    "a colon in a value": Case(raw(b"HTTP/1.1 200 OK\nContent-Length: 0\nX: a:b: c"), fields={"content-length": "0", "x": "a:b: c"}),
    "bytes beyond ASCII": Case(
        raw(b"HTTP/1.1 200 OK\nContent-Length: 0\nX: \xe9\x85\xff"), fields={"content-length": "0", "x": "\xe9\x85\xff"}
    ),
    "a folded field": Case(
        raw(b"HTTP/1.1 200 OK\nX: a\n \t b\nContent-Length: 2", b"ok"), body=b"ok", fields={"content-length": "2", "x": "a b"}
    ),
    "a space before the colon": Case(
        raw(b"HTTP/1.1 200 OK\nX : a\nContent-Length: 2", b"ok"), body=b"ok", fields={"content-length": "2", "x": "a"}
    ),
    "a bare CR in a value": Case(
        raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: a\rContent-Length: 1", b"ok"),
        body=b"ok",
        fields={"content-length": "2", "x": "a Content-Length: 1"},
    ),
    "a NUL in a value": Case(raw(b"HTTP/1.1 200 OK\nContent-Length: 0\nX: a\0b"), fields={"content-length": "0", "x": "a b"}),
    "an escape in a value": Case(raw(b"HTTP/1.1 200 OK\nContent-Length: 0\nX: \x1b[2J"), fields={"content-length": "0", "x": "\x1b[2J"}),
    "no reason": Case(raw(b"HTTP/1.1 200\nContent-Length: 2", b"ok"), body=b"ok"),
    "a reason beyond ASCII": Case(raw(b"HTTP/1.1 200 \xc3\xa9\nContent-Length: 2", b"ok"), body=b"ok"),
    "an unheard-of status": Case(raw(b"HTTP/1.1 599 Why\nContent-Length: 2", b"ok"), 599, b"ok"),
    "chunked": Case(Good(FILE, length="chunked"), body=FILE.read(0, FILE.length)),
    "until the end": Case(Good(FILE, length="none"), body=FILE.read(0, FILE.length)),
    "HTTP/1.0": Case(Raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), body=b"ok"),
    "gzip, unasked": Case(
        raw(b"HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: %d" % len(PACKED), PACKED),
        body=PACKED,
        fields={"content-encoding": "gzip", "content-length": str(len(PACKED))},
    ),
    "the same length twice": Case(
        raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2", b"ok"), body=b"ok", fields={"content-length": "2"}
    ),
    "two lengths": bad(b"HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3", b"ok!"),
    "two lengths in one field": bad(b"HTTP/1.1 200 OK\nContent-Length: 2, 3", b"ok!"),
    "a length with a sign": bad(b"HTTP/1.1 200 OK\nContent-Length: +2", b"ok"),
    "a negative length": bad(b"HTTP/1.1 200 OK\nContent-Length: -2", b"ok"),
    "a length with an underscore": bad(b"HTTP/1.1 200 OK\nContent-Length: 0_2", b"ok"),
    "a length in words": bad(b"HTTP/1.1 200 OK\nContent-Length: two", b"ok"),
    "a length and chunks": Case(
        raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked", b"3\r\nyes\r\n0\r\n\r\n"),
        body=b"yes",
        fields={"transfer-encoding": "chunked"},
    ),
    "a transfer coding that was not asked for": bad(b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked", b"3\r\nyes\r\n0\r\n\r\n"),
    "chunked twice": bad(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", b"3\r\nyes\r\n0\r\n\r\n"),
    "a chunk of negative size": Case(raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"-3\r\nyes\r\n0\r\n\r\n"), kind="truncated"),
    "a chunk size with 0x": Case(raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"0x3\r\nyes\r\n0\r\n\r\n"), kind="truncated"),
    "100 first": Case(Good(FILE, informational=(100,)), body=FILE.read(0, FILE.length)),
    "103 first": Case(Good(FILE, informational=(103,)), body=FILE.read(0, FILE.length)),
    "100, 102 and 103 first": Case(Good(FILE, informational=(100, 102, 103, 103)), body=FILE.read(0, FILE.length)),
    "103 with fields first": Case(
        raw(b"HTTP/1.1 103 Early Hints\nContent-Length: 9\nLink: <a>\n\nHTTP/1.1 200 OK\nContent-Length: 2", b"ok"),
        body=b"ok",
        fields={"content-length": "2"},
    ),
    "interim answers without end": Case(Raw(b"HTTP/1.1 100 Continue\r\n\r\n", repeat=10**6), None, kind="connection"),
    "another protocol": bad(b"HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: h2c", b"\0\0\0"),
    "a dripped head": Case(Good(FILE, head_every_s=0.0001), body=FILE.read(0, FILE.length)),
    "a dripped body": Case(Good(Body(50), drip=(1, 0.0001)), body=FILE.read(0, 50)),
    "a large head": Case(raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: " + b"x" * 40_000, b"ok"), body=b"ok"),
    "a head over 64 KiB": Case(
        raw(b"HTTP/1.1 200 OK\nX: " + b"x" * 40_000 + b"\nY: " + b"y" * 40_000 + b"\nContent-Length: 2", b"ok"), body=b"ok"
    ),
    "a line over 64 KiB": Case(raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: " + b"x" * 70_000, b"ok"), body=b"ok"),
    "a head over 256 KiB": bad(b"HTTP/1.1 200 OK\nContent-Length: 2" + (b"\nX: " + b"x" * 70_000) * 4, b"ok"),
    "a line over 256 KiB": bad(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: " + b"x" * 270_000, b"ok"),
    "1,000 fields": Case(raw(b"HTTP/1.1 200 OK" + b"\nX: y" * 999 + b"\nContent-Length: 2", b"ok"), body=b"ok"),
    "1,001 fields": bad(b"HTTP/1.1 200 OK" + b"\nX: y" * 1000 + b"\nContent-Length: 2", b"ok"),
    "a head without end": Case(Raw(b"HTTP/1.1 200 OK\r\n" + b"X-More: more\r\n" * 500, repeat=10**6), None, kind="connection"),
    "bare LF": Case(Raw(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nok", OPEN), body=b"ok", fields={"content-length": "2", "x": "y"}),
    "bare LF and more line ends in the body": Case(Raw(b"HTTP/1.1 200 OK\nContent-Length: 6\n\nok\r\n\r\n", OPEN), body=b"ok\r\n\r\n"),
    "mixed line ends": Case(Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok", OPEN), body=b"ok"),
    "another greeting": Case(Raw(b"SSH-2.0-OpenSSH_9.6\r\n", OPEN), None, kind="connection"),
    "bytes without a line": Case(Raw(b"\x15\x03\x01\x00\x02\x02\x16", OPEN), None, kind="connection"),
    "HTTP/2": Case(Raw(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", OPEN), None, kind="connection"),
    "a body without a head": Case(Raw(b"<html>no head</html>"), None, kind="connection"),
    "a version of the future": bad(b"HTTP/2.0 200 OK\nContent-Length: 2", b"ok"),
    "a status of two digits": bad(b"HTTP/1.1 20 OK\nContent-Length: 2", b"ok"),
    "a status in words": bad(b"HTTP/1.1 OK OK\nContent-Length: 2", b"ok"),
    "a line that is no field": bad(b"HTTP/1.1 200 OK\nno field\nContent-Length: 2", b"ok"),
    "a field without a name": bad(b"HTTP/1.1 200 OK\n: x\nContent-Length: 2", b"ok"),
    "a fold before the first field": bad(b"HTTP/1.1 200 OK\n X: y\nContent-Length: 2", b"ok"),
    "an empty line first": Case(Raw(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", OPEN), None, kind="connection"),
}


#: What libcurl refuses where the others put a space: each of both is right (RFC 9110 section 5.5).
OTHERWISE: dict[str, Case] = {
    "a bare CR in a value": bad(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: a\rContent-Length: 1", b"ok"),
    "a NUL in a value": bad(b"HTTP/1.1 200 OK\nContent-Length: 0\nX: a\0b"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_alike_by_every_client(name: str, kind: Kind, place: Origin, access: Access) -> None:
    case = (OTHERWISE.get(name) if kind.libcurl else None) or ANSWERS[name]
    place.script("/file", [case.step])
    outcome = kind.ask(place, fields=(*IDENTITY, *case.asks), access=access)
    assert (outcome.status, outcome.kind) == (case.status, case.kind)
    assert outcome.body == case.body
    assert case.fields in (None, outcome.fields)


def test_transfer_coding_identity_is_none(kind: Kind, origin: Origin, access: Access) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nTransfer-Encoding: identity\r\n\r\n"
    # libcurl itself reads such a body to the end of its connection.
    origin.script("/file", [Raw(head % 2 + b"ok", hold_s=60)])
    outcome = kind.ask(origin, access=access)
    assert (outcome.status, outcome.body, outcome.kind) == (200, b"ok", None)
    assert "transfer-encoding" not in outcome.fields


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n", b""),
        (b"Content-Length: 2\r\nTransfer-Encoding: Identity\r\n\r\nok and more", b"ok"),
        (b"Content-Length: 3\r\nTransfer-Encoding: identity\r\n\r\nok", None),
        (b"Transfer-Encoding: identity\r\n\r\nok", b"ok"),
    ],
)
def test_with_transfer_coding_identity_the_length_is_what_counts(
    data: bytes, expected: bytes | None, kind: Kind, origin: Origin, access: Access
) -> None:
    origin.script("/file", [Raw(b"HTTP/1.1 200 OK\r\n" + data)])
    outcome = kind.ask(origin, access=access)
    assert outcome.kind == (None if expected is not None else "truncated")
    assert expected in (None, outcome.body)
