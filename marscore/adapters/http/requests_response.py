"""The general client's answers: a body read through urllib3 as it arrives."""

from __future__ import annotations

import contextlib
from typing import Any

import urllib3

from marscore.adapters.http.requests_connections import Connections, shut_down
from marscore.adapters.http.requests_failures import body_failure_of
from marscore.errors import OriginError
from marscore.ports import Answer
from marscore.values import Failure, Timeouts

#: Bytes of a body that nobody wants which are read, so that its connection can be used again.
DRAINED = 64 * 1024


def drop(raw: Any) -> None:
    """Read off a body that nobody wants, if it is small, and let go of its connection. Never raises."""
    with contextlib.suppress(Exception):
        left, most = raw.length_remaining, DRAINED
        while most > 0 and (left is None or left <= DRAINED) and (data := raw.read1(most, decode_content=False)):
            most -= len(data)
        raw.close()


class RequestsResponse:
    """An answer, and the body that follows it, by a urllib3 response."""

    def __init__(self, answer: Answer, raw: Any, live: Connections, timeouts: Timeouts) -> None:
        self.answer = answer
        self._timeouts = timeouts
        self._raw = raw
        self._live = live
        self._ended = False

    def read(self, limit: int) -> bytes:
        """Return what has arrived of the body, up to `limit` bytes."""
        try:
            # read1 returns after one receive; read would wait until `limit` bytes are there, however slowly they drip.
            data: bytes = self._raw.read1(limit, decode_content=False) or b""
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            raise OriginError(self._live.explain(body_failure_of(error, self._timeouts))) from error
        if self._live.aborted:
            raise OriginError(self._live.explain(Failure("interrupted", "")))
        self._ended = not data
        return data

    def abort(self) -> None:
        """Shut the connection down, from any thread."""
        sock = getattr(self._raw._original_response, "sock", None)
        if sock is not None:
            shut_down(sock)
            return
        # Of a connection that is not ours.
        with contextlib.suppress(Exception):
            self._raw.shutdown()

    def drain(self, most: int) -> None:
        """Read off what is left of the body if that is at most `most` bytes, so that the connection can be used again. Never raises."""
        left = self._raw.length_remaining
        if left is not None and left > most:
            return
        with contextlib.suppress(OriginError):
            while most > 0 and (data := self.read(most)):
                most -= len(data)

    def close(self) -> None:
        """Give the connection back after a whole body; drop it otherwise."""
        with contextlib.suppress(Exception):
            if self._ended or self._raw.length_remaining == 0:
                self._raw._original_response.close()
                self._raw.release_conn()
            else:
                self._raw.close()
        self._live.idle.end()
