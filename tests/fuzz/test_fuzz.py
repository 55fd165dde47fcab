"""Fuzz targets: manifests, journals, heads of answers, and what core reads out of their fields."""

from __future__ import annotations

import io
import json
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.adapters.http.heads import Head, final_head
from marscore.errors import ManifestError
from marscore.execute.transfer.answer import read_answer
from marscore.journal import Header, Journal, Piece, decode, encode_finished, encode_header, encode_piece
from marscore.ports import Answer
from marscore.printable import cells, printable
from marscore.resolve.expand import load, load_mapping
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import ByteRange

FUZZ = settings.get_profile("fuzz")
ENVIRONMENT = {"HOME": "/home/me", "TOKEN": "s3cret"}
VALID: dict[str, Any] = {
    "version": 1,
    "output_dir": "data",
    "execution": {"threads": 4, "max_rate": "1MiB", "deadline": "2h"},
    "security": {"private_addresses": "refuse"},
    "defaults": {"headers": {"User-Agent": "x"}, "retry": {"max_retries_by": {"timeout": 1}, "backoff": {"initial": "1ms"}}},
    "downloads": [
        "http://h/a",
        {"url": "http://h/{i:03d}", "path": "{i}", "each": {"i": {"from": 1, "to": 3}}, "checksum": "md5:" + "0" * 32},
        {"url": "http://h/b", "mirrors": ["http://m/b"], "size": "1KiB", "auth": {"username": "u", "password": "p"}, "tags": ["t"]},
    ],
}
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["${TOKEN}", "${X:-", "$$", "{i", "{i:9999d}", "1e999", "-1", "../x", "\x00", "http://[", "sha256:", "9" * 400]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | scalars, inner, max_size=4)
)


def check(error: ManifestError) -> None:
    assert error.problems
    assert "s3cret" not in str(error)
    for quote in [problem.quote for problem in error.problems if problem.quote]:
        assert printable(quote.text) == quote.text
        assert 0 <= quote.indent <= cells(quote.text) + 1, quote
        assert 1 <= quote.width <= max(1, cells(quote.text)), quote


def loads_or_refuses(text: str) -> None:
    try:
        load(text, "m.yaml", ENVIRONMENT)
    except ManifestError as error:
        check(error)


@FUZZ
@given(st.text() | st.text("{}[]:-,&*!|>'\"#%@` \n\tab1~?<", max_size=60))
@example("a: &a\n  <<: *a\n")
def test_any_text_is_a_manifest_or_an_error(text: str) -> None:
    loads_or_refuses(text)


@FUZZ
@given(
    st.sampled_from(
        [
            "auth: {username: me, password: {}}",
            "headers: {Authorization: {}}",
            'headers: {Authorization: "Bearer {}"}',
            "auth:\n      username: me\n      pasword: {}",
            "headers:\n      Authorization:\n        {}",
            "url: https://me:{}@e.com/x",
            "mirrors: ['https://e.com/x?token={}']",
            "cert: {cert: a.pem, password: {}}",
            "token: {}",
            "proxies: http://me:{}@p:1",
        ]
    ),
    st.text("\"'[]{}:-#&*!|> \tab", max_size=3),
    st.text("\"'[]{}:,-#&*!|> \t", max_size=3),
    st.text("\"'[]{}:, \nab", max_size=8),
    st.integers(0, 200),
)
def test_no_error_shows_a_secret_wherever_the_text_is_broken(template: str, before: str, behind: str, put: str, at: int) -> None:
    written = template.replace("{}", f"{before}s3cretHunter2{behind}")
    text = f"version: 1\ndownloads:\n  - url: http://h/a\n    {written}\n    path: b\n"
    start = text.index("s3cretHunter2")
    # Not in the secret itself, which would be another one then, and not in the key that says that it is one.
    at = at if at < 12 or at > start + len("s3cretHunter2") else start + len("s3cretHunter2")
    try:
        load(text[:at] + put + text[at:], "m.yaml", ENVIRONMENT)
    except ManifestError as error:
        # Where a secret is written as a key, the problem's path names it.
        quotes = [quote for problem in error.problems for quote in (problem.quote, problem.elsewhere and problem.elsewhere.quote) if quote]
        assert not [quote for quote in quotes if "s3cret" in quote.text]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@FUZZ
