"""Each fault is really on the wire."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.origin import Body, Good, HangUp, Origin, Raw, Status, Step, busy, content, redirect
from tests.origin.faults import endless_body, endless_head, error_page, gzipped, header_flood, terminal_escapes
from tests.unit.origin.wire_client import LIMIT_S, ask, connected, get, raw

BODY = Body(200_000)
WHOLE = BODY.read(0, BODY.length)


def answer(origin: Origin, *steps: Step) -> bytes:
    """What comes after the head, as raw bytes, when the connection ends of itself."""
    origin.serve("/a", BODY, steps)
    return raw(origin, "/a").partition(b"\r\n\r\n")[2]


def test_a_script_goes_step_by_step_and_the_last_repeats(origin: Origin) -> None:
    origin.serve("/a", BODY)
    origin.script("/a", [Status(503, retry_after="1"), Status(404), Good()])
    assert [get(origin, "/a").status for _ in range(4)] == [503, 404, 200, 200]


@pytest.mark.parametrize("value", ["1", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_retry_after_as_it_stands(origin: Origin, value: str) -> None:
    origin.script("/a", [busy(429, value)])
    assert (get(origin, "/a").status, get(origin, "/a")["Retry-After"]) == (429, value)


def test_cut_by_fin(origin: Origin) -> None:
    assert answer(origin, Good(cut_after=100_001)) == WHOLE[:100_001]


def test_cut_by_reset(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(cut_after=10, reset=True)])
    with pytest.raises(ConnectionResetError):
        raw(origin, "/a")


@pytest.mark.parametrize(("step", "error"), [(HangUp(reset=True), ConnectionResetError), (HangUp(), http.client.RemoteDisconnected)])
def test_hanging_up(origin: Origin, step: Step, error: type[OSError]) -> None:
    origin.script("/a", [step])
    with pytest.raises(error):
        get(origin, "/a")


@pytest.mark.parametrize(
    ("step", "at_least"),
    [
        (Good(stall_after=100_000, stall_s=0.3), 0.3),
        (Good(delay_s=0.2), 0.2),
        (Good(drip=(50_000, 0.05)), 0.15),
        (Good(rate=1_000_000), 0.15),
        (Good(head_every_s=0.001), 0.1),
    ],
)
def test_slow_answers_are_slow_and_whole(origin: Origin, step: Good, at_least: float) -> None:
    origin.serve("/a", BODY, [step])
    began = time.monotonic()
    assert get(origin, "/a").body == WHOLE
    assert at_least <= time.monotonic() - began < at_least + LIMIT_S


def test_a_stall_comes_at_its_place_and_once(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(stall_after=100_001, stall_s=60)])
    with socket.create_connection((origin.host, origin.port), LIMIT_S) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        received = b""
        while len(received.partition(b"\r\n\r\n")[2]) < 100_001:
            received += sock.recv(65_536)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
    assert received.partition(b"\r\n\r\n")[2] == WHOLE[:100_001]


def test_a_stall_ends_when_it_is_told_to(origin: Origin) -> None:
    go_on = threading.Event()
    origin.serve("/a", BODY, [Good(stall_after=0, stall_s=60, until=go_on)])
    threading.Timer(0.1, go_on.set).start()
    began = time.monotonic()
    assert get(origin, "/a").body == WHOLE
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("step", [Good(stall_after=10, stall_s=60), Good(delay_s=60)], ids=["in the body", "before the head"])
def test_a_client_that_leaves_in_a_stall_is_noticed(origin: Origin, step: Good) -> None:
    origin.serve("/a", BODY, [step])
    with socket.create_connection((origin.host, origin.port), LIMIT_S) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        assert origin.wait_for_requests(1)
    began = time.monotonic()
    while origin.open_connections:
        assert time.monotonic() - began < LIMIT_S
        time.sleep(0.01)


def test_the_end_of_the_connection_ends_the_body(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(length="none")])
    reply = get(origin, "/a")
    assert (reply["Content-Length"], reply.body) == (None, WHOLE)


def test_chunked(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(length="chunked")])
    with connected(origin) as connection:
        reply = ask(connection, "/a")
        assert (reply["Transfer-Encoding"], reply.body) == ("chunked", WHOLE)
        assert ask(connection, "/a").body == WHOLE


@pytest.mark.parametrize("length", ["chunked_cut", "chunked_broken"])
def test_chunked_without_its_end(origin: Origin, length: str) -> None:
    origin.serve("/a", BODY, [Good(length=length)])  # type: ignore[arg-type]  # one of its literals
    with pytest.raises(http.client.IncompleteRead):
        get(origin, "/a")


def test_chunked_with_more_after_its_end(origin: Origin) -> None:
    assert answer(origin, Good(length="chunked_garbage")).endswith(b"\r\n0\r\n\r\nthis is not HTTP\r\n")


@pytest.mark.parametrize(("length", "said"), [("small", "199999"), ("large", "200001")])
def test_a_false_content_length(origin: Origin, length: str, said: str) -> None:
    assert answer(origin, Good(length=length)) == WHOLE  # type: ignore[arg-type]  # one of its literals
    assert f"Content-Length: {said}\r\n".encode() in raw(origin, "/a")


@pytest.mark.parametrize(
    ("ranges", "status", "said"),
    [
        ("ignore", 200, None),
        ("shift", 206, "bytes 0-9/200000"),
        ("total", 206, "bytes 10-19/200001"),
        ("unsaid", 206, None),
        ("multipart", 206, None),
        ("gzip", 206, "bytes 10-19/200000"),
        ("refuse", 416, "bytes */200000"),
    ],
)
def test_bent_ranges(origin: Origin, ranges: str, status: int, said: str | None) -> None:
    origin.serve("/a", BODY, [Good(ranges=ranges)])  # type: ignore[arg-type]  # one of its literals
    reply = get(origin, "/a", Range="bytes=10-19")
    assert (reply.status, reply["Content-Range"]) == (status, said)
    assert reply["Content-Encoding"] == ("gzip" if ranges == "gzip" else None)


def test_multipart_is_framed_as_multipart(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(ranges="multipart")])
    reply = get(origin, "/a", Range="bytes=10-19")
    assert (reply["Content-Type"] or "").startswith("multipart/byteranges; boundary=")
    assert b"Content-Range: bytes 10-19/200000\r\n\r\n" + WHOLE[10:20] + b"\r\n--" in reply.body


@pytest.mark.parametrize(("if_range", "condition", "status"), [("ignore", '"other"', 206), ("reject", '"v1"', 200)])
def test_if_range_bent(origin: Origin, if_range: str, condition: str, status: int) -> None:
    origin.serve("/a", BODY, [Good(if_range=if_range)])  # type: ignore[arg-type]  # one of its literals
    assert get(origin, "/a", Range="bytes=1-2", If_Range=condition).status == status


def test_gzip_although_nobody_asked(origin: Origin) -> None:
    origin.serve("/a", BODY, [gzipped(BODY)])
    reply = get(origin, "/a", Accept_Encoding="identity", Range="bytes=1-2")
    assert (reply.status, reply["Content-Encoding"], gzip.decompress(reply.body)) == (200, "gzip", WHOLE)


def test_validators_can_be_left_away(origin: Origin) -> None:
    origin.serve("/none", Body(10, etag=None, last_modified=None, accept_ranges=None))
    reply = get(origin, "/none", Range="bytes=0-0")
    assert (reply.status, reply["ETag"], reply["Last-Modified"], reply["Accept-Ranges"]) == (206, None, None, None)


def test_fields_replace_remove_and_repeat(origin: Origin) -> None:
    fields = (("etag", '"mine"'), ("Last-Modified", None), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    origin.serve("/a", BODY, [Good(fields=fields)])
    reply = get(origin, "/a")
    assert (reply.fields.get_all("ETag"), reply["Last-Modified"]) == (['"mine"'], None)
    assert reply.fields.get_all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(origin: Origin, status: int) -> None:
    origin.script("/a", [redirect("file:///etc/hostname", status)])
    assert (get(origin, "/a").status, get(origin, "/a")["Location"]) == (status, "file:///etc/hostname")


def test_interim_answers_come_first(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(informational=(100, 103), close="announced")])
    heads = raw(origin, "/a").split(b"\r\n\r\n", 3)[:3]
    assert [head.split(b" ", 2)[1] for head in heads] == [b"100", b"103", b"200"]


def test_an_unannounced_close_after_each_answer(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(close="silent")])
    received = raw(origin, "/a")
    assert received.endswith(WHOLE)
    assert b"Connection:" not in received


def test_a_page_in_place_of_the_file(origin: Origin) -> None:
    origin.serve("/a", BODY, [error_page()])
    reply = get(origin, "/a")
    assert (reply.status, reply["Content-Type"]) == (200, "text/html")


def test_a_flood_of_fields(origin: Origin) -> None:
    origin.serve("/a", BODY, [replace(header_flood(10_000), close="silent")])
    assert raw(origin, "/a").count(b"\r\nX-Flood-") == 10_000


def test_terminal_escapes(origin: Origin) -> None:
    origin.serve("/a", BODY, [terminal_escapes()])
    assert "\x1b[2J" in (get(origin, "/a")["X-Note"] or "")


@pytest.mark.parametrize("make", [endless_head, endless_body])
def test_what_never_ends(origin: Origin, make: Callable[[], Step]) -> None:
    origin.script("/a", [make()])
    with socket.create_connection((origin.host, origin.port), LIMIT_S) as sock:
        sock.sendall(b"GET /a HTTP/1.1\r\n\r\n")
        received = 0
        while received < 3_000_000:
            received += len(sock.recv(65_536))


def test_raw_bytes_and_nothing_else(origin: Origin) -> None:
    origin.script("/a", [Raw(b"220 ftp ready\r\n")])
    assert raw(origin, "/a") == b"220 ftp ready\r\n"


def test_content_may_change_within_a_script(origin: Origin) -> None:
    origin.serve("/a", BODY, [Good(), Good(body=Body(10, seed=2, etag='"v2"'))])
    assert [get(origin, "/a").body for _ in range(2)] == [WHOLE, content(2, 0, 10)]
