"""`Good` is a server by the book: what RFC 9110 says of ranges and conditions, and of connections."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.origin import Body, Good, Origin, Status, content, sha256_of
from tests.unit.origin.wire_client import ask, connected, get

BODY = Body(1000)


@pytest.fixture(autouse=True)
def served(origin: Origin) -> None:
    origin.serve("/a", BODY)


def test_a_file_with_all_its_fields(origin: Origin) -> None:
    reply = get(origin, "/a")
    assert (reply.status, reply.body) == (200, content(1, 0, 1000))
    assert (reply["Content-Length"], reply["Accept-Ranges"], reply["ETag"]) == ("1000", "bytes", '"v1"')


def test_head_has_the_fields_and_no_body(origin: Origin) -> None:
    with connected(origin) as connection:
        assert ask(connection, "/a", "HEAD")["Content-Length"] == "1000"
        assert ask(connection, "/a").body == content(1, 0, 1000)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("0-0", 0, 1), ("10-19", 10, 20), ("990-", 990, 1000), ("990-5000", 990, 1000), ("-5", 995, 1000), ("-5000", 0, 1000)],
)
def test_a_range(origin: Origin, asked: str, start: int, end: int) -> None:
    reply = get(origin, "/a", Range=f"bytes={asked}")
    assert (reply.status, reply["Content-Range"]) == (206, f"bytes {start}-{end - 1}/1000")
    assert reply.body == content(1, start, end)


@pytest.mark.parametrize("asked", ["1000-", "5000-6000", "-0"])
def test_a_range_beyond_the_end(origin: Origin, asked: str) -> None:
    reply = get(origin, "/a", Range=f"bytes={asked}")
    assert (reply.status, reply["Content-Range"], reply.body) == (416, "bytes */1000", b"")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=5-2", "bytes=a-b", "lines=1-2"])
def test_a_range_that_makes_no_sense_is_ignored(origin: Origin, asked: str) -> None:
    assert get(origin, "/a", Range=asked).status == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"v1"', 206), ('"v2"', 200), ('W/"v1"', 200), ("Mon, 06 Jul 2026 10:00:00 GMT", 206), ("Mon, 06 Jul 2026 10:00:01 GMT", 200)],
)
def test_if_range(origin: Origin, condition: str, status: int) -> None:
    assert get(origin, "/a", Range="bytes=1-2", If_Range=condition).status == status


def test_a_weak_etag_never_holds_in_if_range(origin: Origin) -> None:
    origin.serve("/weak", Body(10, etag='W/"v1"'))
    assert get(origin, "/weak", Range="bytes=1-2", If_Range='W/"v1"').status == 200


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("If_None_Match", '"v1"', 304),
        ("If_None_Match", '"x", W/"v1"', 304),
        ("If_None_Match", "*", 304),
        ("If_None_Match", '"x"', 200),
        ("If_Modified_Since", "Mon, 06 Jul 2026 10:00:00 GMT", 304),
        ("If_Modified_Since", "Tue, 07 Jul 2026 10:00:00 GMT", 304),
        ("If_Modified_Since", "Sun, 05 Jul 2026 10:00:00 GMT", 200),
        ("If_Modified_Since", "one of these days", 200),
    ],
)
def test_conditions(origin: Origin, field: str, value: str, status: int) -> None:
    reply = get(origin, "/a", **{field: value})
    assert (reply.status, reply.body) == (status, b"" if status == 304 else content(1, 0, 1000))


def test_what_was_asked_is_recorded(origin: Origin) -> None:
    with connected(origin) as connection:
        ask(connection, "/a?x=1", X_Twice="1")
        ask(connection, "/a")
    get(origin, "/other")
    first, second = origin.requests_for("/a")
    assert (first.target, first.fields["x-twice"], first.fields["X-Twice"]) == ("/a?x=1", "1", "1")
    assert ("X-Twice", "1") in first.raw
    assert (first.connection, first.nth, second.connection, second.nth) == (0, 0, 0, 1)
    assert (origin.connections_accepted, len(origin.requests)) == (2, 3)


def test_open_connections_are_counted(origin: Origin) -> None:
    origin.watch_connections()
    with connected(origin) as one, connected(origin) as two:
        ask(one, "/a")
        ask(two, "/a")
        assert origin.open_connections == origin.peak_connections == 2


def test_a_connection_that_its_client_closed_is_not_counted_though_it_is_still_served(origin: Origin) -> None:
    go_on = threading.Event()
    origin.watch_connections()
    origin.handle("/slow", lambda seen: Good(Body(10)) if go_on.wait(60) else Status(504))
    for number in range(3):
        with socket.create_connection((origin.host, origin.port)) as sock:
            sock.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
            assert origin.wait_for_requests(number + 1)
    assert (origin.open_connections, origin.peak_connections) == (3, 1)
    go_on.set()


def test_content_is_the_same_however_it_is_cut() -> None:
    whole = content(7, 0, 3_000_000)
    assert b"".join(content(7, at, min(at + 70_001, 3_000_000)) for at in range(0, 3_000_000, 70_001)) == whole
    assert len(whole) == 3_000_000
    assert sha256_of(7, 3_000_000) == Body(text=whole).sha256


def test_content_differs_between_places_and_seeds() -> None:
    pieces = {content(seed, at, at + 16) for seed in (1, 2) for at in range(0, 40_000_000, 65_536)}
    assert len(pieces) == 2 * len(range(0, 40_000_000, 65_536))
