"""A head is taken where nothing about it is in doubt, and refused elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.adapters.http.heads import MAX_BYTES, MAX_FIELDS, Head, final_head, is_whole
from marscore.values import Failure


def lines(text):
    return [line + b"\r\n" for line in text.encode("latin-1").split(b"\n")]


def head(text):
    return final_head(lines(text))


def test_status_protocol_and_fields_are_read():
    found = head('HTTP/1.1 206 Partial Content\nContent-Length: 5\nX-A:  a \nx-a: b\nETag: "v1"\n')
    assert found == Head(206, "HTTP/1.1", {"content-length": "5", "x-a": "a, b", "etag": '"v1"'})
    assert found.length == 5


@pytest.mark.parametrize(("line", "protocol"), [("HTTP/1.0 200", "HTTP/1.0"), ("HTTP/2 200 ", "HTTP/2"), ("HTTP/3 200", "HTTP/3")])
def test_every_version_is_named(line, protocol):
    assert head(f"{line}\n").protocol == protocol


def test_an_interim_head_is_none_and_the_one_behind_it_is():
    interim = "HTTP/1.1 103 Early Hints\nLink: <a>\n"
    assert head(interim) is None
    assert head(f"{interim}\nHTTP/1.1 200 OK\nX: y\n") == Head(200, "HTTP/1.1", {"x": "y"})


def test_trailers_are_no_part_of_it():
    assert head("HTTP/1.1 200 OK\nX: y\n\nX-Trailer: z\n").fields == {"x": "y"}


def test_folded_fields_are_joined():
    assert head("HTTP/1.1 200 OK\nX: a\n \t b\nY: c\n").fields == {"x": "a b", "y": "c"}


def test_a_transfer_coding_makes_the_length_void():
    found = head("HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n")
    assert (found.length, found.fields) == (None, {"transfer-encoding": "chunked"})
    assert head("HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: identity\n").length == 5


def test_identity_is_no_transfer_coding_and_marks_a_length_as_one_that_counts():
    found = head("HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: Identity\n")
    assert (found.length, found.fields, found.is_identity) == (5, {"content-length": "5"}, True)
    for text in ("Transfer-Encoding: chunked\n", "Content-Length: 5\n"):
        assert not head(f"HTTP/1.1 200 OK\n{text}").is_identity


def test_every_location_is_kept_as_it_came():
    assert head("HTTP/1.1 302 Found\nLocation: /a, b\nlocation: \nLOCATION: /c\n").locations == ("/a, b", "", "/c")
    assert head("HTTP/1.1 302 Found\nX: y\n").locations == ()


def test_cookies_are_seen():
    assert head("HTTP/1.1 200 OK\nSet-Cookie: a=b\n").cookies
    assert not head("HTTP/1.1 200 OK\n").cookies


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/2.0 200 OK\n",
        "HTTP/1.1 20 OK\n",
        "HTTP/1.1 OK\n",
        "HTTP/1.1 101 Switching Protocols\n",
        "HTTP/1.1 200 OK\nno field\n",
        "HTTP/1.1 200 OK\n: x\n",
        "HTTP/1.1 200 OK\n X: y\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n",
        "HTTP/1.1 200 OK\nContent-Length: +2\n",
        "HTTP/1.1 200 OK\nContent-Length: 0_2\n",
        "HTTP/1.1 200 OK\nContent-Length: \n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
    ],
)
def test_what_is_in_doubt_is_a_failure_of_the_connection(text):
    found = head(text)
    assert isinstance(found, Failure)
    assert found.kind == "connection"


def test_as_much_is_taken_as_others_take_and_no_more():
    assert len(head("HTTP/1.1 200 OK\n" + "".join(f"X{n}: y\n" for n in range(MAX_FIELDS))).fields) == MAX_FIELDS
    assert isinstance(head("HTTP/1.1 200 OK\n" + "X: y\n" * (MAX_FIELDS + 1)), Failure)
    assert isinstance(head("HTTP/1.1 200 OK\n" + f"X: {'y' * MAX_BYTES}\n"), Failure)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_lines_are_read_or_refused(found):
    read = final_head(found)
    assert read is None or isinstance(read, (Head, Failure))
    if isinstance(read, Head):
        assert all(not set(value) & set("\r\n\0") for value in read.fields.values())
    is_whole(found)
