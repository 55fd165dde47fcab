"""Decides how a file is answered: conditions, ranges and framing by the book, bent where the step says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from tests.origin.content import Body
from tests.origin.steps import Good, Seen
from tests.origin.wire import Answer, head_of

_BOUNDARY = "marscore-origin"
_TAILS = {
    "chunked": b"0\r\n\r\n",
    "chunked_cut": b"",
    "chunked_garbage": b"0\r\n\r\nthis is not HTTP\r\n",
    "chunked_broken": b"zz\r\nthis is no chunk\r\n",
}
_LIES = {"small": -1, "large": 1}


@dataclass(frozen=True)
class _Part:
    """What of the body goes out, under which status and fields."""

    status: int
    start: int
    end: int
    fields: dict[str, str] = field(default_factory=dict)
    lead: bytes = b""
    trail: bytes = b""

    @property
    def length(self) -> int:
        return len(self.lead) + self.end - self.start + len(self.trail)


def plan_answer(step: Good, body: Body, seen: Seen) -> Answer:
    """Decide on the answer to a GET or HEAD (RFC 9110 sections 13 and 14), bent as the step says."""
    if _unchanged(body, seen):
        return Answer(_head(step, body, 304, {}), body, stays_open=step.close == "no")
    span = _span(step, body, seen)
    if span is None:
        return _framed(step, body, _partial(step, body, 0, body.length) if step.ranges == "always" else _Part(200, 0, body.length))
    if step.ranges == "refuse" or span[0] >= body.length:
        fields = {"Content-Range": f"bytes */{body.length}", "Content-Length": "0"}
        return Answer(_head(step, body, 416, fields), body, stays_open=step.close == "no")
    return _framed(step, body, _partial(step, body, *span))


def _partial(step: Good, body: Body, start: int, end: int) -> _Part:
    """A 206 (RFC 9110 section 15.3.7)."""
    if step.ranges == "shift":
        start, end = 0, end - start
    total = body.length + 1 if step.ranges == "total" else body.length
    said = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
    match step.ranges:
        case "unsaid":
            return _Part(206, start, end)
        case "gzip":
            return _Part(206, start, end, said | {"Content-Encoding": "gzip"})
        case "multipart":
            lead = f"--{_BOUNDARY}\r\nContent-Type: {body.content_type}\r\nContent-Range: {said['Content-Range']}\r\n\r\n"
            kind = {"Content-Type": f"multipart/byteranges; boundary={_BOUNDARY}"}
            return _Part(206, start, end, kind, lead.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode())
    return _Part(206, start, end, said)


def _framed(step: Good, body: Body, part: _Part) -> Answer:
    """Say where the body ends (RFC 9112 section 6), truly or not."""
    if step.length in _TAILS:
        head = _head(step, body, part.status, part.fields | {"Transfer-Encoding": "chunked"})
        stays_open = step.length == "chunked" and step.close == "no"
        return Answer(head, body, part.start, part.end, stays_open, True, _TAILS[step.length], part.lead, part.trail)
    length = {} if step.length == "none" else {"Content-Length": str(part.length + _LIES.get(step.length, 0))}
    head = _head(step, body, part.status, part.fields | length)
    stays_open = step.length == "true" and step.close == "no"
    return Answer(head, body, part.start, part.end, stays_open, lead=part.lead, trail=part.trail)


def _head(step: Good, body: Body, status: int, fields: dict[str, str]) -> bytes:
    usual: dict[str, str | None] = {
        "Content-Type": body.content_type,
        "ETag": body.etag,
        "Last-Modified": body.last_modified,
        "Accept-Ranges": body.accept_ranges,
        "Connection": "close" if step.close == "announced" or step.length == "none" else None,
        **fields,
    }
    given = {name.lower() for name, _ in step.fields}
    kept = [(name, value) for name, value in usual.items() if name.lower() not in given]
    return head_of(status, (*kept, *step.fields))


def _unchanged(body: Body, seen: Seen) -> bool:
    """Whether a 304 is due: If-None-Match compares weakly and outranks If-Modified-Since (RFC 9110 section 13.2.2)."""
    listed = seen.fields.get("if-none-match")
    if listed is not None:
        tags = [tag.strip().removeprefix("W/") for tag in listed.split(",")]
        return body.etag is not None and (listed.strip() == "*" or body.etag.removeprefix("W/") in tags)
    since = seen.fields.get("if-modified-since")
    if since is None or body.last_modified is None:
        return False
    try:
        return parsedate_to_datetime(body.last_modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _span(step: Good, body: Body, seen: Seen) -> tuple[int, int] | None:
    """The bytes asked for; None for all of them, as where the field makes no sense or is not for a GET (RFC 9110 section 14.2)."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", seen.fields.get("range", ""), re.IGNORECASE)
    if not match or seen.method != "GET" or step.ranges == "ignore" or not _if_range_holds(step, body, seen):
        return None
    first, last = match.groups()
    if not first:
        return (max(0, body.length - int(last)), body.length) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(body.length, int(last) + 1) if last else body.length


def _if_range_holds(step: Good, body: Body, seen: Seen) -> bool:
    """If-Range compares strongly, a date exactly (RFC 9110 section 13.1.5)."""
    condition = seen.fields.get("if-range")
    if condition is None or step.if_range == "ignore":
        return True
    if step.if_range == "reject":
        return False
    strong = body.etag if body.etag and not body.etag.startswith("W/") else None
    return condition in (strong, body.last_modified)
