"""An origin in memory behind `ports.HttpClient`: bodies by URL, with ranges, validators and no faults of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from marscore.ports import Answer, Request


class FakeClient:
    """Implements `ports.HttpClient`."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self.bodies = dict(bodies)

    def open(self, request: Request) -> FakeResponse:
        """Answer as a server with ranges and ETags does."""
        body = self.bodies[request.url.text]
        fields = {"etag": f'"{len(body)}"', "accept-ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", dict(request.fields).get("Range", ""))
        if asked is None:
            return FakeResponse(Answer(200, {**fields, "content-length": str(len(body))}, request.url), body)
        start, end = int(asked[1]), int(asked[2] or len(body) - 1) + 1
        part = {"content-range": f"bytes {start}-{end - 1}/{len(body)}", "content-length": str(end - start)}
        return FakeResponse(Answer(206, {**fields, **part}, request.url), body[start:end])

    def ahead(self, requests: Sequence[Request]) -> None:
        """Nothing: one request at a time."""

    def abort(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


class FakeResponse:
    """Implements `ports.Response`."""

    def __init__(self, answer: Answer, body: bytes) -> None:
        self.answer = answer
        self._rest = memoryview(body)

    def read(self, limit: int) -> bytes:
        """The next bytes."""
        data, self._rest = self._rest[:limit], self._rest[limit:]
        return bytes(data)

    def read_into(self, buffer: memoryview) -> int:
        """The next bytes, into memory of the caller's."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def abort(self) -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        """Nothing is kept open."""
