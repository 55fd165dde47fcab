"""An origin in memory behind `ports.Transport`: bodies by URL, with ranges, validators and no faults of its own."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from marscore.ports import Answer, Exchange, Request
from marscore.values import Failure

#: Seconds that a turn waits at most, whatever its clock says: one that stands still ends none.
_PATIENCE = 0.05
#: Bytes of a chunk.
CHUNK = 64 * 1024


class FakeTransport:
    """Implements `ports.Transport`. In one turn each exchange gets its answer, a chunk or its end."""

    def __init__(self, bodies: Mapping[str, bytes], ticks: Callable[[], float] = time.monotonic) -> None:
        self.bodies = dict(bodies)
        self._ticks = ticks
        self.waited = 0.0
        self._woken = threading.Event()
        self._active: dict[Exchange, Iterator[None]] = {}
        self._paused: set[Exchange] = set()

    def answer(self, request: Request) -> tuple[Answer, bytes]:
        """What a server with ranges and ETags answers."""
        body = self.bodies[request.url.text]
        fields = {"etag": f'"{len(body)}"', "accept-ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", dict(request.fields).get("Range", ""))
        if asked is None:
            return Answer(200, {**fields, "content-length": str(len(body))}, request.url), body
        start, end = int(asked[1]), int(asked[2] or len(body) - 1) + 1
        part = {"content-range": f"bytes {start}-{end - 1}/{len(body)}", "content-length": str(end - start)}
        return Answer(206, {**fields, **part}, request.url), body[start:end]

    def chunks(self, request: Request, body: bytes) -> Iterator[bytes]:
        """How a body comes."""
        for at in range(0, len(body), CHUNK):
            yield body[at : at + CHUNK]

    def start(self, exchange: Exchange) -> None:
        """Begin an exchange."""
        self._active[exchange] = self.carry_out(exchange)

    def turn(self, until: float) -> list[Exchange]:
        """Go on with each exchange by one step; wait where there is none."""
        going = [exchange for exchange in self._active if exchange not in self._paused]
        if not going:
            began = self._ticks()
            self._woken.wait(min(_PATIENCE, max(0.0, until - began)))
            self.waited += self._ticks() - began
        self._woken.clear()
        for exchange in going:
            if next(self._active[exchange], exchange) is exchange:
                exchange.over = True
                del self._active[exchange]
        return going

    def pause(self, exchange: Exchange) -> None:
        """Let it rest."""
        self._paused.add(exchange)

    def resume(self, exchange: Exchange) -> None:
        """Go on with it."""
        self._paused.discard(exchange)

    def cancel(self, exchange: Exchange) -> None:
        """Forget it."""
        self._active.pop(exchange, None)

    def close_idle(self) -> None:
        """There is none."""

    def wake(self) -> None:
        """End the current turn."""
        self._woken.set()

    def close(self) -> None:
        """Forget all."""
        self._active.clear()

    def carry_out(self, exchange: Exchange) -> Iterator[None]:
        """The steps of an exchange."""
        exchange.answer, body = self.answer(exchange.request)
        length = int(exchange.answer.fields.get("content-length", len(body)))
        came = 0
        yield
        for chunk in self.chunks(exchange.request, body):
            exchange.chunks.append(chunk)
            came += len(chunk)
            yield
        if came < length:
            exchange.failure = Failure("truncated", f"the body ended {length - came} bytes early")
