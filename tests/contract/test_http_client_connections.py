"""What every transport makes of connections: cut, reset, silent, closed while idle, used again, shared by threads, and told to stop."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from marscore.errors import OriginError
from marscore.ports import Request
from marscore.url import parse_url
from marscore.values import Access, FailureKind, Timeouts
from tests.contract.http_kinds import IDENTITY, PATIENCE, Kind, at_once, outcome_of
from tests.long import ALL
from tests.origin import Body, Good, HangUp, Origin, Raw, Status, Step
from tests.origin.faults import hangs_up_on_reuse, needs_cookie
from tests.servers import Tls

FILE = Body(100_000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def test_a_head_cut_anywhere_is_no_answer(kind: Kind, origin: Origin) -> None:
    for at in range(1, len(HEAD)):
        path = f"/{at}"
        origin.script(path, [Raw(HEAD[:at])])
        # A client of its own for each, that knows no more of the origin than it is to.
        with contextlib.closing(Kind(kind.name)) as fresh:
            outcome = fresh.ask(origin, path)
        assert (outcome.status, outcome.kind) == (None, "connection"), f"cut behind {at} bytes"
        # libcurl asks again where a connection that was used before brought not even the first line.
        assert len(origin.requests_for(path)) <= (2 if kind.libcurl else 1), f"cut behind {at} bytes"


def test_an_origin_that_only_hangs_up_gives_no_answer(kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [HangUp()])
    assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).kind == "connection"


CUTS: dict[str, tuple[Step, FailureKind]] = {
    "at once": (Good(FILE, cut_after=0), "truncated"),
    "early": (Good(FILE, cut_after=10), "truncated"),
    "late": (Good(FILE, cut_after=99_999), "truncated"),
    "in chunks": (Good(FILE, length="chunked", cut_after=70_000), "truncated"),
    "before the last chunk": (Good(FILE, length="chunked_cut"), "truncated"),
    "by a broken chunk": (Good(FILE, length="chunked_broken"), "truncated"),
    "one byte short": (Good(FILE, length="large"), "truncated"),
}


@pytest.mark.parametrize(("step", "expected"), CUTS.values(), ids=CUTS)
def test_a_body_that_is_cut_is_known_to_be(step: Step, expected: FailureKind, kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [step])
    outcome = kind.ask(place, access=access)
    assert (outcome.status, outcome.kind) == (200, expected)
    assert FILE.read(0, FILE.length).startswith(outcome.body)


CHUNKS: dict[str, bytes] = {
    "a size with a sign": b"+2\r\nok\r\n0\r\n\r\n",
    "a size of Python's": b"0_2\r\nok\r\n0\r\n\r\n",
    "no size": b"\r\n0\r\n\r\n",
    "more than its size": b"1\r\nok\r\n0\r\n\r\n",
    "no line's end behind it": b"2\r\nok0\r\n\r\n",
    "cut in a size": b"2\r\nok\r\n0",
    "cut behind the last one": b"2\r\nok\r\n0\r\n",
    "cut in trailers": b"2\r\nok\r\n0\r\nTrailer: x\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_are_broken_or_break_off_are_no_whole_body(name: str, kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[name])])
    outcome = kind.ask(place, access=access)
    assert (outcome.status, outcome.kind) == (200, "truncated")
    assert b"ok".startswith(outcome.body)


def test_a_reset_in_the_head_is_a_failure_of_the_connection(kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [HangUp(reset=True)])
    assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).kind == "connection"


def test_a_reset_in_the_body_is_known_to_be_no_end_of_it(kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [Good(FILE, cut_after=70_000, reset=True)])
    outcome = kind.ask(place, access=access)
    # TLS may tell of a reset as of any other end that was not announced: that depends on its version and on what it was about to read.
    assert outcome.status == 200
    assert outcome.kind in (("truncated", "connection") if place.url().startswith("https") else ("connection",))


def test_over_tls_the_end_of_the_connection_ends_a_body_only_where_the_server_says_so(kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [Good(FILE, length="none", cut_after=50_000)])
    outcome = kind.ask(place, access=access)
    # Without TLS, nobody can tell.
    assert outcome.kind == ("truncated" if place.url().startswith("https") else None)


def test_an_answer_of_http_1_0_ends_with_its_connection(kind: Kind, origin: Origin) -> None:
    origin.script("/file", [Raw(b"HTTP/1.0 200 OK\r\n\r\nall there is")])
    assert kind.ask(origin).body == b"all there is"


EXCESS: dict[str, Step] = {
    "a second answer": Raw(HEAD + b"ok" + SECOND, 60),
    "a second answer behind a large body": Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"k" * 70_000 + SECOND, 60),
    "a second answer behind nothing": Raw(b"HTTP/1.1 304 Not Modified\r\n\r\n" + SECOND, 60),
    "a second answer behind an error": Raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno" + SECOND, 60),
    "a second answer behind the last chunk": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + SECOND, 60),
    "a second answer behind a length and chunks": Raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + SECOND, 60
    ),
    "a byte": Raw(HEAD + b"ok!", 60),
}


@pytest.mark.parametrize("name", EXCESS)
def test_bytes_behind_an_answer_are_never_taken_for_the_next_one(name: str, kind: Kind, place: Origin, access: Access) -> None:
    if kind.libcurl and "chunk" in name:
        pytest.skip("libcurl drops what it received together with the last chunk, and goes on with the connection")
    place.script("/file", [EXCESS[name]])
    first = kind.ask(place, access=access)
    assert b"forged" not in first.body
    place.serve("/next", FILE)
    second = outcome_of(kind.client, Request(parse_url(place.url("/next")), access, IDENTITY))
    assert second.body == FILE.read(0, FILE.length)
    assert place.requests_for("/next")[0].nth == 0


#: Around what one record of TLS holds, what one receive of a head holds, and what one receive of a large body holds.
SIZES = [0, 16_383, 16_384, 65_500, 65_536, 262_144]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("limit", [5000, 1_048_576])
def test_a_second_answer_never_reaches_the_second_file(size: int, limit: int, kind: Kind, place: Origin, access: Access) -> None:
    body = Body(size)
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, body.read(0, size))
    place.script("/file", [Raw(whole + SECOND, 60)])
    place.serve("/next", FILE)
    kind.warm_up(place, access)
    first = outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY), limit)
    assert (first.kind, first.body) == (None, body.read(0, size))
    second = outcome_of(kind.client, Request(parse_url(place.url("/next")), access, IDENTITY), limit)
    assert (second.kind, second.body) == (None, FILE.read(0, FILE.length))
    assert place.requests_for("/next")[0].nth == 0


def test_a_whole_answer_leaves_the_connection_for_the_next_one(kind: Kind, place: Origin, access: Access) -> None:
    for path in ("/file", "/next", "/third"):
        place.serve(path, FILE)
    kind.ask(place, access=access)
    for path in ("/next", "/third"):
        assert outcome_of(kind.client, Request(parse_url(place.url(path)), access, IDENTITY)).body == FILE.read(0, FILE.length)
    assert place.connections_accepted == 1


def test_a_body_that_was_not_read_to_its_end_leaves_no_connection(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    kind.warm_up(place, access)
    response = kind.client.open(Request(parse_url(place.url("/file")), access, IDENTITY))
    assert FILE.read(0, FILE.length).startswith(bytes(response.read(10)))
    response.close()
    place.serve("/next", FILE)
    assert outcome_of(kind.client, Request(parse_url(place.url("/next")), access, IDENTITY)).body == FILE.read(0, FILE.length)
    # A transport receives the little that is left, and goes on with the connection.


def test_connection_close_is_heeded(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE, [Good(close="announced")])
    place.serve("/next", FILE)
    assert kind.ask(place, access=access).body == FILE.read(0, FILE.length)
    assert outcome_of(kind.client, Request(parse_url(place.url("/next")), access, IDENTITY)).body == FILE.read(0, FILE.length)
    assert place.requests_for("/next")[0].nth == 0


def test_a_server_that_hangs_up_on_reuse_is_asked_again_on_a_fresh_connection(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    place.handle("/file", hangs_up_on_reuse(Good(FILE)))
    assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).body == FILE.read(0, FILE.length)
    for _ in range(3):
        assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).body == FILE.read(0, FILE.length)


def test_a_server_that_resets_on_reuse_is_asked_again_on_a_fresh_connection(kind: Kind, place: Origin, access: Access) -> None:
    place.handle("/file", lambda seen: HangUp(reset=True) if seen.nth else Good(FILE))
    for _ in range(3):
        assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).body == FILE.read(0, FILE.length)


@pytest.mark.parametrize("step", [Good(FILE, close="silent"), Good(FILE, cut_after=100_000, reset=True)], ids=["by FIN", "by RST"])
def test_a_connection_that_the_server_closed_while_idle_is_not_used(step: Step, kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [step, Good(FILE)])
    assert kind.ask(place, access=access).body == FILE.read(0, FILE.length)
    until(lambda: place.open_connections == 0)
    again = outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY))
    assert (again.kind, again.body) == (None, FILE.read(0, FILE.length))
    assert [seen.nth for seen in place.requests_for("/file")][1:] == [0]


def test_an_unsolicited_408_is_no_answer_to_the_next_request(kind: Kind, place: Origin, access: Access) -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    both = Good(Body(text=b"ok" + late), fields=(("Content-Length", "2"),), stall_after=2, stall_s=0.1, close="silent")
    place.script("/file", [both, Good(FILE)])
    assert kind.ask(place, access=access).body == b"ok"
    until(lambda: place.open_connections == 0)
    again = outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY))
    assert (again.status, again.body) == (200, FILE.read(0, FILE.length))


def test_silence_is_a_timeout_in_the_head(kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [Good(FILE, delay_s=60)])
    kind.warm_up(place, access)
    impatient = Request(parse_url(place.url("/file")), replace(access, timeouts=Timeouts(10, 0.3)), IDENTITY)
    assert outcome_of(kind.client, impatient).kind == "timeout"


@pytest.mark.parametrize("length", ["true", "chunked"] if ALL else ["chunked"])
def test_silence_is_a_timeout_in_the_body(length: str, kind: Kind, patient_place: Origin, access: Access) -> None:
    patient_place.script("/file", [Good(FILE, stall_after=50_000, stall_s=60, length=length)])  # type: ignore[arg-type]
    kind.warm_up(patient_place, access)
    impatient = Request(parse_url(patient_place.url("/file")), replace(access, timeouts=Timeouts(10, 1)), IDENTITY)
    outcome = outcome_of(kind.client, impatient)
    assert (outcome.status, outcome.kind) == (200, "timeout")


@pytest.mark.parametrize(
    "step",
    [Good(FILE, delay_s=60), Good(FILE, stall_after=50_000, stall_s=60), Good(FILE, stall_after=50_000, stall_s=60, close="announced")],
    ids=["head", "body", "body before a close"],
)
def test_abort_wakes_who_waits(step: Step, kind: Kind, place: Origin, access: Access) -> None:
    access = replace(access, timeouts=Timeouts(30, 30))
    place.script("/file", [step])
    kind.warm_up(place, access)
    kinds: list[FailureKind | None] = []
    request = Request(parse_url(place.url("/file")), access, IDENTITY)
    thread = threading.Thread(target=lambda: kinds.append(outcome_of(kind.client, request).kind))
    thread.start()
    assert place.wait_for_requests(1, "/file")
    time.sleep(0.1)
    began = time.monotonic()
    kind.client.abort()
    thread.join(10)
    assert kinds == ["interrupted"]
    # A tenth of a second; the timeout would be 30.
    assert time.monotonic() - began < 10
    assert outcome_of(kind.client, request).kind == "interrupted"


@pytest.mark.parametrize(
    "step", [Good(FILE), Good(FILE, length="chunked"), Good(FILE, close="announced")], ids=["length", "chunked", "close"]
)
def test_a_response_that_is_given_up_wakes_who_reads_it_and_nobody_else(step: Good, kind: Kind, place: Origin, access: Access) -> None:
    place.script("/file", [replace(step, stall_after=50_000, stall_s=60), Good(FILE)])
    kind.warm_up(place, access)
    request = Request(parse_url(place.url("/file")), replace(access, timeouts=Timeouts(30, 30)), IDENTITY)
    response = kind.client.open(request)
    kinds: list[FailureKind] = []

    def read_all() -> None:
        try:
            while response.read(100_000):
                pass
        except OriginError as error:
            kinds.append(error.failure.kind)

    thread = threading.Thread(target=read_all)
    thread.start()
    time.sleep(0.1)
    began = time.monotonic()
    response.abort()
    thread.join(10)
    response.close()
    response.abort()
    # A tenth of a second; the timeout would be 30.
    assert time.monotonic() - began < 10
    assert kinds
    again = outcome_of(kind.client, request)
    assert (again.status, again.body) == (200, FILE.read(0, FILE.length))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_an_origin_that_is_gone_refuses_the_connection(secure: bool, kind: Kind, tls: Tls) -> None:
    access = Access(timeouts=PATIENCE, verify=str(tls.authority))
    with Origin(tls=tls.server_context() if secure else None) as origin:
        kind.warm_up(origin, access)
        url = origin.url("/file")
    with pytest.raises(OriginError) as caught:
        kind.client.open(Request(parse_url(url), access, IDENTITY))
    assert caught.value.failure.kind == "connection"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_who_hangs_up_on_a_used_connection_and_on_every_new_one_is_asked_no_third_time(secure: bool, kind: Kind, tls: Tls) -> None:
    access = Access(timeouts=PATIENCE, verify=str(tls.authority))
    context = tls.server_context() if secure else None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    taken.append(plain)
                    with plain:
                        if len(taken) == 1:
                            _answer_once(plain, context)

        thread = threading.Thread(target=serve)
        thread.start()
        request = Request(parse_url(f"http{'s' * secure}://127.0.0.1:{listening.getsockname()[1]}/"), access, IDENTITY)
        assert outcome_of(kind.client, request).body == b"ok"
        assert outcome_of(kind.client, request).kind == "connection"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)
    assert len(taken) == 2


def _answer_once(plain: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer one request, and hang up on the next."""
    with context.wrap_socket(plain, server_side=True) if context else plain as connection:
        connection.recv(65_536)
        connection.sendall(HEAD + b"ok")
        connection.recv(65_536)


