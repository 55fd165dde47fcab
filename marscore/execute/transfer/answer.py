"""What a server's answer to one GET means, checked against what was asked, before one byte of its body is used.

    Answer + the range that was asked --read_answer--> Whole | Part | NotModified | Unsatisfiable | Refused

Every 206 is held against the request: its start, end, total and encoding (RFC 9110 section 15.3.7). Servers that answer another range
than the asked one exist, and trusting them gives a file of the right size with the wrong bytes.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import TypeAlias

from marscore.frozen import dataclass
from marscore.policy.announced import Body, announced_in
from marscore.policy.failures import failure_of_status, parse_retry_after
from marscore.policy.redirect import resource_of
from marscore.ports import Answer
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import Announced, ByteRange, Failure


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource as an answer showed it. `size` is None where no length was told, `resource` the key of what answered.

    `announced` are the digests of the whole file that answers carried.
    """

    size: int | None
    validator: Validator
    encoding: str | None = None
    resource: str | None = None
    announced: tuple[Announced, ...] = ()

    def differs_from(self, other: Version) -> str | None:
        """Say in what the two cannot be the same version; None where nothing speaks against it."""
        pairs = (
            ("size", self.size, other.size),
            ("ETag", self.validator.etag, other.validator.etag),
            ("Last-Modified", self.validator.last_modified, other.validator.last_modified),
        )
        for name, mine, theirs in pairs:
            if mine is not None and theirs is not None and mine != theirs:
                return f"{name} was {theirs} and is {mine}"
        return self._other_digest(other) if self.encoding == other.encoding else "Content-Encoding changed"

    def _other_digest(self, other: Version) -> str | None:
        if not self.announced or not other.announced:
            return None
        for each in self.announced:
            theirs = [known.checksum for known in other.announced if known.checksum.algorithm == each.checksum.algorithm]
            if theirs and each.checksum not in theirs:
                return f"{each.field} names the {each.checksum.algorithm} {each.checksum.hex}, and it was {theirs[0].hex}"
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """The body is the whole file. `accepts_ranges` is what the server says of itself: None where it says nothing."""

    version: Version
    accepts_ranges: bool | None


@dataclass(frozen=True, slots=True)
class Part:
    """The body is `range` of the file."""

    version: Version
    range: ByteRange


@dataclass(frozen=True, slots=True)
class NotModified:
    """The file that a condition spoke of is still current (304), and has this validator as far as the answer shows one.

    `elsewhere` tells that it is another URL's than the one that was asked.
    """

    validator: Validator = Validator()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The file has no such range (416); `size` is what the server says it is, `validator` what the answer shows of its version."""

    size: int | None
    validator: Validator = Validator()
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no usable body."""

    failure: Failure


Verdict: TypeAlias = Whole | Part | NotModified | Unsatisfiable | Refused

#: What a Range field asked for: first byte, and the end (exclusive) or None for an open one. None as a whole: no Range field.
Asked: TypeAlias = tuple[int, int | None] | None

_CONTENT_RANGE = re.compile(r"bytes[ =](\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.IGNORECASE)
_UNSATISFIED_RANGE = re.compile(r"bytes[ =]\*/(\d{1,19})", re.IGNORECASE)


def read_answer(answer: Answer, asked: Asked, statuses: Set[int], now: float) -> Verdict:
    """Judge an answer. `statuses` are those that the retry rules list; `now` is Unix time, for dates in Retry-After."""
    if answer.status in (200, 203):
        return Whole(_version(answer, _content_length(answer), "whole"), _accepts_ranges(answer))
    if answer.status == 206:
        return _partial(answer, asked)
    if answer.status == 304:
        return NotModified(_validator(answer), bool(answer.hops))
    if answer.status == 416 and asked is not None:
        match = _UNSATISFIED_RANGE.fullmatch(answer.fields.get("content-range", "").strip())
        return Unsatisfiable(int(match[1]) if match else None, _validator(answer), key_of(resource_of(answer.url)))
    if answer.status >= 400:
        retry_after = parse_retry_after(answer.fields.get("retry-after"), now)
        return Refused(failure_of_status(answer.status, statuses, retry_after, answer.fields.get("www-authenticate", "")))
    return Refused(Failure("http_status", f"the server answered {answer.status}, which carries no file", answer.status))


def _partial(answer: Answer, asked: Asked) -> Verdict:
    if answer.fields.get("content-type", "").lower().startswith("multipart/byteranges"):
        return _mismatch("the server answered several ranges in one body to a request for one")
    match = _CONTENT_RANGE.fullmatch(answer.fields.get("content-range", "").strip())
    if not match:
        return _mismatch("the server answered a part of the file without saying which")
    first, last = int(match[1]), int(match[2])
    size = None if match[3] == "*" else int(match[3])
    if asked is None and (first, last + 1) != (0, size):
        return _mismatch("the server answered a part of the file to a request for the whole")
    wrong = _wrong_range(first, last, size, asked or (0, None)) or _wrong_length(answer, last - first + 1)
    if wrong:
        return _mismatch(wrong)
    version = _version(answer, size, "part" if asked else "whole")
    return Part(version, ByteRange(first, last + 1)) if asked else Whole(version, _accepts_ranges(answer))


def _wrong_range(first: int, last: int, size: int | None, asked: tuple[int, int | None]) -> str | None:
    start, end = asked
    if last < first or (size is not None and last >= size):
        return f"Content-Range {first}-{last}/{size} contradicts itself"
    if first != start or (end is not None and last >= end):
        wanted = f"{start}-{'' if end is None else end - 1}"
        return f"the server answered bytes {first}-{last} to a request for {wanted}"
    return None


def _wrong_length(answer: Answer, wanted: int) -> str | None:
    length = _content_length(answer)
    if length is not None and length != wanted:
        return f"Content-Length is {length} where the range has {wanted} bytes"
    return None


def _mismatch(message: str) -> Refused:
    return Refused(Failure("range_mismatch", message))


def _version(answer: Answer, size: int | None, body: Body) -> Version:
    encoding = answer.fields.get("content-encoding", "").strip().lower() or "identity"
    # What a proxy transformed is not what the origin speaks of (RFC 9110 section 15.3.4).
    announced = announced_in(answer.fields, body) if answer.status != 203 else ()
    coding = encoding if encoding != "identity" else None
    return Version(size, _validator(answer), coding, key_of(resource_of(answer.url)), announced)


def _validator(answer: Answer) -> Validator:
    return Validator(answer.fields.get("etag"), answer.fields.get("last-modified"), answer.fields.get("date"))


def _content_length(answer: Answer) -> int | None:
    # A Content-Length beside Transfer-Encoding is to be ignored (RFC 9112 section 6.3).
    if "transfer-encoding" in answer.fields:
        return None
    told = answer.fields.get("content-length", "")
    if told.isdecimal() and told.isascii() and len(told) < 20:
        return int(told)
    values = {value.strip() for value in told.split(",")}
    value = values.pop() if len(values) == 1 else ""
    return int(value) if re.fullmatch(r"[0-9]{1,19}", value) else None


def _accepts_ranges(answer: Answer) -> bool | None:
    if answer.fields.get("accept-ranges") == "bytes":
        return True
    units = {unit.strip().lower() for unit in answer.fields.get("accept-ranges", "").split(",")} - {""}
    return "bytes" in units if units else None
