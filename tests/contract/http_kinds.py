"""Transports of every make behind one face, and what a caller of the port sees of an exchange."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from marscore.adapters.http.requests_transport import SessionTransport
from marscore.errors import OriginError
from marscore.ports import Request, Transport
from marscore.url import parse_url
from marscore.values import Access, FailureKind, Timeouts
from tests.contract.by_turns import TurnedClient
from tests.origin import Body, Origin, Seen

#: How a transport is made for so many connections.
TRANSPORTS: dict[str, Callable[[int], Transport]] = {"session": SessionTransport}
with contextlib.suppress(ImportError):
    # pycurl has no wheel for some systems.
    from marscore.adapters.http.curl_transport import CurlTransport

    TRANSPORTS = {"curl": CurlTransport, **TRANSPORTS}
#: Each cold, and with a connection that carried something before.
TURNED: dict[str, tuple[str, int]] = {name: (make, warmth) for make in TRANSPORTS for name, warmth in ((make, 0), (f"{make} again", 1))}
IDENTITY = (("Accept-Encoding", "identity"),)
#: Long enough for a busy machine; what waits for the end of a connection that stays open fails by it.
PATIENCE = Timeouts(connect=20, read=20)


@dataclass(frozen=True)
class Outcome:
    """What a caller of the port sees. `kind` names the failure that came before the head (`status` is None then) or in the body."""

    status: int | None = None
    body: bytes = b""
    kind: FailureKind | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


class Kind:
    """One kind of transport. Before its first real request of an origin it warms up as its name says."""

    def __init__(self, name: str, connections: int = 4) -> None:
        self.name = name
        make, self._warmth = TURNED[name]
        #: Whether it is libcurl that sends and receives.
        self.libcurl = make == "curl"
        self.client = TurnedClient(lambda: TRANSPORTS[make](connections))

    def warm_up(self, origin: Origin, access: Access) -> Seen | None:
        """Returns the last request of the warming."""
        origin.serve("/warm", Body(text=b"warm"))
        for _ in range(self._warmth):
            assert outcome_of(self.client, Request(parse_url(origin.url("/warm")), access, IDENTITY)).body == b"warm"
        return origin.requests_for("/warm")[-1] if self._warmth else None

    def ask(
        self, origin: Origin, path: str = "/file", fields: tuple[tuple[str, str], ...] = IDENTITY, access: Access | None = None
    ) -> Outcome:
        """Ask once, after warming, and make sure that it went over the connection that was there."""
        access = access or Access(timeouts=PATIENCE)
        last = self.warm_up(origin, access)
        outcome = outcome_of(self.client, Request(parse_url(origin.url(path)), access, fields))
        if last is not None:
            seen = origin.requests_for(path.partition("?")[0])[0]
            assert (seen.connection, seen.nth) == (last.connection, last.nth + 1)
        return outcome

    def close(self) -> None:
        self.client.close()


def outcome_of(client: TurnedClient, request: Request, limit: int = 64 * 1024) -> Outcome:
    """Send a request and read its answer to the end."""
    try:
        response = client.open(request)
    except OriginError as error:
        return Outcome(kind=error.failure.kind)
    body, kind = bytearray(), None
    try:
        while data := response.read(limit):
            body += data
    except OriginError as error:
        kind = error.failure.kind
    finally:
        response.close()
    fields = {name: value for name, value in response.answer.fields.items() if name != "date"}
    return Outcome(response.answer.status, bytes(body), kind, fields, response.answer.url.text)


def at_once(count: int, work: object) -> list[BaseException]:
    """Run `work(number)` in so many threads; returns what they raised."""
    raised: list[BaseException] = []
    numbers = itertools.count()

    def run() -> None:
        try:
            work(next(numbers))  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - the test raises it again, from its own thread
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised
