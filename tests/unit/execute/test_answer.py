"""Every answer is held against what was asked before a byte of its body is used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from marscore.execute.transfer.answer import Asked, NotModified, Part, Refused, Unsatisfiable, Verdict, Version, Whole, read_answer
from marscore.policy.retry import DEFAULT_STATUSES
from marscore.ports import Answer
from marscore.state import key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import ByteRange

URL = "http://h/f"
ETAG = {"etag": '"v1"'}


def judge(status: int, asked: Asked = None, **fields: str) -> object:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return without_resource(read_answer(Answer(status, named, parse_url(URL)), asked, DEFAULT_STATUSES, now=0.0))


def without_resource(verdict: Verdict) -> object:
    """The verdict, once it has named what answered; that is the same in all tests."""
    if isinstance(verdict, Unsatisfiable):
        assert verdict.resource == key_of("http://h:80/f")
        return replace(verdict, resource=None)
    if isinstance(verdict, Whole | Part):
        assert verdict.version.resource == key_of("http://h:80/f")
        return replace(verdict, version=replace(verdict.version, resource=None))
    return verdict


@dataclass(frozen=True)
class Refusal:
    id: str
    fields: dict[str, str]
    says: str
    asked: tuple[int, int | None] | None = (10, 20)
    status: int = 206
    kind: str = field(default="range_mismatch")


REFUSALS = [
    Refusal("another start", {"content_range": "bytes 0-9/100"}, "bytes 0-9 to a request for 10-19"),
    Refusal("another start than that of the rest", {"content_range": "bytes 0-9/100"}, "bytes 0-9 to a request for 10-", asked=(10, None)),
    Refusal("more than was asked for", {"content_range": "bytes 10-20/100"}, "bytes 10-20"),
    Refusal("an end past the total", {"content_range": "bytes 10-19/15"}, "contradicts itself"),
    Refusal("an end before the start", {"content_range": "bytes 10-5/100"}, "contradicts itself"),
    Refusal("no Content-Range", {}, "without saying which"),
    Refusal("a Content-Range in other units", {"content_range": "lines 10-19/100"}, "without saying which"),
    Refusal("several ranges", {"content_type": "multipart/byteranges; boundary=x"}, "several ranges"),
    Refusal("a length that is not the range's", {"content_range": "bytes 10-19/100", "content_length": "11"}, "Content-Length is 11"),
    Refusal("a part where the whole was asked for", {"content_range": "bytes 0-9/100"}, "request for the whole", asked=None),
    Refusal("not found", {}, "404 Not Found", status=404, kind="http_status"),
    Refusal("a bad request", {}, "the server answered 400 Bad Request", status=400, kind="http_status"),
    Refusal("too many requests", {}, "429", status=429, kind="rate_limited"),
    Refusal("a server error", {}, "503", status=503, kind="server_error"),
    Refusal("a server error that nobody retries", {}, "501", status=501, kind="http_status"),
    Refusal("a status without a body", {}, "204", status=204, kind="http_status"),
    Refusal("a redirect without a place", {}, "302", status=302, kind="http_status"),
    Refusal("proxy authentication", {}, "407", status=407, kind="proxy"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_refuses(case: Refusal) -> None:
    verdict = judge(case.status, case.asked, **case.fields)
    assert isinstance(verdict, Refused)
    assert verdict.failure.kind == case.kind
    assert case.says in verdict.failure.message


def test_takes_the_asked_range() -> None:
    assert judge(206, (10, 20), content_range="bytes 10-19/100", content_length="10", etag='"v1"') == Part(
        Version(100, Validator('"v1"')), ByteRange(10, 20)
    )


@pytest.mark.parametrize("length", [{"content_length": "100"}, {}, {"transfer_encoding": "chunked"}])
def test_takes_a_part_that_is_the_whole_where_no_range_was_asked_for(length: dict[str, str]) -> None:
    verdict = judge(206, None, content_range="bytes 0-99/100", etag='"v1"', **length)
    assert verdict == Whole(Version(100, Validator('"v1"')), None)


@pytest.mark.parametrize("content_range", ["bytes 0-98/100", "bytes 1-99/100", "bytes 0-99/*", "bytes 0-100/100", "lines 0-99/100", ""])
def test_takes_no_other_part_there(content_range: str) -> None:
    assert isinstance(judge(206, None, content_range=content_range), Refused)
    assert isinstance(judge(206, None, content_range="bytes 0-99/100", content_length="99"), Refused)
    assert isinstance(judge(206, None, content_range="bytes 0-99/100", content_type="multipart/byteranges; boundary=x"), Refused)


def test_takes_a_shorter_range_than_asked() -> None:
    verdict = judge(206, (10, 20), content_range="bytes 10-14/100")
    assert isinstance(verdict, Part)
    assert verdict.range == ByteRange(10, 15)


def test_takes_a_range_of_unknown_total() -> None:
    verdict = judge(206, (10, None), content_range="bytes 10-19/*")
    assert isinstance(verdict, Part)
    assert verdict.version.size is None


def test_takes_a_whole_file() -> None:
    assert judge(200, content_length="100", accept_ranges="bytes", **ETAG) == Whole(Version(100, Validator('"v1"')), True)


@pytest.mark.parametrize(("field", "accepts"), [("bytes", True), ("none", False), ("", None), ("Bytes, x", True)])
def test_reads_accept_ranges(field: str, accepts: bool | None) -> None:
    verdict = judge(200, accept_ranges=field)
    assert isinstance(verdict, Whole)
    assert verdict.accepts_ranges is accepts


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"content_length": "7"}, 7),
        ({"content_length": "7, 7"}, 7),
        ({"content_length": "7, 8"}, None),
        ({"content_length": "-7"}, None),
        ({"content_length": "7", "transfer_encoding": "chunked"}, None),
        ({}, None),
    ],
)
def test_reads_the_length(fields: dict[str, str], size: int | None) -> None:
    verdict = judge(200, **fields)
    assert isinstance(verdict, Whole)
    assert verdict.version.size == size


@pytest.mark.parametrize(("field", "encoding"), [(" GZIP ", "gzip"), ("Identity", None), ("", None), (None, None)])
def test_reads_the_encoding(field: str | None, encoding: str | None) -> None:
    fields = {} if field is None else {"content_encoding": field}
    assert judge(200, **fields) == Whole(Version(None, Validator(), encoding), None)
    assert judge(206, (0, 2), content_range="bytes 0-1/2", **fields) == Part(Version(2, Validator(), encoding), ByteRange(0, 2))


def test_reads_304_and_416() -> None:
    assert judge(304) == NotModified()
    assert judge(416, (10, None), content_range="bytes */10") == Unsatisfiable(10)
    assert judge(416, (10, None)) == Unsatisfiable(None)
    shown = {"etag": '"v1"', "last_modified": "one day", "date": "another"}
    validator = Validator('"v1"', "one day", "another")
    assert judge(304, **shown) == NotModified(validator)
    assert judge(416, (10, None), content_range="bytes */10", **shown) == Unsatisfiable(10, validator)
    assert judge(200, **shown) == Whole(Version(None, validator), None)


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (Version(1, Validator('"a"')), Version(1, Validator('"a"')), False),
        (Version(1, Validator('"a"')), Version(1, Validator('"b"')), True),
        (Version(1, Validator()), Version(2, Validator()), True),
        (Version(None, Validator('"a"')), Version(2, Validator('"a"')), False),
        (Version(1, Validator('"a"')), Version(1, Validator()), False),
        (Version(1, Validator(None, "Mon")), Version(1, Validator(None, "Tue")), True),
        (Version(1, Validator('"a"'), "gzip"), Version(1, Validator('"a"')), True),
    ],
)
def test_tells_versions_apart(one: Version, other: Version, differs: bool) -> None:
    assert bool(one.differs_from(other)) is differs


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Version(2, Validator('"a"', "Mon")), "size was 1 and is 2"),
        (Version(1, Validator('"b"', "Tue")), 'ETag was "a" and is "b"'),
        (Version(1, Validator('"a"', "Tue")), "Last-Modified was Mon and is Tue"),
        (Version(1, Validator('"a"', "Mon"), "gzip"), "Content-Encoding changed"),
    ],
)
def test_says_in_what_versions_differ(one: Version, words: str) -> None:
    assert one.differs_from(Version(1, Validator('"a"', "Mon"))) == words
