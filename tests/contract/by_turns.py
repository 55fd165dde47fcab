"""A transport behind the face of a client, for the contract that both have in common: whoever waits turns it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from marscore.errors import OriginError
from marscore.ports import Answer, Exchange, Request, Transport
from marscore.values import Failure

_STOPPED = Failure("interrupted", "the run was told to stop")


class TurnedClient:
    """One request after the other, or one in each thread, on a transport; threads take turns."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._made: Transport | None = None
        self._lock = threading.Lock()
        self._aborted = False

    @property
    def _transport(self) -> Transport:
        if self._made is None:
            self._made = self._make()
        return self._made

    def open(self, request: Request) -> _TurnedResponse:
        exchange = Exchange(request)
        with self._lock:
            self._transport.start(exchange)
        self._wait(exchange, lambda: exchange.answer is not None)
        return _TurnedResponse(self, exchange)

    def abort(self) -> None:
        self._aborted = True
        self._transport.wake()

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made, None
            if made is not None:
                made.close()

    def end(self, exchange: Exchange) -> None:
        with self._lock:
            self._transport.cancel(exchange)

    def _wait(self, exchange: Exchange, there: Callable[[], bool], given_up: Callable[[], bool] = lambda: False) -> None:
        while not there():
            if self._aborted or given_up():
                self.end(exchange)
                raise OriginError(_STOPPED)
            if exchange.over:
                if exchange.failure is not None:
                    raise OriginError(exchange.failure)
                return
            with self._lock:
                if not there() and not exchange.over:
                    self._transport.turn(time.monotonic() + 0.02)


class _TurnedResponse:
    def __init__(self, client: TurnedClient, exchange: Exchange) -> None:
        self._client = client
        self._exchange = exchange
        self._given_up = False
        assert exchange.answer is not None
        self.answer: Answer = exchange.answer

    def read(self, limit: int) -> bytes:
        exchange = self._exchange
        self._client._wait(exchange, lambda: bool(exchange.chunks), lambda: self._given_up)
        with self._client._lock:
            data = b"".join(exchange.chunks)
            exchange.chunks[:] = [data[limit:]] if len(data) > limit else []
        return data[:limit]

    def abort(self) -> None:
        self._given_up = True
        self._client._transport.wake()

    def close(self) -> None:
        if not self._exchange.over:
            self._client.end(self._exchange)
