"""The general client's answers: a body read through urllib3 as it arrives."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import urllib3

from marscore.adapters.http.requests_failures import body_failure_of
from marscore.errors import OriginError
from marscore.ports import Answer
from marscore.values import Timeouts

#: Bytes of a body that nobody wants which are read, so that its connection can be used again, and the seconds that this may take.
DRAINED, DRAINED_FOR = 64 * 1024, 1.0


def drain(raw: Any) -> None:
    """Read off what is left of a body, if it is little, comes soon, and leaves a connection to be used again. Never raises."""
    with contextlib.suppress(Exception):
        left, sock = raw.length_remaining, raw.connection.sock
        if sock is None or (left is not None and left > DRAINED):
            return
        # The next request sets it anew.
        sock.settimeout(DRAINED_FOR)
        most, latest = DRAINED, time.monotonic() + DRAINED_FOR
        while most > 0 and time.monotonic() < latest and (data := raw.read1(most, decode_content=False)):
            most -= len(data)


def drop(raw: Any) -> None:
    """Let go of a body that nobody wants, and keep its connection where little is left. Never raises."""
    drain(raw)
    with contextlib.suppress(Exception):
        raw.close()


class RequestsResponse:
    """An answer, and the body that follows it, by a urllib3 response."""

    def __init__(self, answer: Answer, raw: Any, timeouts: Timeouts) -> None:
        self.answer = answer
        self._timeouts = timeouts
        self._raw = raw

    def read(self, limit: int) -> bytes:
        """Return what has arrived of the body, up to `limit` bytes. Behind its end, where it returns nothing, the connection waits."""
        try:
            # read1 returns after one receive; read would wait until `limit` bytes are there, however slowly they drip.
            return self._raw.read1(limit, decode_content=False) or b""
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            raise OriginError(body_failure_of(error, self._timeouts)) from error

    def abort(self) -> None:
        """End a read in another thread, of a connection that nobody else ends."""
        with contextlib.suppress(Exception):
            self._raw.shutdown()

    def drain(self) -> None:
        """Read off what is left of the body, if it is little, so that the connection can be used again. Never raises."""
        drain(self._raw)

    def close(self) -> None:
        """Drop the connection, unless the body was read to its end. Never raises."""
        with contextlib.suppress(Exception):
            self._raw.close()
