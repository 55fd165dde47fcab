"""HTTP/1.1 on the wire, as an origin writes and reads it: requests in, heads and chunks out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

from tests.origin.content import Body
from tests.origin.steps import Good, Seen

_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """A head, the span of the body that follows it, and what comes after that."""

    head: bytes
    body: Body
    start: int
    end: int
    stays_open: bool
    chunked: bool = False
    tail: bytes = b""


def read_request(reader: BinaryIO, connection: int) -> Seen | None:
    """Read one request head; None at the end of the connection."""
    line = reader.readline(65_536)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    raw = []
    while (line := reader.readline(65_536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        raw.append((name.strip(), value.strip()))
    return Seen(method, target, {name.lower(): value for name, value in raw}, connection, time.monotonic(), tuple(raw))


def head_of(status: int, fields: tuple[tuple[str, str], ...]) -> bytes:
    """A status line and header fields."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unheard Of"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def plan_answer(step: Good, body: Body, seen: Seen) -> Answer:
    """Decide on the answer to a GET (RFC 9110 sections 13 and 14), bent as the step says."""
    if _unchanged(body, seen):
        return Answer(_head(304, step, body, {}), body, 0, 0, True)
    span = _span(step, body, seen)
    if span is None:
        return _framed(200, step, body, 0, body.length, {})
    start, end = span
    if step.ranges == "refuse" or start >= body.length:
        return Answer(_head(416, step, body, {"Content-Range": f"bytes */{body.length}", "Content-Length": "0"}), body, 0, 0, True)
    if step.ranges == "shift":
        start, end = 0, end - start
    total = body.length + 1 if step.ranges == "total" else body.length
    fields = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
    if step.ranges == "unsaid":
        fields = {}
    elif step.ranges == "multipart":
        fields = {"Content-Type": "multipart/byteranges; boundary=x"}
    elif step.ranges == "gzip":
        fields["Content-Encoding"] = "gzip"
    return _framed(206, step, body, start, end, fields)


def chunks_of(answer: Answer, rate: int | None) -> Iterator[bytes]:
    """The body in pieces as they go out, small ones where a rate is to be kept."""
    size = _CHUNK if rate is None else max(1, min(_CHUNK, rate // 50))
    for start in range(answer.start, answer.end, size):
        data = answer.body.read(start, min(answer.end, start + size))
        yield b"%x\r\n%s\r\n" % (len(data), data) if answer.chunked else data


def _framed(status: int, step: Good, body: Body, start: int, end: int, fields: dict[str, str]) -> Answer:
    length = end - start
    if step.length in ("chunked", "chunked_cut"):
        tail = b"0\r\n\r\n" if step.length == "chunked" else b""
        head = _head(status, step, body, fields | {"Transfer-Encoding": "chunked"})
        return Answer(head, body, start, end, bool(tail) and step.close == "no", True, tail)
    if step.length != "none":
        lie = {"small": -1, "large": 1}.get(step.length, 0)
        fields = fields | {"Content-Length": str(length + lie)}
    stays_open = step.close == "no" and step.length == "true"
    return Answer(_head(status, step, body, fields), body, start, end, stays_open)


def _head(status: int, step: Good, body: Body, fields: dict[str, str]) -> bytes:
    all_fields: dict[str, str | None] = {
        "Content-Type": body.content_type,
        "ETag": body.etag,
        "Last-Modified": body.last_modified,
        "Accept-Ranges": body.accept_ranges,
        **fields,
        "Connection": "close" if step.close == "announced" or step.length == "none" else None,
        **dict(step.fields),
    }
    return head_of(status, tuple((name, value) for name, value in all_fields.items() if value is not None))


def _unchanged(body: Body, seen: Seen) -> bool:
    if "if-none-match" in seen.fields:
        return body.etag is not None and seen.fields["if-none-match"] == body.etag
    return body.last_modified is not None and seen.fields.get("if-modified-since") == body.last_modified


def _span(step: Good, body: Body, seen: Seen) -> tuple[int, int] | None:
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", seen.fields.get("range", ""))
    if not match or step.ranges == "ignore" or not _if_range_holds(step, body, seen):
        return None
    if not match[1]:
        return max(0, body.length - int(match[2])), body.length
    return int(match[1]), min(body.length, int(match[2]) + 1) if match[2] else body.length


def _if_range_holds(step: Good, body: Body, seen: Seen) -> bool:
    condition = seen.fields.get("if-range")
    if condition is None or step.if_range == "ignore":
        return True
    if step.if_range == "reject":
        return False
    strong = body.etag if body.etag and not body.etag.startswith("W/") else None
    return condition in (strong, body.last_modified) and condition is not None
