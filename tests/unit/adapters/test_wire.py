"""HTTP on the wire: whatever is put into a request it stays one, and a head is understood as http.client understands it, or not at all."""

from __future__ import annotations

import io
import re
import string
from http.client import HTTPException, parse_headers

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.adapters.heads import final_head
from marscore.adapters.requests_client import RequestsClient
from marscore.adapters.wire import END, MAX_FIELDS, block_of, head_of, parse_head, request_bytes
from marscore.ports import Request
from marscore.url import parse_url
from marscore.values import Access

often = settings(max_examples=300, deadline=None)


def head(*lines: str) -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1")


# Heads

UNDERSTOOD: dict[str, tuple[bytes, int, dict[str, str]]] = {
    "no fields": (head("HTTP/1.1 200 OK"), 200, {}),
    "no reason": (head("HTTP/1.1 404"), 404, {}),
    "an empty reason": (head("HTTP/1.1 404 "), 404, {}),
    "names in lower case": (head("HTTP/1.1 200 OK", "ETag: X"), 200, {"etag": "X"}),
    "no space": (head("HTTP/1.1 200 OK", "a:b"), 200, {"a": "b"}),
    "spaces and tabs": (head("HTTP/1.1 200 OK", "a: \t b  c\t "), 200, {"a": "b  c"}),
    "an empty value": (head("HTTP/1.1 200 OK", "a:"), 200, {"a": ""}),
    "repeated": (head("HTTP/1.1 200 OK", "a: 1", "b: 2", "A: 3"), 200, {"a": "1, 3", "b": "2"}),
    "bytes beyond ASCII": (head("HTTP/1.1 200 OK", "a: \xe9\x85\x80"), 200, {"a": "\xe9\x85\x80"}),
    "every sign of a token": (head("HTTP/1.1 200 OK", "!#$%&'*+.^_`|~-aZ0: 1"), 200, {"!#$%&'*+.^_`|~-az0": "1"}),
    "as many fields as http.client takes": (head("HTTP/1.1 200 OK", *["a: b"] * MAX_FIELDS), 200, {"a": ", ".join(["b"] * MAX_FIELDS)}),
}


@pytest.mark.parametrize(("data", "status", "fields"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_a_head_by_the_book_is_understood(data: bytes, status: int, fields: dict[str, str]) -> None:
    assert parse_head(data) == head_of(status, fields)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        head("HTTP/1.1 200 OK")[:-1],
        head("HTTP/1.1 200 OK") + b"x",
        head("HTTP/1.1 200 OK") + head("HTTP/1.1 200 OK"),
        head("HTTP/1.0 200 OK"),
        head("HTTP/1.2 200 OK"),
        head("HTTP/2 200 OK"),
        head("http/1.1 200 OK"),
        head("HTTP/1.1  200 OK"),
        head("HTTP/1.1 20 OK"),
        head("HTTP/1.1 2000 OK"),
        head("HTTP/1.1 099 OK"),
        head("HTTP/1.1 200OK"),
        head("HTTP/1.1 200 OK", "no colon"),
        head("HTTP/1.1 200 OK", ": no name"),
        head("HTTP/1.1 200 OK", "a : b"),
        head("HTTP/1.1 200 OK", " a: b"),
        head("HTTP/1.1 200 OK", "a: b", " folded"),
        head("HTTP/1.1 200 OK", "a: b\nc: d"),
        head("HTTP/1.1 200 OK", "a: b\rc: d"),
        head("HTTP/1.1 200 OK", "a: b\0"),
        head("HTTP/1.1 200 OK", "a: \x1b[2J"),
        head("HTTP/1.1 200 OK", "a: b\x7f"),
        head("HTTP/1.1 200 OK", "\xe9: b"),
        head("HTTP/1.1 200 \x00"),
        head("HTTP/1.1 200 OK", *["a: b"] * (MAX_FIELDS + 1)),
        head("HTTP/1.1 200 OK", "a: b").replace(b"\r\n", b"\n"),
    ],
)
def test_a_head_that_is_not_strictly_http_1_1_is_left_to_others(data: bytes) -> None:
    assert parse_head(data) is None


LENGTHS = [
    ({"content-length": "0"}, 0),
    ({"content-length": "12"}, 12),
    ({"content-length": "9" * 19}, int("9" * 19)),
    ({"content-length": "9" * 20}, None),
    ({"content-length": "5, 5"}, None),
    ({"content-length": "+5"}, None),
    ({"content-length": "-5"}, None),
    ({"content-length": "5_0"}, None),
    ({"content-length": "\u0665"}, None),
    ({"content-length": "\xb2"}, None),
    ({"content-length": ""}, None),
    ({}, None),
    ({"content-length": "5", "transfer-encoding": "chunked"}, None),
    ({"content-length": "5", "transfer-encoding": "identity"}, None),
    ({"content-length": "5", "content-encoding": "gzip"}, None),
    ({"content-length": "5", "content-encoding": "Identity"}, 5),
]


@pytest.mark.parametrize(("fields", "length"), LENGTHS)
def test_a_body_has_a_length_only_where_it_is_beyond_doubt(fields: dict[str, str], length: int | None) -> None:
    assert head_of(200, fields).body_length == length