@given(st.data())
def test_any_change_of_a_manifest_is_a_manifest_or_an_error(data: st.DataObject) -> None:
    document = json.loads(json.dumps(VALID))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(document)))
        if data.draw(st.booleans()) and isinstance(container, dict):
            container[data.draw(st.text(max_size=8))] = data.draw(values)
        else:
            container[key] = data.draw(values)
    loads_or_refuses(yaml.safe_dump(document, allow_unicode=True))
    try:
        load_mapping(document, ENVIRONMENT)
    except ManifestError as error:
        check(error)


spans = st.tuples(st.integers(0, 2**40), st.integers(1, 2**30)).map(lambda p: ByteRange(p[0], p[0] + p[1]))
lines = st.one_of(
    st.builds(encode_piece, st.builds(Piece, spans, st.text("0123456789abcdef", min_size=32, max_size=32))),
    st.builds(encode_finished, st.text(max_size=64)),
    st.binary(max_size=40),
    st.just(b"\n"),
)


@FUZZ
@given(st.binary(max_size=300) | st.lists(lines).map(lambda parts: encode_header(Header("k", 9, Validator('"v"'))) + b"".join(parts)))
def test_any_bytes_are_a_journal_or_none(data: bytes) -> None:
    journal = decode(data)
    assert journal is None or (isinstance(journal, Journal) and 0 <= journal.sound <= len(data))
    assert journal is None or all(len(piece.range) > 0 for piece in journal.pieces)


field_lines = st.tuples(st.text("abcXYZ-_0 :\t", max_size=10), st.text(max_size=20)).map(
    lambda p: f"{p[0]}: {p[1]}\r\n".encode("utf-8", "replace")
)
heads = st.tuples(
    st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 206\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 99 x\r\n"]), st.lists(field_lines)
).map(lambda p: p[0] + b"".join(p[1]) + b"\r\n")


@FUZZ
@given(st.binary(max_size=200) | heads)
@example(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
@example(b"HTTP/1.1 200 OK\nA: b\n\n")
def test_any_bytes_are_a_head_or_none(data: bytes) -> None:
    head = final_head(io.BytesIO(data).readlines())
    if not isinstance(head, Head):
        return
    assert not any(character in "".join(head.fields.values()) for character in "\r\n\0")
    assert head.length is None or head.length >= 0
    assert all(name == name.lower() and not set(name) & set(" \t:") for name in head.fields)


@FUZZ
@given(st.text(max_size=60).map(lambda tail: "http://h/" + tail))
@example("http://h/a b HTTP/1.1\r\nX: y\r\n\r\nGET /")
def test_no_url_makes_more_than_one_request(url: str) -> None:
    try:
        target = parse_url(url).target
    except ValueError:
        return
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target


names = st.sampled_from(
    [
        "content-range",
        "content-length",
        "transfer-encoding",
        "etag",
        "last-modified",
        "date",
        "retry-after",
        "accept-ranges",
        "content-type",
    ]
)
texts = st.text(max_size=30) | st.sampled_from(
    ["bytes 0-9/10", "bytes 5-4/9", "bytes */9", "1" * 400, "-1", "W/", "Mon, 99 Foo 2026 99:99:99 GMT", "٣"]
)
asked = st.none() | st.tuples(st.integers(0, 99), st.none() | st.integers(100, 199))


@FUZZ
@given(st.integers(100, 599), st.dictionaries(names, texts), asked)
def test_any_answer_is_judged(status: int, fields: dict[str, str], wanted: tuple[int, int | None] | None) -> None:
    read_answer(Answer(status, fields, parse_url("http://h/a")), wanted, frozenset({503}), now=1_700_000_000.0)
