"""Heads as http.client is given them: whatever comes, they are strictly one head of HTTP, and both transports read the same in it."""

from __future__ import annotations

import io
from http.client import HTTPException

from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.adapters.http import heads
from marscore.adapters.http.requests_heads import final_head

often = settings(max_examples=300, deadline=None)

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
@example(b"HTTP/1.1 200 OK\r\nFrom: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\na: b\x85c\r\n\r\n")
def test_where_both_transports_understand_a_head_they_agree(data: bytes) -> None:
    stream = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]
    try:
        put_in_order, _ = final_head(stream)
    except HTTPException:
        return
    read = heads.final_head(io.BytesIO(put_in_order).readlines())
    straight = heads.final_head(io.BytesIO(data[: len(data) - len(stream.read())]).readlines())
    if isinstance(read, heads.Head) and isinstance(straight, heads.Head):
        assert (straight.status, straight.fields, straight.locations) == (read.status, read.fields, read.locations)