@pytest.mark.parametrize(
    ("status", "extra", "plain"),
    [
        (200, {}, True),
        (206, {}, True),
        (200, {"connection": "Keep-Alive"}, True),
        (200, {"connection": "close"}, False),
        (200, {"connection": "keep-alive, close"}, False),
        (200, {"set-cookie": "a=b"}, False),
        (200, {"upgrade": "h2c"}, False),
        *((status, {}, False) for status in (100, 101, 103, 201, 204, 301, 304, 404, 416, 503)),
    ],
)
def test_only_whole_files_and_parts_of_them_are_plain(status: int, extra: dict[str, str], plain: bool) -> None:
    assert head_of(status, {"content-length": "1", **extra}).is_plain is plain


# Whatever comes

SIGNS = [b"\r\n", b"\n", b"\r", b"\0", b": ", b":", b" ", b"\t", b"\x80\xff", b"\x85", b"\x1c", b"\x0c", b"=?utf-8?q?x?="]
WORDS = [
    b"HTTP/1.1 ",
    b"HTTP/1.0 ",
    b"200",
    b"103 Early",
    b" OK",
    b"Content-Length",
    b"Transfer-Encoding",
    b"chunked",
    b"12",
    b"a",
    b"B",
    b"From ",
]
PIECES = st.sampled_from([*SIGNS, *WORDS])
FIELD = st.builds(
    lambda name, value: name + b":" + value + b"\r\n", st.sampled_from([b"a", b"A", b"Content-Type", b"From"]), st.binary(max_size=12)
)
HEADS = st.one_of(
    st.binary(max_size=200),
    st.lists(PIECES, max_size=30).map(b"".join),
    st.lists(PIECES, max_size=20).map(lambda parts: b"HTTP/1.1 200 OK\r\n" + b"".join(parts) + b"\r\n\r\n"),
    st.lists(FIELD, max_size=6).map(lambda lines: b"HTTP/1.1 200 OK\r\n" + b"".join(lines) + b"\r\n"),
)


@often
@given(HEADS)
def test_whatever_comes_is_a_safe_head_or_none(data: bytes) -> None:
    understood = parse_head(data)
    if understood is None:
        return
    for name, value in understood.fields.items():
        assert not set(name + value) & set("\r\n\0")
        assert name == name.lower()
    assert understood.body_length is None or understood.body_length >= 0
    assert END.search(data).end() == len(data)  # type: ignore[union-attr]


@often
@given(HEADS)
@example(b"HTTP/1.1 200 OK\r\nFrom: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\na: b\x85c\r\n\r\n")
def test_what_is_understood_http_client_reads_alike(data: bytes) -> None:
    understood = parse_head(data)
    if understood is None:
        return
    stream = io.BytesIO(data)
    assert stream.readline().split()[1] == str(understood.status).encode()
    fields: dict[str, str] = {}
    for name, value in parse_headers(stream).items():
        value = value.rstrip(" \t")  # which http.client leaves there
        fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
    assert dict(understood.fields) == fields


@often
@given(HEADS)
def test_what_the_general_client_makes_of_it_is_strict_too(data: bytes) -> None:
    stream = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]
    try:
        put_in_order, _ = final_head(stream)
    except HTTPException:
        return
    if not put_in_order.startswith(b"HTTP/"):
        assert put_in_order == data[:5]
        return
    assert put_in_order.endswith(b"\r\n\r\n")
    assert b"\0" not in put_in_order
    lines = put_in_order[:-4].split(b"\r\n")
    assert not any(byte in line for line in lines for byte in b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines[1:]]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1


@often
@given(HEADS)
def test_where_both_understand_a_head_they_agree(data: bytes) -> None:
    understood = parse_head(data)
    # Who is plain is answered directly; all else the general client judges.
    if understood is None or not understood.is_plain:
        return
    put_in_order, doubtful = final_head(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    assert not doubtful
    again = parse_head(put_in_order)
    assert again == understood


# Requests

ONE_REQUEST = re.compile(rb"GET /[!-~]* HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*\r\n")
TEXT = st.one_of(st.text(max_size=20), st.text(alphabet="\r\n\0 :/?#aGET HTTP1.\t", max_size=30))
NAMES = st.one_of(TEXT, st.text(alphabet=string.ascii_letters + "-", min_size=1, max_size=8))


@often
@given(TEXT, st.lists(st.tuples(NAMES, TEXT), max_size=3), st.lists(st.tuples(NAMES, TEXT), max_size=3))
@example("", [("A", "b\r\nC: d")], [])
@example("", [], [("A", "b\r\n\r\nGET /secret HTTP/1.1")])
@example("", [("A: b\r\nC", "d")], [])
@example("a HTTP/1.1\r\nX: y\r\n\r\nGET /", [], [])
def test_no_url_and_no_header_makes_more_than_one_request(path: str, shared: list[tuple[str, str]], own: list[tuple[str, str]]) -> None:
    try:
        data = request_bytes(parse_url("http://origin.example/" + path).target, block_of(shared), own)
    except ValueError:
        return
    assert ONE_REQUEST.fullmatch(data)
    assert data.count(b"\r\n") == 2 + len(shared) + len(own)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("http://LOUD.example:80/", "loud.example"),
        ("https://a.example.:8443/", "a.example:8443"),
    ],
)
def test_the_way_to_an_origin_names_it_as_the_general_client_does(url: str, host: str) -> None:
    client = RequestsClient(1)
    way = client.way_to(Request(parse_url(url), Access()))
    assert way is not None
    assert way.block.startswith(f"Host: {host}\r\n".encode())
    client.close()
