"""The transport by requests: a caller's own session, and what becomes of an exchange when its helper cannot work."""

from __future__ import annotations

import gc
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from requests.auth import HTTPDigestAuth

from marscore.adapters.http.requests_client import RequestsClient
from marscore.adapters.http.requests_transport import SessionTransport
from marscore.errors import OriginError
from marscore.ports import Exchange, Request
from marscore.url import parse_url
from marscore.values import Access, Credentials
from tests.origin import Body, Good, Origin, redirect
from tests.origin.faults import basic_auth, digest_auth, needs_cookie

FILE = Body(100_000)
WHOLE = FILE.read(0, FILE.length)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


@pytest.fixture
def transport(session: requests.Session) -> Iterator[SessionTransport]:
    made = SessionTransport(2, session)
    yield made
    made.close()


def carried(transport: SessionTransport, url: str, access: Access | None = None) -> Exchange:
    exchange = Exchange(Request(parse_url(url), access or Access(), (("Accept-Encoding", "identity"),)))
    transport.start(exchange)
    deadline = time.monotonic() + 30
    while not exchange.over:
        assert time.monotonic() < deadline
        transport.turn(deadline)
    return exchange


def body_of(exchange: Exchange) -> bytes:
    assert exchange.failure is None
    return b"".join(exchange.chunks)


def test_its_header_fields_and_cookies_go_along_and_its_cookies_are_kept(
    session: requests.Session, transport: SessionTransport, origin: Origin
) -> None:
    session.headers["X-Own"] = "mine"
    origin.serve("/file", FILE)
    origin.handle("/file", needs_cookie())
    for _ in range(2):
        assert body_of(carried(transport, origin.url("/file"))) == WHOLE
    assert [seen.fields["x-own"] for seen in origin.requests] == ["mine", "mine"]
    assert session.cookies["session"] == "s3cret"


@pytest.mark.parametrize(
    ("auth", "handler"), [(("who", "secret"), basic_auth), (HTTPDigestAuth("who", "secret"), digest_auth)], ids=["basic", "digest"]
)
def test_its_auth_is_used(
    auth: Any, handler: Callable[..., Any], session: requests.Session, transport: SessionTransport, origin: Origin
) -> None:
    session.auth = auth
    origin.serve("/file", FILE)
    origin.handle("/file", handler("who", "secret"))
    exchange = carried(transport, origin.url("/file"))
    assert body_of(exchange) == WHOLE
    assert exchange.answer is not None
    assert exchange.answer.status == 200


def test_the_auth_of_the_manifest_outranks_its_own(session: requests.Session, transport: SessionTransport, origin: Origin) -> None:
    session.auth = ("other", "wrong")
    origin.serve("/file", FILE)
    origin.handle("/file", basic_auth("who", "secret"))
    assert body_of(carried(transport, origin.url("/file"), Access(auth=Credentials("who", "secret")))) == WHOLE


def test_nothing_secret_of_it_goes_to_another_origin(session: requests.Session, transport: SessionTransport, origin: Origin) -> None:
    session.auth = ("who", "secret")
    session.headers.update({"X-Token": "secret", "Authorization": "secret", "User-Agent": "mine/1"})
    session.cookies.set("anywhere", "secret")
    session.cookies.set("there", "theirs", domain="127.0.0.1")
    with Origin() as other:
        other.serve("/file", FILE)
        origin.handle("/file", lambda seen: redirect(other.url("/file")))
        assert body_of(carried(transport, origin.url("/file"))) == WHOLE
        assert "secret" in str(origin.requests)
        assert "secret" not in str(other.requests)
        assert "authorization" not in other.requests[0].fields
        assert other.requests[0].fields["user-agent"] == "mine/1"
        # Cookies know no ports (RFC 6265 section 8.5): the other one is on the same host.
        assert other.requests[0].fields["cookie"] == "there=theirs"


