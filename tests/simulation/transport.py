"""`ports.Transport` over the simulated network, with the adapters' own rules of what is sent to whom.

    start --fields_of, credentials_of--> Network.answer --> head, chunks, end, each at its time --turn--> Exchange
                        redirect --next_url--> the next hop

A turn brings what came by then, and waits for nothing: the world calls it when something came, or something is due.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from marscore.adapters.http.access import credentials_of, fields_of
from marscore.policy.redirect import next_url, the_location
from marscore.ports import Answer, Exchange
from marscore.url import Url
from marscore.values import Failure
from tests.simulation.origin import Network, Reply
from tests.simulation.world import Process

_REDIRECTS = (301, 302, 303, 307, 308)
_LARGEST = 256 * 1024


class Flight:
    """An exchange on its way: what came of it and was not taken in yet, and what is still to come."""

    __slots__ = ("answer", "at", "chunks", "exchange", "failure", "hops", "host", "over", "paused", "reply", "token", "url")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.url: Url = exchange.request.url
        self.host = self.url.host
        self.hops: tuple[tuple[Url, Url], ...] = ()
        self.reply: Reply | None = None
        self.answer: Answer | None = None
        self.chunks: list[bytes] = []
        self.at = 0
        self.over = self.paused = False
        self.failure: Failure | None = None
        #: Which event of it is the one to come; others are of the past.
        self.token = 0


class SimulatedTransport:
    """Implements `ports.Transport` for one process; `news` is called when a turn would bring something."""

    def __init__(self, network: Network, process: Process, connections: int, chance: random.Random, news: Callable[[], None]) -> None:
        self._network = network
        self._process = process
        self._world = network.world
        self._most = connections
        self._chance = chance
        self._news = news
        self._flights: dict[Exchange, Flight] = {}
        self._ready: dict[Exchange, Flight] = {}
        self._idle: set[str] = set()
        #: The share of the time between turns that counts as waited; where bytes come faster than they are taken, it is less.
        self.idle = 1.0
        self.waited = 0.0
        self._turned = 0.0

    def start(self, exchange: Exchange) -> None:
        self._process.call()
        flight = self._flights[exchange] = Flight(exchange)
        self._network.begin(flight.host)
        if len(self._flights) > self._most:
            self._network.wrong.append(f"{len(self._flights)} connections at once, where {self._most} are allowed")
        self._ask(flight)

    def turn(self, until: float) -> list[Exchange]:
        self._process.call()
        now = self._world.elapsed
        self.waited += max(0.0, now - self._turned) * self.idle
        self._turned = now
        news = list(self._ready)
        for exchange, flight in self._ready.items():
            if flight.answer is not None and exchange.answer is None:
                exchange.answer = flight.answer
            exchange.chunks += flight.chunks
            flight.chunks = []
            if flight.over:
                exchange.over, exchange.failure = True, flight.failure
                self._forget(exchange)
                self._idle.add(flight.url.host)
        self._ready.clear()
        return news

    def pause(self, exchange: Exchange) -> None:
        if flight := self._flights.get(exchange):
            flight.paused = True

    def resume(self, exchange: Exchange) -> None:
        if (flight := self._flights.get(exchange)) and flight.paused:
            flight.paused = False
            if flight.reply is None or flight.over:
                return
            if flight.answer is None:
                self._after(flight, flight.reply.delay, self._head)
            else:
                self._go_on(flight)

    def cancel(self, exchange: Exchange) -> None:
        self._process.call()
        self._ready.pop(exchange, None)
        self._forget(exchange)

    def close_idle(self) -> None:
        self._idle.clear()

    def wake(self) -> None:
        self._news()

    def close(self) -> None:
        for exchange in list(self._flights):
            self._forget(exchange)
        self._ready.clear()

    def _forget(self, exchange: Exchange) -> None:
        if flight := self._flights.pop(exchange, None):
            flight.token += 1
            self._network.end(flight.host)

    # What happens on the way

    def _after(self, flight: Flight, delay: float, act: Callable[[Flight], None]) -> None:
        flight.token += 1
        token = flight.token
        limit = flight.exchange.request.access.timeouts.read
        if delay >= limit:
            delay, act = limit, self._silent

        def happen() -> None:
            if flight.token == token and self._process.alive:
                act(flight)

        self._world.at(delay, happen)

    def _ask(self, flight: Flight) -> None:
        request = flight.exchange.request
        fields = {name.lower(): value for name, value in fields_of(request, flight.url)}
        if (credentials := credentials_of(request, flight.url)) is not None:
            fields["authorization"] = f"{credentials.username}:{credentials.password}"
        fresh = flight.exchange.fresh or flight.url.host not in self._idle
        self._idle.discard(flight.url.host)

        def arrive(flight: Flight) -> None:
            reply = flight.reply = self._network.answer(flight.exchange, flight.url, fields, fresh)
            self._after(flight, reply.delay, self._head)

        self._after(flight, 0.001 + 0.004 * self._chance.random(), arrive)

    def _head(self, flight: Flight) -> None:
        reply = flight.reply
        assert reply is not None
        if reply.status == 0:
            self._end(flight, reply.failure)
            return
        if reply.status in _REDIRECTS and "location" in reply.fields:
            self._redirect(flight, reply.fields["location"])
            return
        flight.answer = Answer(reply.status, reply.fields, flight.url, flight.hops)
        self._is_new(flight)
        self._go_on(flight)

    def _redirect(self, flight: Flight, location: str) -> None:
        there = the_location([location])
        following = there if isinstance(there, Failure) or there is None else next_url(flight.url, there, len(flight.hops))
        if isinstance(following, Failure) or following is None:
            self._end(flight, following)
            return
        flight.hops = (*flight.hops, (flight.url, following))
        flight.url, flight.reply = following, None
        self._ask(flight)

    def _go_on(self, flight: Flight) -> None:
        """Let the next bytes come, or the end."""
        if flight.paused:
            flight.token += 1
            return
        reply = flight.reply
        assert reply is not None
        end = len(reply.body) if reply.stop is None else min(reply.stop, len(reply.body))
        if flight.at >= end:
            if reply.stop is None:
                # An end is told with the last bytes, or a moment after.
                self._after(flight, 0.0 if self._chance.random() < 0.7 else 0.001, lambda flight: self._end(flight, self._ended(flight)))
            else:
                self._after(flight, 0.001 if reply.failure else 1e9, lambda flight: self._end(flight, reply.failure))
            return
        most = min(_LARGEST, flight.exchange.at_once or _LARGEST)
        # Something comes a few times a second, however slow it is.
        most = min(most, int(reply.rate * 0.2) + 1)
        size = min(end - flight.at, max(1, most >> self._chance.choice((0, 0, 0, 2, 6))))
        self._after(flight, size / reply.rate, lambda flight: self._bring(flight, size))

    def _bring(self, flight: Flight, size: int) -> None:
        assert flight.reply is not None
        flight.chunks.append(bytes(flight.reply.body[flight.at : flight.at + size]))
        flight.at += size
        self._is_new(flight)
        self._go_on(flight)

    def _ended(self, flight: Flight) -> Failure | None:
        """What the protocol says of the end of a body."""
        assert flight.reply is not None
        length = flight.reply.fields.get("content-length")
        if length is not None and length.isdecimal() and flight.reply.status not in (304, 204) and flight.at < int(length):
            return Failure("truncated", f"the body ended {int(length) - flight.at} bytes early")
        return None

    def _silent(self, flight: Flight) -> None:
        if flight.paused:
            return
        limit = flight.exchange.request.access.timeouts.read
        self._end(flight, Failure("timeout", f"nothing came for {limit:g} s"))

    def _end(self, flight: Flight, failure: Failure | None) -> None:
        flight.over, flight.failure = True, failure
        flight.token += 1
        self._is_new(flight)

    def _is_new(self, flight: Flight) -> None:
        self._ready[flight.exchange] = flight
        self._news()
