"""Responses of http.client as the transport by requests has them: one head, by the rules of both transports, and a body to its very end."""

from __future__ import annotations

import io
import socket
from http.client import HTTPException, IncompleteRead
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marscore.adapters.http import heads
from marscore.adapters.http.requests_heads import BadHead, StrictResponse
from tests.long import examples

often = settings(max_examples=examples(300), deadline=None)

SIGNS = [b"\r\n", b"\n", b"\r", b"\0", b": ", b":", b" ", b"\t", b"\x80\xff", b"\x85", b"\x1c", b"\x0c", b"=?utf-8?q?x?="]
WORDS = [
    b"HTTP/1.1 ",
    b"HTTP/1.0 ",
    b"200",
    b"103 Early",
    b" OK",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Set-Cookie",
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
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"5\r\nfirst\r\n6;x=y\r\nsecond\r\n0\r\nTrailer: z\r\n\r\n"


class Sent:
    """A socket from which this comes, and then the end."""

    def __init__(self, data: bytes) -> None:
        self.stream = io.BytesIO(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.stream)  # type: ignore[arg-type]

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing to wait for."""

    def gettimeout(self) -> None:
        return None


def begun(data: bytes) -> StrictResponse:
    response = StrictResponse(Sent(data))
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def body_of(response: StrictResponse, most: int = 4) -> bytes:
    return b"".join(iter(lambda: response.read1(most), b""))


@often
@given(HEADS)
@example(b"HTTP/1.1 200 OK\r\nFrom: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\na: b\x85c\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
def test_a_head_is_refused_or_says_to_http_client_what_it_says_to_the_other_transport(data: bytes) -> None:
    sent = Sent(data)
    response = StrictResponse(sent)
    try:
        response.begin()
    except HTTPException:
        response.close()
        return
    stream: Any = response.fp
    rest = getattr(stream, "_stream", stream).read()
    head = heads.final_head(io.BytesIO(data[: len(data) - len(rest)]).readlines())
    assert isinstance(head, heads.Head)
    message = response.headers
    merged = {name: ", ".join(message.get_all(name, [])) for name in message.keys()}  # noqa: SIM118 - its own names, repeated ones too
    assert (response.status, merged) == (head.status, dict(head.fields))
    assert tuple(message.get_all("Set-Cookie", [])) == head.cookies
    assert not ("content-length" in merged and "transfer-encoding" in merged)
    assert not any(sign in value for value in merged.values() for sign in "\r\n\0")
    response.close()


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n", False),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_used_again_only_where_the_end_of_the_answer_is_beyond_doubt(head: bytes, closes: bool) -> None:
    response = begun(head + b"\r\n")
    assert response.will_close is closes
    response.close()


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/2 200\r\n\r\n", b"HTT", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 101])
def test_what_is_not_http_1_is_refused(data: bytes) -> None:
    with pytest.raises(BadHead) as caught:
        begun(data)
    assert caught.value.failure.kind == "connection"


def test_a_head_that_never_ends_is_read_no_further_than_it_may_be_large() -> None:
    sent = Sent(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * heads.MAX_BYTES)
    response = StrictResponse(sent)
    with pytest.raises(BadHead) as caught:
        response.begin()
    assert caught.value.failure == heads.TOO_LARGE
    assert sent.stream.tell() < 3 * heads.MAX_BYTES
    response.close()


@pytest.mark.parametrize("most", [1, 4, 65_536])
def test_chunks_are_put_together_up_to_the_last_one(most: int) -> None:
    response = begun(CHUNKED + WHOLE)
    assert body_of(response, most) == b"firstsecond"
    assert response.isclosed()


@pytest.mark.parametrize(
    "chunks",
    [
        b"+5\r\nfirst\r\n0\r\n\r\n",
        b"0x5\r\nfirst\r\n0\r\n\r\n",
        b"0_5\r\nfirst\r\n0\r\n\r\n",
        b" 5\r\nfirst\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
        b"5\r\nfirstXX0\r\n\r\n",
        b"5\r\nfirst0\r\n\r\n",
        b"5\r\nfirst\r\n0\r\n" + b"a: b\r\n" * 2000 + b"\r\n",
        *(WHOLE[:end] for end in range(len(WHOLE))),
    ],
)
def test_chunks_that_are_broken_or_break_off_are_no_whole_body(chunks: bytes) -> None:
    response = begun(CHUNKED + chunks)
    with pytest.raises(IncompleteRead):
        body_of(response)
    response.close()


@pytest.mark.parametrize("excess", [b"", b"!"])
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
def test_a_connection_on_which_bytes_follow_the_body_carries_nothing_more(head: bytes, excess: bytes) -> None:
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(20)
        server.sendall(head + excess)
        response = StrictResponse(client)
        response.begin()
        assert response.read1(2) == b"ok"
        assert response.length == 0 or response.read1(2) == b""
        response.close()
        if excess:
            assert server.recv(1) == b""
        else:
            client.sendall(b"next")
            assert server.recv(4) == b"next"
