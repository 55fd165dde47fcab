"""What only a transport has: many exchanges in one thread, held back, cancelled, woken and dropped; every kind of transport alike."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import pytest

from marscore.ports import Exchange, Request, Transport
from marscore.url import parse_url
from marscore.values import Access, Proxies, Timeouts
from tests.contract.http_kinds import IDENTITY, PATIENCE, TRANSPORTS
from tests.origin import Body, Good, Origin, Raw, Status, redirect
from tests.origin.content import content
from tests.origin.faults import redirect_chain
from tests.servers import Tls

MIB = 1024 * 1024
FILE = Body(100_000)
CONNECTIONS = 8


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made = TRANSPORTS[request.param](CONNECTIONS)
    yield made
    made.close()


def ask(transport: Transport, url: str, access: Access, fresh: bool = False) -> Exchange:
    exchange = Exchange(Request(parse_url(url), access, IDENTITY), fresh)
    transport.start(exchange)
    return exchange


def turn_until(transport: Transport, holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        transport.turn(time.monotonic() + 0.05)


def turn_for(transport: Transport, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        transport.turn(deadline)


def body_of(transport: Transport, exchange: Exchange) -> bytes:
    """The whole body; the exchange has to end well."""
    turn_until(transport, lambda: exchange.over)
    assert exchange.failure is None
    return b"".join(exchange.chunks)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Many at once


def test_each_exchange_gets_its_own_bytes(transport: Transport, place: Origin, access: Access) -> None:
    bodies = {place.serve(f"/{n}", body): body for n in range(32) for body in [Body(1000 + 40_000 * (n % 7), seed=n)]}
    exchanges = {ask(transport, url, access): body for url, body in bodies.items()}
    for exchange, body in exchanges.items():
        assert body_of(transport, exchange) == body.read(0, body.length)
        assert exchange.answer is not None
        assert exchange.answer.url == exchange.request.url
    assert len(place.requests) == len(bodies)
    assert place.connections_accepted <= CONNECTIONS


def test_a_turn_tells_of_every_exchange_of_which_there_is_something_new(transport: Transport, origin: Origin) -> None:
    exchanges = [ask(transport, origin.serve(f"/{n}", FILE), Access(timeouts=PATIENCE)) for n in range(5)]
    seen: dict[Exchange, int] = dict.fromkeys(exchanges, 0)
    ends: list[Exchange] = []

    def turn() -> bool:
        for exchange in transport.turn(time.monotonic() + 1):
            # The head comes before any byte.
            assert exchange.answer is not None
            seen[exchange] += sum(map(len, exchange.chunks))
            exchange.chunks.clear()
            ends.extend([exchange] * exchange.over)
        assert not any(exchange.chunks for exchange in exchanges)
        return len(ends) == 5

    deadline = time.monotonic() + 60
    while not turn():
        assert time.monotonic() < deadline
    assert sorted(map(id, ends)) == sorted(map(id, exchanges))
    assert set(seen.values()) == {FILE.length}


def test_what_fails_at_once_is_told_in_a_turn_and_not_before(transport: Transport, origin: Origin) -> None:
    exchange = ask(transport, origin.url("/file"), Access(timeouts=PATIENCE, proxies=Proxies("nonsense:", "nonsense:")))
    told: list[Exchange] = []
    began = time.monotonic()
    while not told:
        told = transport.turn(began + 30)
    assert told == [exchange]
    assert exchange.over
    assert exchange.failure is not None
    assert exchange.failure.kind == "proxy"
    assert time.monotonic() - began < 20


def test_twenty_redirects_are_followed_and_no_more(transport: Transport, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    first = redirect_chain(place.handle, "/hop", 20, "/file")
    exchange = ask(transport, first, access)
    assert body_of(transport, exchange) == FILE.read(0, FILE.length)
    assert exchange.answer is not None
    assert len(exchange.answer.hops) == 20
    more = redirect_chain(place.handle, "/more", 21, "/file")
    one_more = ask(transport, more, access)
    turn_until(transport, lambda: one_more.over)
    assert one_more.failure is not None
    assert one_more.failure.kind == "redirect"


def test_redirects_leave_their_connection_to_the_next_hop(transport: Transport, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    first = redirect_chain(place.handle, "/hop", 5, "/file")
    assert body_of(transport, ask(transport, first, access)) == FILE.read(0, FILE.length)
    assert place.connections_accepted == 1


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9\r\n\r\nstill", b"Transfer-Encoding: chunked\r\n\r\n9\r\nstill"], ids=["length", "chunks"]
)
def test_the_rest_of_a_redirect_that_does_not_come_is_not_waited_for(
    body: bytes, transport: Transport, patient_place: Origin, access: Access
) -> None:
    patient_place.serve("/file", FILE)
    patient_place.script("/odd", [Raw(b"HTTP/1.1 302 Found\r\nLocation: /file\r\n" + body, 120)])
    began = time.monotonic()
    exchange = ask(transport, patient_place.url("/odd"), replace(access, timeouts=Timeouts(connect=90, read=90)))
    assert body_of(transport, exchange) == FILE.read(0, FILE.length)
    assert time.monotonic() - began < 60


def test_a_cookie_goes_along_on_its_chain_of_redirects_and_no_other(transport: Transport, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    place.handle("/enter", lambda seen: Status(302, (("Location", "/file"), ("Set-Cookie", "session=s3cret; Path=/"))))
    for path in ("/enter", "/file", "/enter"):
        assert body_of(transport, ask(transport, place.url(path), access)) == FILE.read(0, FILE.length)
    assert [seen.fields.get("cookie") for seen in place.requests] == [None, "session=s3cret", None, None, "session=s3cret"]


def test_cookies_are_of_a_chain_wherever_its_hops_lead(transport: Transport, origin: Origin, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    place.handle("/enter", lambda seen: Status(302, (("Location", "/file"), ("Set-Cookie", "session=of-place; Path=/"))))
    origin.handle("/there", lambda seen: redirect(place.url("/file")))
    origin.handle("/enter", lambda seen: Status(302, (("Location", place.url("/file")), ("Set-Cookie", "session=of-origin; Path=/"))))
    for url in (place.url("/enter"), origin.url("/there"), origin.url("/enter"), origin.url("/there")):
        assert body_of(transport, ask(transport, url, access)) == FILE.read(0, FILE.length)
    # Both are on one host, and a port is nothing to a cookie (RFC 6265 section 8.5).
    cookies = [seen.fields.get("cookie") for seen in place.requests_for("/file")]
    assert cookies == ["session=of-place", None, "session=of-origin", None]


def test_fresh_asks_over_a_connection_that_carried_nothing_before(transport: Transport, place: Origin, access: Access) -> None:
    url = place.serve("/file", FILE)
    for fresh in (False, True, True, False):
        assert body_of(transport, ask(transport, url, access, fresh)) == FILE.read(0, FILE.length)
    assert [seen.nth for seen in place.requests][:3] == [0, 0, 0]
    assert place.requests[3].nth > 0
    assert len({seen.connection for seen in place.requests[:3]}) == 3


# Holding back


class Flood:
    """A server that answers with 50 MiB as fast as they are taken, and counts what it could send."""

    size = 50 * MIB

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.sent = 0
        self._taken: socket.socket | None = None
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listening.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            taken, _ = self._listening.accept()
            with self._tls.wrap_socket(taken, server_side=True) if self._tls else taken as connection:
                self._taken = connection
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size)
                while self.sent < self.size:
                    piece = content(1, self.sent, min(self.size, self.sent + 65_536))
                    connection.sendall(piece)
                    self.sent += len(piece)

    def close(self) -> None:
        for sock in (self._listening, self._taken):
            with contextlib.suppress(OSError):
                if sock is not None:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture(params=["plain", "tls"])
def flood(request: pytest.FixtureRequest, tls: Tls) -> Iterator[Flood]:
    running = Flood(tls.server_context() if request.param == "tls" else None)
    yield running
    running.close()


def test_a_paused_exchange_holds_its_sender_back_until_it_is_resumed(transport: Transport, flood: Flood, access: Access) -> None:
    exchange = ask(transport, flood.url, replace(access, timeouts=PATIENCE))
    turn_until(transport, lambda: bool(exchange.chunks))
    before = sum(map(len, exchange.chunks))
    transport.pause(exchange)
    turn_for(transport, 0.6)
    # What the system holds for both sides, and what had come before.
    sent, came = flood.sent, sum(map(len, exchange.chunks))
    assert sent < flood.size - 10 * MIB
    assert came <= before + MIB
    turn_for(transport, 0.3)
    assert (flood.sent, sum(map(len, exchange.chunks))) == (sent, came)
    transport.resume(exchange)
    assert body_of(transport, exchange) == content(1, 0, flood.size)


def test_pausing_one_exchange_lets_others_go_on(transport: Transport, flood: Flood, place: Origin, access: Access) -> None:
    paused = ask(transport, flood.url, access)
    turn_until(transport, lambda: bool(paused.chunks))
    transport.pause(paused)
    for number in range(20):
        assert body_of(transport, ask(transport, place.serve(f"/{number}", FILE), access)) == FILE.read(0, FILE.length)
    transport.cancel(paused)


def test_one_that_is_paused_before_its_head_gets_it_and_ends_after_it_is_resumed(
    transport: Transport, place: Origin, access: Access
) -> None:
    large = Body(3 * MIB)
    exchange = ask(transport, place.serve("/file", large), access)
    transport.pause(exchange)
    turn_for(transport, 0.3)
    assert not exchange.over
    transport.resume(exchange)
    assert body_of(transport, exchange) == large.read(0, large.length)


def test_a_pause_outlasts_redirects(transport: Transport, flood: Flood, origin: Origin, access: Access) -> None:
    origin.handle("/file", lambda seen: redirect(flood.url))
    exchange = ask(transport, origin.url("/file"), access)
    transport.pause(exchange)
    turn_for(transport, 0.5)
    assert flood.sent < flood.size - 10 * MIB
    assert sum(map(len, exchange.chunks)) < 16 * MIB
    transport.resume(exchange)
    assert body_of(transport, exchange) == content(1, 0, flood.size)


def test_pause_and_resume_many_times_lose_nothing(transport: Transport, place: Origin, access: Access) -> None:
    large = Body(8 * MIB)
    exchange = ask(transport, place.serve("/file", large), access)
    while not exchange.over:
        transport.pause(exchange)
        transport.pause(exchange)
        transport.turn(time.monotonic() + 0.002)
        transport.resume(exchange)
        transport.resume(exchange)
        transport.turn(time.monotonic() + 0.01)
    assert body_of(transport, exchange) == large.read(0, large.length)
    # Of one that is over, there is nothing to hold back.
    transport.pause(exchange)
    transport.resume(exchange)
    transport.cancel(exchange)


def test_the_time_that_an_exchange_is_paused_is_no_silence(transport: Transport, patient_place: Origin, access: Access) -> None:
    large = Body(20 * MIB)
    exchange = ask(transport, patient_place.serve("/file", large), replace(access, timeouts=replace(PATIENCE, read=1)))
    turn_until(transport, lambda: bool(exchange.chunks))
    transport.pause(exchange)
    turn_for(transport, 1.5)
    assert not exchange.over
    transport.resume(exchange)
    assert body_of(transport, exchange) == large.read(0, large.length)


# Cancelling


@pytest.mark.parametrize(
    "step", [Good(FILE, delay_s=60), Good(FILE, stall_after=50_000, stall_s=60), Good(Body(50 * MIB))], ids=["head", "body", "large"]
)
def test_cancelling_one_leaves_the_others_alone_and_lets_its_connection_go(
    step: Good, transport: Transport, place: Origin, access: Access
) -> None:
    place.script("/odd", [step])
    large = Body(5 * MIB)
    others = [ask(transport, place.serve(f"/{number}", large), access) for number in range(3)]
    odd = [ask(transport, place.url("/odd"), access) for _ in range(5)]
    turn_until(transport, lambda: len(place.requests_for("/odd")) == 5 and all(one.answer or step.delay_s for one in odd))
    for exchange in odd:
        transport.cancel(exchange)
    before = [(exchange.answer, len(exchange.chunks), exchange.over, exchange.failure) for exchange in odd]
    for exchange in others:
        assert body_of(transport, exchange) == large.read(0, large.length)
    # There is room for others at once: the five would be in the way for a minute.
    for number in range(8, 24):
        assert body_of(transport, ask(transport, place.serve(f"/{number}", FILE), access)) == FILE.read(0, FILE.length)
    assert [(exchange.answer, len(exchange.chunks), exchange.over, exchange.failure) for exchange in odd] == before
    transport.cancel(odd[0])


def test_where_little_is_left_of_a_cancelled_body_its_connection_is_kept(transport: Transport, place: Origin, access: Access) -> None:
    go = threading.Event()
    place.serve("/file", FILE)
    place.script("/odd", [Good(FILE, stall_after=90_000, stall_s=60, until=go)])
    exchange = ask(transport, place.url("/odd"), access)
    turn_until(transport, lambda: sum(map(len, exchange.chunks)) == 90_000)
    transport.cancel(exchange)
    go.set()
    turn_for(transport, 0.3)
    assert body_of(transport, ask(transport, place.url("/file"), access)) == FILE.read(0, FILE.length)
    assert place.connections_accepted == 1


def test_a_rest_that_does_not_come_is_not_waited_for(transport: Transport, patient_place: Origin, access: Access) -> None:
    patient_place.script("/odd", [Good(FILE, stall_after=90_000, stall_s=60)])
    exchange = ask(transport, patient_place.url("/odd"), access)
    turn_until(transport, lambda: sum(map(len, exchange.chunks)) == 90_000)
    transport.cancel(exchange)
    began = time.monotonic()
    # The origin knows when it writes; its stall is a minute.
    turn_for(transport, 2)
    patient_place.serve("/file", FILE)
    assert body_of(transport, ask(transport, patient_place.url("/file"), access)) == FILE.read(0, FILE.length)
    assert patient_place.requests_for("/file")[0].nth == 0
    assert time.monotonic() - began < 20


def test_an_exchange_that_waits_for_a_connection_can_be_cancelled(transport: Transport, place: Origin, access: Access) -> None:
    go = threading.Event()
    place.script("/slow", [Good(FILE, stall_after=10, stall_s=60, until=go)])
    busy = [ask(transport, place.url("/slow"), access) for _ in range(CONNECTIONS)]
    turn_until(transport, lambda: len(place.requests) == CONNECTIONS)
    waiting = ask(transport, place.serve("/waiting", FILE), access)
    turn_for(transport, 0.1)
    transport.cancel(waiting)
    go.set()
    for exchange in busy:
        assert body_of(transport, exchange) == FILE.read(0, FILE.length)
    assert not waiting.over
    assert not place.requests_for("/waiting")


# Waking


def test_connections_that_may_lead_to_public_addresses_alone_leave_no_socket(transport: Transport, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    careful = replace(access, private_addresses="refuse")
    for _ in range(3):
        # The manifest's own URL is its author's choice. A socket that is left to the garbage collector is an error here.
        assert body_of(transport, ask(transport, place.url("/file"), careful, fresh=True)) == FILE.read(0, FILE.length)
        gc.collect()


def test_wake_ends_a_turn_from_another_thread(transport: Transport) -> None:
    timer = threading.Timer(0.1, transport.wake)
    timer.start()
    began = time.monotonic()
    assert transport.turn(began + 30) == []
    assert time.monotonic() - began < 20
    timer.join()


def test_wake_ends_the_next_turn_where_none_is_going_on_and_only_that(transport: Transport) -> None:
    for _ in range(1000):
        transport.wake()
    began = time.monotonic()
    transport.turn(began + 30)
    assert time.monotonic() - began < 20
    began = time.monotonic()
    transport.turn(began + 0.2)
    assert time.monotonic() - began >= 0.19


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no interval timers")
def test_wake_ends_a_turn_from_a_signal_handler(transport: Transport) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: transport.wake())
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            began = time.monotonic()
            assert transport.turn(began + 30) == []
            assert time.monotonic() - began < 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_waking_a_closed_transport_does_no_harm(transport: Transport) -> None:
    transport.close()
    transport.wake()


# Closing


@pytest.mark.parametrize("name", TRANSPORTS)
def test_closing_with_exchanges_on_their_way_leaves_no_thread_and_no_connection(name: str, place: Origin, access: Access) -> None:
    before = set(threading.enumerate())
    transport = TRANSPORTS[name](CONNECTIONS)
    place.script("/silent", [Good(FILE, delay_s=60)])
    place.script("/stalled", [Good(FILE, stall_after=10_000, stall_s=60)])
    place.script("/large", [Good(Body(50 * MIB))])
    place.script("/head", [Raw(b"HTTP/1.1 200 OK\r\nX: ", 60)])
    exchanges = [ask(transport, place.url(path), access) for path in ("/silent", "/stalled", "/large", "/head") for _ in range(3)]
    # More, where a large one was over before: its connection is another's then.
    turn_until(transport, lambda: len(place.requests) >= CONNECTIONS)
    transport.pause(exchanges[6])
    turn_for(transport, 0.2)
    ours = [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("marscore")]
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 1.5
    assert not any(thread.is_alive() for thread in ours)
    until(lambda: connected_to(place.port) == 0)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_closing_in_the_middle_of_a_handshake_leaves_no_thread_and_no_connection(name: str, access: Access) -> None:
    before = set(threading.enumerate())
    transport = TRANSPORTS[name](CONNECTIONS)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exchange = ask(transport, f"https://127.0.0.1:{silent.getsockname()[1]}/", access)
        turn_for(transport, 0.2)
        taken, _ = silent.accept()
        taken.settimeout(20)
        with taken:
            assert taken.recv(65_536)
            transport.close()
            # The end of it, behind a last word of TLS at most.
            assert len(taken.recv(65_536)) < 100
            assert taken.recv(65_536) == b""
    assert not any(thread.name.startswith("marscore") for thread in threading.enumerate() if thread not in before)
    assert exchange.answer is None


def connected_to(port: int) -> int:
    """Connections of this process's clients to a port that are open on the clients' side (Linux; elsewhere none are seen)."""
    try:
        with open("/proc/self/net/tcp") as table:  # noqa: PTH123
            rows = [line.split() for line in table][1:]
    except OSError:
        return 0
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("length", ["true", "chunked", "none"])
def test_a_head_has_no_body_and_leaves_its_connection_to_the_next_request(
    transport: Transport, place: Origin, access: Access, length: Literal["true", "chunked", "none"]
) -> None:
    place.serve("/file", FILE, [Good(length=length)])
    place.script("/moved", [redirect("/file")])
    for path in ("/file", "/moved", "/file"):
        exchange = Exchange(Request(parse_url(place.url(path)), access, IDENTITY, "HEAD"))
        transport.start(exchange)
        assert body_of(transport, exchange) == b""
        assert exchange.answer is not None
        assert exchange.answer.status == 200
        assert exchange.answer.fields.get("content-length") == (str(FILE.length) if length == "true" else None)
    place.serve("/after", FILE)
    assert body_of(transport, ask(transport, place.url("/after"), access)) == FILE.read(0, FILE.length)
    *heads, last = [seen.method for seen in place.requests]
    assert (set(heads), last) == ({"HEAD"}, "GET")
    if length == "true":
        assert len(heads) == 4
        assert len({seen.connection for seen in place.requests}) == 1


def test_a_head_that_is_cancelled_when_its_answer_is_there_harms_no_other(transport: Transport, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    for _ in range(3):
        exchange = Exchange(Request(parse_url(place.url("/file")), access, IDENTITY, "HEAD"))
        transport.start(exchange)
        turn_until(transport, lambda exchange=exchange: exchange.answer is not None)  # type: ignore[misc]
        transport.cancel(exchange)
        assert body_of(transport, ask(transport, place.url("/file"), access)) == FILE.read(0, FILE.length)
    assert [seen.method for seen in place.requests] == ["HEAD", "GET"] * 3