class Memory(BaseAdapter):
    """Answers with a file that it holds."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.raw = 200, request, io.BytesIO(WHOLE)
        response.headers["Content-Length"] = str(len(WHOLE))
        return response

    def close(self) -> None:
        """Nothing."""


def test_its_adapters_are_used(session: requests.Session, transport: SessionTransport) -> None:
    session.mount("http://memory.example/", Memory())
    exchange = carried(transport, "http://memory.example/file")
    assert body_of(exchange) == WHOLE
    assert exchange.answer is not None
    assert exchange.answer.fields["content-length"] == str(FILE.length)


def test_its_hooks_are_called_and_it_is_not_closed(session: requests.Session, origin: Origin) -> None:
    seen: list[int] = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    transport = SessionTransport(1, session)
    url = origin.serve("/file", FILE)
    assert body_of(carried(transport, url)) == WHOLE
    transport.close()
    assert seen == [200]
    assert session.get(url, timeout=30).content == WHOLE


@pytest.mark.parametrize(("error", "kind"), [(TypeError("odd"), "internal"), (MemoryError(), "resources"), (SystemExit(1), "internal")])
def test_whatever_a_helper_meets_ends_its_exchange_and_not_the_helper(
    error: BaseException, kind: str, session: requests.Session, origin: Origin
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    transport = SessionTransport(1, session)
    url = origin.serve("/file", FILE)
    session.hooks["response"] = [fail]
    failed = carried(transport, url)
    assert failed.failure is not None
    assert failed.failure.kind == kind
    session.hooks["response"] = []
    assert body_of(carried(transport, url)) == WHOLE
    transport.close()


def test_a_body_of_a_callers_adapter_is_ended_by_cancel(session: requests.Session, origin: Origin) -> None:
    transport = SessionTransport(1, session)
    origin.script("/stalled", [Good(FILE, stall_after=10_000, stall_s=60)])
    exchange = Exchange(Request(parse_url(origin.url("/stalled")), Access(), ()))
    transport.start(exchange)
    while not exchange.chunks:
        transport.turn(time.monotonic() + 1)
    transport.cancel(exchange)
    # There is one helper.
    assert body_of(carried(transport, origin.serve("/file", FILE))) == WHOLE
    transport.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a stack of that size is refused there otherwise")
def test_where_the_system_starts_no_thread_the_exchange_ends(origin: Origin) -> None:
    transport = SessionTransport(2)
    exchange = Exchange(Request(parse_url(origin.serve("/file", FILE)), Access(), ()))
    before = threading.stack_size(1 << 46)
    try:
        transport.start(exchange)
    finally:
        threading.stack_size(before)
    assert transport.turn(time.monotonic() + 30) == [exchange]
    assert exchange.over
    assert exchange.failure is not None
    assert exchange.failure.kind == "resources"
    assert body_of(carried(transport, origin.url("/file"))) == WHOLE
    transport.close()


def test_a_server_that_resets_a_connection_before_its_handshake_leaves_no_socket_open() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = parse_url(f"https://127.0.0.1:{listening.getsockname()[1]}/")

    def reset(copy: socket.socket, _is_copy: bool) -> None:
        """Called between the connect and the handshake: nobody has taken the connection, so that closing resets it."""
        copy.close()
        listening.close()

    client = RequestsClient(1)
    with pytest.raises(OriginError) as caught, client.use(tell=reset):
        client.open(Request(url, Access()))
    client.close()
    assert caught.value.failure.kind == "connection"
    del caught
    gc.collect()


def test_a_connection_that_waits_is_no_longer_this_exchange_s_to_end(origin: Origin) -> None:
    told: list[socket.socket | None] = []
    copies: list[socket.socket] = []
    client = RequestsClient(1)
    with client.use(tell=lambda sock, is_copy: (copies if is_copy else told).append(sock)):
        response = client.open(Request(parse_url(origin.serve("/file", FILE)), Access()))
        assert told[-1] is not None
        while response.read(65_536):
            pass
        # By now another thread may have it.
        assert told[-1] is None
        response.close()
    for copy in copies:
        copy.close()
    client.close()


def test_socks_without_pysocks_says_what_to_do() -> None:
    program = """
import sys, time
sys.modules["socks"] = None
from marscore.adapters.http.requests_transport import SessionTransport
from marscore.ports import Exchange, Request
from marscore.url import parse_url
from marscore.values import Access, Proxies
transport = SessionTransport(1)
exchange = Exchange(Request(parse_url("http://there.invalid/"), Access(proxies=Proxies("socks5h://127.0.0.1:9"))))
transport.start(exchange)
while not exchange.over:
    transport.turn(time.monotonic() + 1)
transport.close()
print(exchange.failure.kind, exchange.failure.lasting, exchange.failure.message)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "proxy True SOCKS proxies take PySocks here: pip install PySocks\n"


def test_it_needs_no_pycurl() -> None:
    code = "import sys; sys.modules['pycurl'] = None; import marscore.adapters.http.requests_transport"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
