"""What every HttpClient makes of requests that it may send together: each gets its own answer, whatever becomes of the others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from marscore.adapters.direct import DirectClient
from marscore.adapters.requests_client import RequestsClient
from marscore.ports import Request
from marscore.url import parse_url
from marscore.values import Access
from tests.contract.http_kinds import IDENTITY, PATIENCE, Kind, Outcome, outcome_of
from tests.origin import Body, Good, HangUp, Origin, Raw, Status, Step, redirect

COUNT = 6
BODIES = [Body(text=f"this is file {n}, and nothing else".encode() * (n + 1)) for n in range(COUNT)]


def asked_together(kind: Kind, origin: Origin, access: Access, odd: Sequence[Step] = (), at: int = 2) -> list[Outcome]:
    """Ask for all files at once; the one `at` is answered by the steps `odd`, if there are any."""
    kind.warm_up(origin, access)
    for number, body in enumerate(BODIES):
        origin.serve(f"/{number}", body, odd if odd and number == at else ())
    requests = [Request(parse_url(origin.url(f"/{number}")), access, IDENTITY) for number in range(COUNT)]
    kind.client.ahead(requests)
    outcomes = [outcome_of(kind.client, request) for request in requests]
    kind.client.ahead(())
    return outcomes


def whole(number: int) -> bytes:
    return BODIES[number].read(0, BODIES[number].length)


def test_each_request_gets_its_own_answer(kind: Kind, place: Origin, access: Access) -> None:
    outcomes = asked_together(kind, place, access)
    assert [outcome.body for outcome in outcomes] == [whole(number) for number in range(COUNT)]
    assert [len(place.requests_for(f"/{number}")) for number in range(COUNT)] == [1] * COUNT
    assert len({place.requests_for(f"/{number}")[0].connection for number in range(COUNT)}) == 1


ODD: dict[str, tuple[Step, ...]] = {
    "no file": (Status(404),),
    "chunked": (Good(length="chunked"),),
    "no length": (Good(length="none"),),
    "closed with a word": (Good(close="announced"),),
    "closed without a word": (Good(close="silent"),),
    "no answer the first time": (HangUp(), Good()),
    "reset the first time": (HangUp(reset=True), Good()),
    "an interim answer": (Good(informational=(103,)),),
    "redirected": (redirect("/0"),),
    "cut": (Good(cut_after=5), Good()),
    "longer than it says": (Good(length="small"),),
    "not HTTP": (Raw(b"something else\r\n\r\n"), Good()),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_answer_does_no_harm_to_the_others(odd: tuple[Step, ...], kind: Kind, place: Origin, access: Access) -> None:
    outcomes = asked_together(kind, place, access, odd)
    others = [number for number in range(COUNT) if number != 2]
    assert [outcomes[number].body for number in others] == [whole(number) for number in others]
    assert [outcomes[number].kind for number in others] == [None] * len(others)


def test_each_request_carries_its_own_header_fields(kind: Kind, place: Origin, access: Access) -> None:
    kind.warm_up(place, access)
    for number, body in enumerate(BODIES):
        place.serve(f"/{number}", body)
    own = [replace(access, headers=(("X-Own", str(number // 2)),)) for number in range(COUNT)]
    requests = [Request(parse_url(place.url(f"/{number}")), own[number], IDENTITY) for number in range(COUNT)]
    # Twice, as it takes a request to find out that an origin is plain with these fields.
    for _ in range(2):
        kind.client.ahead(requests)
        assert [outcome_of(kind.client, request).body for request in requests] == [whole(number) for number in range(COUNT)]
        kind.client.ahead(())
    assert [{seen.fields["x-own"] for seen in place.requests_for(f"/{n}")} for n in range(COUNT)] == [{str(n // 2)} for n in range(COUNT)]


def test_a_request_that_was_not_announced_gets_its_own_answer_too(kind: Kind, place: Origin, access: Access) -> None:
    kind.warm_up(place, access)
    for number, body in enumerate(BODIES):
        place.serve(f"/{number}", body)
    requests = [Request(parse_url(place.url(f"/{number}")), access, IDENTITY) for number in range(COUNT)]
    kind.client.ahead(requests[:4])
    for number in (0, 1, 5, 2, 3, 4):
        assert outcome_of(kind.client, requests[number]).body == whole(number)


def test_a_body_that_is_not_read_does_no_harm_to_the_next(kind: Kind, place: Origin, access: Access) -> None:
    kind.warm_up(place, access)
    for number, body in enumerate(BODIES):
        place.serve(f"/{number}", body)
    requests = [Request(parse_url(place.url(f"/{number}")), access, IDENTITY) for number in range(COUNT)]
    kind.client.ahead(requests)
    kind.client.open(requests[0]).close()
    assert [outcome_of(kind.client, request).body for request in requests[1:]] == [whole(number) for number in range(1, COUNT)]


def test_who_changes_its_mind_in_a_body_still_gets_the_whole_body(kind: Kind, place: Origin, access: Access) -> None:
    kind.warm_up(place, access)
    large = Body(300_000)
    place.serve("/large", large)
    place.serve("/0", BODIES[0])
    requests = [Request(parse_url(place.url(path)), access, IDENTITY) for path in ("/large", "/0")]
    kind.client.ahead(requests)
    response = kind.client.open(requests[0])
    kind.client.ahead(())
    body = bytearray()
    while data := response.read(10_000):
        body += data
    response.close()
    assert bytes(body) == large.read(0, large.length)
    assert outcome_of(kind.client, requests[1]).body == whole(0)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d"


@pytest.fixture
def collector() -> Iterator[int]:
    """A server that answers its first request at once, and the next three only when it has all of them; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            for wanted in (1, 3):
                came = b""
                while came.count(b"\r\n\r\n") < wanted and (data := connection.recv(65_536)):
                    came += data
                connection.sendall(b"".join(ANSWER % number for number in range(wanted)))

    thread = threading.Thread(target=serve)
    thread.start()
    yield int(listening.getsockname()[1])
    thread.join()
    listening.close()


def test_the_direct_lane_sends_them_together(collector: int) -> None:
    client = DirectClient(RequestsClient(1))
    access = Access(timeouts=PATIENCE)
    assert outcome_of(client, Request(parse_url(f"http://127.0.0.1:{collector}/warm"), access, IDENTITY)).body == b"0"
    requests = [Request(parse_url(f"http://127.0.0.1:{collector}/{number}"), access, IDENTITY) for number in range(3)]
    client.ahead(requests)
    assert [outcome_of(client, request).body for request in requests] == [b"0", b"1", b"2"]
    client.close()


def test_a_connection_that_owes_answers_serves_nobody_else(kind: Kind, origin: Origin) -> None:
    access = Access(timeouts=PATIENCE)
    kind.warm_up(origin, access)
    for number, body in enumerate(BODIES):
        origin.serve(f"/{number}", body)
    requests = [Request(parse_url(origin.url(f"/{number}")), access, IDENTITY) for number in range(COUNT)]
    kind.client.ahead(requests)
    assert outcome_of(kind.client, requests[0]).body == whole(0)
    kind.client.ahead(())
    # The answers to the others may be on their way to the connection that was used.
    assert outcome_of(kind.client, requests[5]).body == whole(5)