def test_a_cookie_is_sent_again(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    place.handle("/file", needs_cookie())
    assert kind.ask(place, access=access).status == 200
    again = outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY))
    # Cookies are for one chain of redirects.
    assert again.status == 403


def test_many_threads_get_each_their_own_file(kind: Kind, place: Origin, access: Access) -> None:
    bodies = {f"/{n}": Body(1000 + 7919 * (n % 5), seed=n) for n in range(8)}
    for path, body in bodies.items():
        # Some of each sort, so that lanes change hands.
        odd: list[Step] = [Good(length="chunked"), Good(), Good(close="announced"), Good(), Good(close="silent"), Good()]
        place.serve(path, body, odd)
    place.script("/missing", [Status(404)])
    kind.warm_up(place, access)

    def work(number: int) -> None:
        for turn in range(6):
            path = f"/{(number + turn) % 8}"
            outcome = outcome_of(kind.client, Request(parse_url(place.url(path)), access, IDENTITY), 4096)
            assert (outcome.kind, outcome.body) == (None, bodies[path].read(0, bodies[path].length))
            assert outcome_of(kind.client, Request(parse_url(place.url("/missing")), access, IDENTITY)).status == 404

    assert at_once(8, work) == []


def test_other_header_fields_go_over_the_connection_that_waits(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    for number in range(6):
        own = replace(access, headers=(("X-Number", str(number)),))
        assert outcome_of(kind.client, Request(parse_url(place.url("/file")), own, IDENTITY)).body == FILE.read(0, FILE.length)
    assert [seen.fields["x-number"] for seen in place.requests_for("/file")] == list("012345")
    assert place.connections_accepted == 1


def test_however_many_origins_there_are_only_so_many_connections_wait(kind: Kind) -> None:
    with contextlib.ExitStack() as stack:
        origins = [stack.enter_context(Origin()) for _ in range(10)]
        for number in range(30):
            url = origins[number % 10].serve("/file", FILE)
            outcome = outcome_of(kind.client, Request(parse_url(url), Access(timeouts=PATIENCE), IDENTITY))
            assert (outcome.kind, outcome.body) == (None, FILE.read(0, FILE.length))
        until(lambda: sum(origin.open_connections for origin in origins) == 4)
        # Those that were used last are still of use.
        outcome_of(kind.client, Request(parse_url(origins[9].url("/file")), Access(timeouts=PATIENCE), IDENTITY))
        assert origins[9].requests[-1].nth == 1
        kind.close()
        until(lambda: not any(origin.open_connections for origin in origins))


def test_closing_drops_what_waits_and_the_next_request_has_a_connection_of_its_own(kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/file", FILE)
    assert kind.ask(place, access=access).body == FILE.read(0, FILE.length)
    kind.close()
    until(lambda: place.open_connections == 0)
    assert outcome_of(kind.client, Request(parse_url(place.url("/file")), access, IDENTITY)).body == FILE.read(0, FILE.length)
    assert place.requests[-1].nth == 0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
