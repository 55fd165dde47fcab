"""Bytes that were read from a connection, put back before those that are still to come."""

from __future__ import annotations

import io
from typing import Any

from urllib3.connection import HTTPConnection


class Replayed:
    """A socket as http.client sees it, with bytes that were read of it already put back."""

    def __init__(self, connection: HTTPConnection, came: bytes) -> None:
        self._connection = connection
        self._came = came

    @property
    def sock(self) -> Any:
        """The socket that the rest comes from."""
        return self._connection.sock

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader of what came and of what will come; closing it closes the connection."""
        return io.BufferedReader(_Rest(self._connection, self._came))


class _Rest(io.RawIOBase):
    def __init__(self, connection: HTTPConnection, came: bytes) -> None:
        self._connection = connection
        self._came = memoryview(came)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._came:
            return int(self._connection.sock.recv_into(buffer)) if self._connection.sock else 0
        count = min(len(buffer), len(self._came))
        buffer[:count] = self._came[:count]
        self._came = self._came[count:]
        return count

    def close(self) -> None:
        self._connection.close()
        super().close()
