"""http.client's answers, read more strictly: a head that breaks off is no head, and interim answers are passed over."""

from __future__ import annotations

import http.client
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any

#: Statuses that precede the final answer (RFC 9110 section 15.2), but for 101, which ends HTTP on this connection.
_INTERIM = frozenset(range(100, 200)) - {101}


class StrictResponse(HTTPResponse):
    """As http.client's, which takes the end of the connection for the end of the head, and 103 for the answer (as of Python 3.13)."""

    fp: Any

    def begin(self) -> None:
        """Read the head.

        Raises:
            RemoteDisconnected: the connection ended within it.
        """
        if self.headers is not None:
            return
        inner, self.fp = self.fp, _WholeLines(self.fp)
        try:
            super().begin()
        finally:
            # A response without a body has closed it and let go of it by now.
            if self.fp is not None:
                self.fp = inner

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # http.client's own, since Python 2
            if status not in _INTERIM:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _WholeLines:
    """A stream whose lines all end as lines do."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._stream.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit:
            raise RemoteDisconnected("the connection ended within the head of an answer")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
