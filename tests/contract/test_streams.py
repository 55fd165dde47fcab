"""HTTP/2's own faults, on the transport by libcurl: an exchange gets its bytes whole or a named failure, whatever its neighbours get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from marscore.ports import Exchange, Request, Transport
from marscore.url import parse_url
from marscore.values import Access, HttpVersion
from tests.contract.test_transport import body_of, turn_for, turn_until
from tests.origin.content import content
from tests.servers import Tls
from tests.servers.streams import Answer, Errors, Plain, Reply, streams

libcurl = pytest.importorskip("marscore.adapters.http.curl_transport", reason="pycurl has no wheel for this system")

MIB = 1024 * 1024
BODY = content(1, 0, 50_000)
HALF = len(BODY) // 2


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = libcurl.CurlTransport(4, http="2")
    yield made
    made.close()


def ask(transport: Transport, url: str, access: Access, fields: tuple[tuple[str, str], ...] = ()) -> Exchange:
    exchange = Exchange(Request(parse_url(url), access, fields))
    transport.start(exchange)
    return exchange


#: What the server does with /odd, and the kind of failure that comes of it; None where it is asked again at once, or has answered.
FAULTS: dict[str, tuple[list[Reply], str | None]] = {
    "refused once": ([Reply(answers=False, reset=Errors.REFUSED_STREAM), Reply(BODY)], None),
    "refused always": ([Reply(answers=False, reset=Errors.REFUSED_STREAM)], "connection"),
    "reset": ([Reply(answers=False, reset=Errors.INTERNAL_ERROR)], "connection"),
    "calmed": ([Reply(answers=False, reset=Errors.ENHANCE_YOUR_CALM)], "rate_limited"),
    "calmed by a goaway": ([Reply(answers=False, goaway=Errors.ENHANCE_YOUR_CALM, unseen=True)], "rate_limited"),
    "gone before it was seen": ([Reply(answers=False, goaway=Errors.NO_ERROR, unseen=True), Reply(BODY)], None),
    "gone after the answer": ([Reply(BODY, goaway=Errors.NO_ERROR)], None),
    "reset in the body": ([Reply(BODY, sent=HALF, reset=Errors.INTERNAL_ERROR)], "truncated"),
    "reset in the body without an error": ([Reply(BODY, sent=HALF, reset=Errors.NO_ERROR)], "truncated"),
    "cancelled at once": ([Reply(BODY, sent=0, reset=Errors.CANCEL)], "truncated"),
    "gone in the body": ([Reply(BODY, sent=HALF, goaway=Errors.INTERNAL_ERROR)], "truncated"),
    "dropped in the body": ([Reply(BODY, sent=HALF, drop=True)], "truncated"),
    "less than its length": ([Reply(BODY, fields=(("content-length", "60000"),))], "truncated"),
    "more than its length": ([Reply(BODY, fields=(("content-length", "40000"),))], "truncated"),
}


def script(replies: list[Reply]) -> Answer:
    left = list(replies)

    def answer(path: str, _nth: int) -> Reply:
        if path != "/odd":
            return Reply(content(int(path[1:]), 0, 20_000))
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("neighbours", [0, 3])
def test_a_fault_of_one_stream_or_of_all_is_named_and_gives_no_wrong_bytes(
    name: str, neighbours: int, transport: Transport, tls: Tls, access: Access
) -> None:
    replies, kind = FAULTS[name]
    with streams(tls, script(replies)) as server:
        others = {ask(transport, server.url(f"/{n}"), access): n for n in range(1, neighbours + 1)}
        odd = ask(transport, server.url("/odd"), access)
        turn_until(transport, lambda: odd.over and all(other.over for other in others))
        assert (odd.failure.kind if odd.failure else None) == kind
        assert BODY.startswith(b"".join(odd.chunks))
        assert kind is not None or b"".join(odd.chunks) == BODY
        for other, seed in others.items():
            whole = content(seed, 0, 20_000)
            assert b"".join(other.chunks) == whole if other.failure is None else whole.startswith(b"".join(other.chunks))
        # Whatever it was, the server can be asked again.
        for seed in range(5, 8):
            assert body_of(transport, ask(transport, server.url(f"/{seed}"), access)) == content(seed, 0, 20_000)


@pytest.mark.parametrize("http", ["auto", "2"])
def test_a_body_of_which_only_a_stream_tells_the_end_is_asked_for_without_streams(http: HttpVersion, tls: Tls, access: Access) -> None:
    """libcurl takes a stream that is reset without an error for one that has ended."""
    transport = libcurl.CurlTransport(4, http=http)
    cut = Reply(BODY, sent=HALF, reset=Errors.NO_ERROR, has_length=False)
    plain = Plain(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BODY)
    try:
        with streams(tls, lambda path, nth: cut, plain=plain) as server:
            for _ in range(3):
                assert body_of(transport, ask(transport, server.url("/a"), access)) == BODY
            plain.cut = HALF
            broken = ask(transport, server.url("/a"), access)
            turn_until(transport, lambda: broken.over)
            assert broken.failure is not None
            assert broken.failure.kind == "truncated"
            # With auto, what one answer has shown holds for the next ones.
            assert len([path for path, _ in server.requests if path == "/a"]) == (1 if http == "auto" else 4)
    finally:
        transport.close()


@pytest.mark.parametrize("name", ["reset", "calmed", "reset in the body", "cancelled at once", "refused once"])
def test_a_stream_that_is_reset_leaves_the_others_on_its_connection_alone(
    name: str, transport: Transport, tls: Tls, access: Access
) -> None:
    replies, _ = FAULTS[name]
    with streams(tls, script(replies)) as server:
        # The connection was used before, so that what fails on it might be asked anew on another.
        assert body_of(transport, ask(transport, server.url("/1"), access)) == content(1, 0, 20_000)
        exchanges = [ask(transport, server.url(path), access) for path in ("/2", "/odd", "/3")]
        turn_until(transport, lambda: all(exchange.over for exchange in exchanges))
        assert [exchange.failure for exchange in (exchanges[0], exchanges[2])] == [None, None]
        assert {number for path, number in server.requests if path != "/odd"} == {0}
        assert len([path for path, _ in server.requests if path == "/odd"]) == len(replies)


def test_more_requests_than_streams_wait_or_take_another_connection(transport: Transport, tls: Tls, access: Access) -> None:
    with streams(tls, script([Reply(BODY)]), most=2) as server:
        exchanges = {ask(transport, server.url(f"/{n}"), access): n for n in range(1, 20)}
        for exchange, seed in exchanges.items():
            assert body_of(transport, exchange) == content(seed, 0, 20_000)
        assert len({number for _, number in server.requests}) <= 4


def test_a_paused_stream_holds_none_of_its_neighbours_up(transport: Transport, tls: Tls, access: Access) -> None:
    large = content(9, 0, 24 * MIB)
    with streams(tls, lambda path, nth: Reply(large) if path == "/large" else Reply(content(nth, 0, 20_000))) as server:
        paused = ask(transport, server.url("/large"), access)
        turn_until(transport, lambda: bool(paused.chunks))
        transport.pause(paused)
        turn_for(transport, 0.5)
        came = sum(map(len, paused.chunks))
        assert came < 16 * MIB
        for _ in range(40):
            nth = len(server.requests)
            assert body_of(transport, ask(transport, server.url("/small"), access)) == content(nth, 0, 20_000)
        assert {number for _, number in server.requests} == {0}
        transport.resume(paused)
        assert body_of(transport, paused) == large


def test_a_cancelled_stream_is_reset_and_its_connection_goes_on(transport: Transport, tls: Tls, access: Access) -> None:
    large = content(9, 0, 24 * MIB)
    with streams(tls, lambda path, nth: Reply(large) if path == "/large" else Reply(BODY)) as server:
        exchanges = [ask(transport, server.url("/large"), access) for _ in range(3)]
        turn_until(transport, lambda: all(exchange.chunks for exchange in exchanges))
        for exchange in exchanges:
            transport.cancel(exchange)
        assert body_of(transport, ask(transport, server.url("/small"), access)) == BODY
        assert {number for _, number in server.requests} == {0}


@pytest.mark.parametrize(("http", "connections"), [("2", {0, 1, 2}), ("auto", None)])
def test_ranges_take_no_stream_of_another(http: HttpVersion, connections: set[int] | None, tls: Tls, access: Access) -> None:
    transport = libcurl.CurlTransport(4, http=http)
    try:
        with streams(tls, lambda path, nth: Reply(BODY)) as server:
            assert body_of(transport, ask(transport, server.url("/a"), access)) == BODY
            ranges = [ask(transport, server.url("/a"), access, (("Range", f"bytes={n}-"),)) for n in range(2)]
            turn_until(transport, lambda: all(exchange.over for exchange in ranges))
            if connections is None:
                # Without streams they would be answered; this server speaks nothing else.
                assert [exchange.failure is not None for exchange in ranges] == [True, True]
            else:
                assert {number for _, number in server.requests} == connections
    finally:
        transport.close()


def test_an_address_that_is_refused_is_refused_on_an_open_connection_too(transport: Transport, tls: Tls, access: Access) -> None:
    moved = Reply(fields=((":status", "302"), ("location", "/there")))
    with streams(tls, lambda path, nth: moved if path == "/moved" else Reply(BODY)) as server:
        assert body_of(transport, ask(transport, server.url("/there"), access)) == BODY
        assert body_of(transport, ask(transport, server.url("/moved"), access)) == BODY
        refused = ask(transport, server.url("/moved"), replace(access, private_addresses="refuse"))
        turn_until(transport, lambda: refused.over)
        assert refused.failure is not None
        assert refused.failure.kind == "redirect"
        assert [path for path, _ in server.requests] == ["/there", "/moved", "/there", "/moved"]
