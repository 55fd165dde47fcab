"""Credentials, proxies and certificates, on every kind of transport alike: who is asked, what is shown to whom, and what is refused."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from marscore.adapters.http.requests_transport import SessionTransport
from marscore.policy.redirect import is_public
from marscore.ports import Exchange, Request, Transport
from marscore.url import parse_url
from marscore.values import Access, ClientCertificate, Credentials, Failure, Proxies, Timeouts
from tests.contract.http_kinds import IDENTITY, PATIENCE, TRANSPORTS
from tests.origin import Body, Good, Origin, Raw, Seen, Status, Step, redirect
from tests.origin.faults import basic_auth, digest_auth
from tests.origin.steps import Handler
from tests.servers import Tls, bad_proxy
from tests.servers.socks import socks
from tests.servers.tls_files import client_files
from tests.servers.tunnel import tunnel

FILE = Body(100_000)
WHOLE = FILE.read(0, FILE.length)
WHO = Credentials("wér", 'pa"ss\\w€rd', "digest")
BASIC = "Basic " + base64.b64encode(f"{WHO.username}:{WHO.password}".encode()).decode()


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made = TRANSPORTS[request.param](4)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def carried(transport: Transport, url: str, access: Access, timeouts: Timeouts = PATIENCE) -> Exchange:
    exchange = Exchange(Request(parse_url(url), replace(access, timeouts=timeouts), IDENTITY))
    transport.start(exchange)
    deadline = time.monotonic() + 60
    while not exchange.over:
        assert time.monotonic() < deadline
        transport.turn(deadline)
    return exchange


def got(exchange: Exchange) -> tuple[int, bytes]:
    """Status and body of what ended well."""
    assert exchange.failure is None
    assert exchange.answer is not None
    return exchange.answer.status, b"".join(exchange.chunks)


def failed(exchange: Exchange) -> Failure:
    assert exchange.failure is not None
    return exchange.failure


def shown(seen: Seen) -> str | None:
    """What a request shows; header fields are read as Latin-1."""
    value = seen.fields.get("authorization")
    return None if value is None else value.encode("latin-1").decode()


# Digest


def guarded(origin: Origin, path: str = "/file", step: Step | None = None) -> str:
    origin.serve(path, FILE)
    # What is read as Latin-1 is compared as such.
    return origin.handle(path, digest_auth(WHO.username, WHO.password, step))


@pytest.mark.parametrize("scheme", ["digest", "auto"])
def test_digest_is_asked_for_once_and_then_known(transport: Transport, place: Origin, access: Access, scheme: str) -> None:
    access = replace(access, auth=replace(WHO, scheme=scheme))
    urls = [guarded(place, f"/{n}") for n in range(5)]
    for url in urls:
        assert got(carried(transport, url, access)) == (200, WHOLE)
    sent = [shown(seen) for seen in place.requests]
    assert len(sent) == 6, "one challenge in all"
    assert sent[0] is None
    assert all(value is not None and value.startswith("Digest ") for value in sent[1:])
    assert [value.partition("nc=")[2][:8] for value in sent[1:] if value] == [f"{n:08x}" for n in range(1, 6)]
    assert place.connections_accepted == 1
    assert not any("pa" in (value or "").partition("cnonce")[0] and BASIC in (value or "") for value in sent)


def test_a_wrong_password_is_the_origins_401_and_its_body_no_file(transport: Transport, place: Origin, access: Access) -> None:
    exchange = carried(transport, guarded(place), replace(access, auth=replace(WHO, password="wrong")))
    assert got(exchange)[0] == 401
    assert len(place.requests) == 2


def test_a_nonce_that_has_gone_stale_is_replaced(transport: Transport, origin: Origin) -> None:
    origin.serve("/file", FILE)
    served: list[Seen] = []

    def answer(seen: Seen) -> Step:
        served.append(seen)
        nonce = f"{len(served) // 4}"
        stale = ", stale=true" if "authorization" in seen.fields else ""
        if f'nonce="{nonce}"' in seen.fields.get("authorization", ""):
            return Good()
        return Status(401, (("WWW-Authenticate", f'Digest realm="r", qop="auth", nonce="{nonce}"{stale}'),))

    origin.handle("/file", answer)
    for _ in range(4):
        assert got(carried(transport, origin.url("/file"), Access(auth=WHO))) == (200, WHOLE)
    assert len(served) == 6


def test_nonces_that_are_always_too_old_are_not_answered_for_ever(transport: Transport, origin: Origin) -> None:
    numbers = itertools.count()
    origin.handle(
        "/file", lambda seen: Status(401, (("WWW-Authenticate", f'Digest realm="r", qop="auth", nonce="{next(numbers)}", stale=true'),))
    )
    assert got(carried(transport, origin.url("/file"), Access(auth=WHO)))[0] == 401
    assert 2 < len(origin.requests) < 8


def test_files_that_are_asked_for_at_once_count_each_use_of_a_nonce(transport: Transport, origin: Origin) -> None:
    used: set[str] = set()

    def answer(seen: Seen) -> Step:
        value = seen.fields.get("authorization", "")
        count = value.partition("nc=")[2][:8]
        if not value or count in used:
            return Status(401, (("WWW-Authenticate", 'Digest realm="r", qop="auth", nonce="n"'),))
        used.add(count)
        return Good(FILE, delay_s=0.05)

    exchanges = []
    for number in range(12):
        origin.handle(f"/{number}", answer)
        exchanges.append(Exchange(Request(parse_url(origin.url(f"/{number}")), Access(timeouts=PATIENCE, auth=WHO), IDENTITY)))
        transport.start(exchanges[-1])
    deadline = time.monotonic() + 60
    while not all(exchange.over for exchange in exchanges):
        assert time.monotonic() < deadline
        transport.turn(time.monotonic() + 0.05)
    assert [got(exchange) for exchange in exchanges] == [(200, WHOLE)] * 12


def test_auto_shows_a_password_only_where_it_is_asked_for(transport: Transport, place: Origin, access: Access) -> None:
    access = replace(access, auth=replace(WHO, scheme="auto"))
    place.serve("/open", FILE)
    place.serve("/guarded", FILE)
    place.handle("/guarded", basic_auth(WHO.username, WHO.password))
    for path in ("/open", "/guarded", "/guarded"):
        assert got(carried(transport, place.url(path), access)) == (200, WHOLE)
    assert [shown(seen) for seen in place.requests] == [None, None, BASIC, BASIC]


def test_a_realm_may_have_any_letters(transport: Transport, origin: Origin) -> None:
    origin.serve("/file", FILE)
    realm = "Büro".encode().decode("latin-1")
    challenge = Status(401, (("WWW-Authenticate", f'Digest realm="{realm}", nonce="n", qop="auth"'),))
    origin.handle("/file", lambda seen: Good() if "authorization" in seen.fields else challenge)
    assert got(carried(transport, origin.url("/file"), Access(auth=WHO))) == (200, WHOLE)
    assert 'realm="Büro"' in (shown(origin.requests[1]) or "")


def test_auto_takes_digest_where_both_are_offered(transport: Transport, origin: Origin) -> None:
    origin.serve("/file", FILE)
    both = (("WWW-Authenticate", 'Basic realm="b"'), ("WWW-Authenticate", 'Digest realm="d", nonce="n", qop="auth"'))
    origin.handle("/file", lambda seen: Good() if "authorization" in seen.fields else Status(401, both))
    assert got(carried(transport, origin.url("/file"), Access(auth=replace(WHO, scheme="auto")))) == (200, WHOLE)
    assert (shown(origin.requests[1]) or "").startswith("Digest ")


def test_digest_never_becomes_basic(transport: Transport, origin: Origin) -> None:
    origin.serve("/file", FILE)
    origin.handle("/file", basic_auth(WHO.username, WHO.password))
    assert got(carried(transport, origin.url("/file"), Access(auth=WHO)))[0] == 401
    assert [shown(seen) for seen in origin.requests] == [None]


def test_what_one_origin_asks_for_is_never_answered_to_another(transport: Transport, place: Origin, access: Access) -> None:
    """Neither where a redirect leads elsewhere, nor where the same credentials are meant for both."""
    access = replace(access, auth=WHO)
    with Origin(host="127.0.0.2") as other:
        other.serve("/file", FILE)
        place.handle("/away", digest_auth(WHO.username, WHO.password, redirect(other.url("/file"))))
        if not place.url().startswith("https"):
            assert got(carried(transport, place.url("/away"), access)) == (200, WHOLE)
        assert got(carried(transport, guarded(place), access)) == (200, WHOLE)
        assert got(carried(transport, other.url("/file"), access)) == (200, WHOLE)
        challenge = (("WWW-Authenticate", 'Digest realm="elsewhere", nonce="n", qop="auth"'),)
        other.handle("/asks", lambda seen: Status(401, challenge))
        exchange = carried(transport, place.handle("/asked", lambda seen: redirect(other.url("/asks"))), access)
        assert exchange.failure is not None or got(exchange)[0] == 401
        assert [shown(seen) for seen in other.requests] == [None] * len(other.requests)


def test_a_challenge_with_a_large_body_is_answered_on_whatever_connection(transport: Transport, origin: Origin) -> None:
    large = b"x" * 3_000_000
    right = digest_auth(WHO.username, WHO.password)

    def answer(seen: Seen) -> Step:
        step = right(seen)
        return replace(step, text=large) if isinstance(step, Status) else step

    origin.serve("/file", FILE)
    origin.handle("/file", answer)
    assert got(carried(transport, origin.url("/file"), Access(auth=WHO))) == (200, WHOLE)


# A user name alone


@pytest.mark.parametrize("written", ["url", "auth"])
def test_a_user_name_alone_is_sent_and_not_to_others(transport: Transport, origin: Origin, written: str) -> None:
    origin.serve("/file", FILE)
    with Origin(host="127.0.0.2") as other:
        origin.handle("/away", lambda seen: redirect(other.serve("/file", FILE)))
        url, access = origin.url("/away"), Access(auth=Credentials("tökén"))
        if written == "url":
            url, access = url.replace("http://", "http://t%C3%B6k%C3%A9n@"), Access()
        assert got(carried(transport, url, access)) == (200, WHOLE)
        assert shown(origin.requests[0]) == "Basic " + base64.b64encode("tökén:".encode()).decode()
        assert shown(other.requests[0]) is None


# Proxies


def by(proxy: str) -> Access:
    return Access(proxies=Proxies(proxy, proxy))


def proxy_handler(origin: Origin, wants: str) -> Handler:
    """A forward proxy for http that is shown credentials as it `wants`, and serves everything itself."""
    challenge = Status(407, (("Proxy-Authenticate", wants),))
    scheme = wants.partition(" ")[0]
    return lambda seen: Good(FILE) if seen.fields.get("proxy-authorization", "").startswith(scheme) else challenge


def test_a_proxy_gets_its_user_name_and_password_in_utf_8(transport: Transport) -> None:
    with Origin() as proxy:
        proxy.handle_rest(proxy_handler(proxy, 'Basic realm="p"'))
        url = f"http://w%C3%A9r:pa%22ss%5Cw%E2%82%ACrd@127.0.0.1:{proxy.port}"
        assert got(carried(transport, "http://there.invalid/file", by(url))) == (200, WHOLE)
        assert [(seen.target, seen.fields["proxy-authorization"]) for seen in proxy.requests] == [("http://there.invalid/file", BASIC)]


def test_a_proxy_that_wants_digest_gets_it_from_libcurl_and_by_requests_is_named(transport: Transport) -> None:
    libcurl = not isinstance(transport, SessionTransport)
    with Origin() as proxy:
        proxy.handle_rest(proxy_handler(proxy, 'Digest realm="p", nonce="n", qop="auth"'))
        access = by(proxy.url("").replace("http://", "http://who:secret@"))
        for _ in range(3):
            assert got(carried(transport, "http://there.invalid/file", access))[0] == (200 if libcurl else 407)
        shows = [seen.fields.get("proxy-authorization", "").partition(" ")[0] for seen in proxy.requests]
        assert shows == (["Basic", "", "Digest", "Digest", "Digest"] if libcurl else ["Basic"] * 3)


def test_a_proxy_that_wants_digest_for_a_tunnel_gets_it_from_libcurl(transport: Transport) -> None:
    libcurl = not isinstance(transport, SessionTransport)
    with Origin() as proxy:
        challenge = Status(407, (("Proxy-Authenticate", 'Digest realm="p", nonce="n", qop="auth"'),))
        proxy.handle_rest(lambda seen: Status(403) if seen.fields.get("proxy-authorization", "").startswith("Digest") else challenge)
        access = by(proxy.url("").replace("http://", "http://who:secret@"))
        for _ in range(2):
            failure = failed(carried(transport, "https://there.invalid/file", access))
            assert (failure.kind, failure.status) == ("proxy", 403 if libcurl else 407)
        shows = [seen.fields.get("proxy-authorization", "").partition(" ")[0] for seen in proxy.requests]
        assert shows[0] == "Basic"
        assert ("Digest" in shows) is libcurl


def test_a_wrong_password_for_a_proxys_digest_ends(transport: Transport) -> None:
    with Origin() as proxy:
        challenge = Status(407, (("Proxy-Authenticate", 'Digest realm="p", nonce="n", qop="auth"'),))
        proxy.handle_rest(lambda seen: challenge)
        access = by(proxy.url("").replace("http://", "http://who:secret@"))
        assert got(carried(transport, "http://there.invalid/file", access))[0] == 407
        failure = failed(carried(transport, "https://there.invalid/file", access))
        assert (failure.kind, failure.status) == ("proxy", 407)
        assert len(proxy.requests) < 8


def test_a_proxy_without_a_port_is_at_that_of_its_scheme(transport: Transport) -> None:
    assert failed(carried(transport, "http://there.invalid/file", by("http://127.0.0.1"))).kind == "proxy"


@pytest.mark.parametrize("status", [403, 407])
def test_what_a_proxy_answers_to_connect_is_named_and_does_not_pass(transport: Transport, status: int) -> None:
    with bad_proxy("wants_password" if status == 407 else "refuses") as proxy:
        for url in (proxy.url(""), proxy.url("").replace("http://", "http://who:secret@")):
            access = replace(by(url), headers=(("X-Api-Key", "secret"),), auth=Credentials("who", "secret"))
            failure = failed(carried(transport, "https://there.invalid/", access))
            assert (failure.kind, failure.status) == ("proxy", status)
            assert "CONNECT" in failure.message
        assert [seen.method for seen in proxy.requests] == ["CONNECT", "CONNECT"]
        # What is the origin's is not the proxy's.
        assert not {"authorization", "x-api-key"} & {name for seen in proxy.requests for name in seen.fields}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("user", [None, "wér:p@ss"])
def test_a_socks_proxy_carries_requests(transport: Transport, place: Origin, access: Access, scheme: str, user: str | None) -> None:
    url = place.serve("/file", FILE)
    if scheme == "socks5h":
        url = url.replace("127.0.0.1", "localhost")
    with socks(user and user.encode()) as proxy:
        written = "" if user is None else "w%C3%A9r:p%40ss@"
        address = f"{scheme}://{written}127.0.0.1:{proxy.port}"
        for _ in range(2):
            assert got(carried(transport, url, replace(access, proxies=Proxies(address, address)))) == (200, WHOLE)
        assert set(proxy.asked) <= ({"localhost"} if scheme == "socks5h" else {"127.0.0.1"})
        assert len(proxy.asked) == place.connections_accepted == 1
        assert proxy.passwords == ([] if user is None else [user.encode()])


def test_a_socks_proxy_that_takes_no_such_password_is_named(transport: Transport, origin: Origin) -> None:
    with socks(b"who:right") as proxy:
        for written in ("who:wrong@", ""):
            assert failed(carried(transport, origin.url("/file"), by(f"socks5h://{written}127.0.0.1:{proxy.port}"))).kind == "proxy"
    assert failed(carried(transport, origin.url("/file"), by("socks5h://127.0.0.1:9"))).kind == "proxy"
    assert not origin.requests


@pytest.mark.parametrize("no_proxy", ["127.0.0.0/8", "127.0.0.1:PORT", "10.0.0.1 127.0.0.1"])
def test_hosts_of_no_proxy_are_asked_directly(transport: Transport, origin: Origin, monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    url = origin.serve("/file", FILE)
    with Origin() as proxy:
        proxy.handle_rest(lambda seen: Good(Body(10)))
        monkeypatch.setenv("http_proxy", proxy.url(""))
        monkeypatch.setenv("NO_PROXY", no_proxy.replace("PORT", str(origin.port)))
        assert got(carried(transport, url, Access())) == (200, WHOLE)
        assert not proxy.requests
        assert len(got(carried(transport, "http://there.invalid/", Access()))[1]) == 10


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "[::1]", "[fd00::1]", "localhost", "a.localhost.", "[::ffff:10.0.0.1]"])
@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_redirect_to_a_private_address_is_refused_behind_a_proxy_too(transport: Transport, kind: str, host: str) -> None:
    with Origin() as proxy, socks() as tunnel:
        proxy.handle_rest(lambda seen: redirect(f"http://{host}:{proxy.port}/secret"))
        address = proxy.url("") if kind == "http" else f"socks5h://127.0.0.1:{tunnel.port}"
        first = "http://there.invalid/first" if kind == "http" else proxy.url("/first")
        access = replace(by(address), private_addresses="refuse")
        assert failed(carried(transport, first, access)).kind == "redirect"
        assert [seen.path for seen in proxy.requests] in (["http://there.invalid/first"], ["/first"])


def private_name() -> str:
    """A name that means an address of this machine, and does not say so itself."""
    for name in ("ip6-loopback", socket.gethostname()):
        with contextlib.suppress(OSError):
            if not all(is_public(str(address[0])) for *_, address in socket.getaddrinfo(name, 80)):
                return name
    pytest.skip("this machine has no name of its own")


def test_a_redirect_to_a_private_name_is_refused_behind_a_proxy_too(transport: Transport) -> None:
    name = private_name()
    with Origin() as proxy:
        proxy.handle_rest(lambda seen: redirect(f"http://{name}/secret"))
        access = replace(by(proxy.url("")), private_addresses="refuse")
        assert failed(carried(transport, "http://there.invalid/first", access)).kind == "redirect"
        assert len(proxy.requests) == 1
        # Whom the manifest names is its author's choice.
        proxy.handle_rest(lambda seen: Good(FILE))
        assert got(carried(transport, f"http://{name}/file", access)) == (200, WHOLE)


def test_a_name_that_the_proxy_alone_knows_may_be_asked_for(transport: Transport) -> None:
    with Origin() as proxy:
        proxy.handle_rest(lambda seen: redirect("http://elsewhere.invalid/") if "there.invalid/first" in seen.target else Good(FILE))
        access = replace(by(proxy.url("")), private_addresses="refuse")
        paused = Exchange(Request(parse_url("http://there.invalid/first"), access, IDENTITY))
        transport.start(paused)
        transport.pause(paused)
        cancelled = Exchange(Request(parse_url("http://there.invalid/first"), access, IDENTITY))
        transport.start(cancelled)
        deadline = time.monotonic() + 30
        while len(proxy.requests) < 2:
            assert time.monotonic() < deadline
            transport.turn(time.monotonic() + 0.05)
        transport.cancel(cancelled)
        before = cancelled.over
        assert got(carried(transport, "http://there.invalid/first", access)) == (200, WHOLE)
        transport.resume(paused)
        while not paused.over:
            assert time.monotonic() < deadline
            transport.turn(time.monotonic() + 0.05)
        assert got(paused) == (200, WHOLE)
        assert cancelled.over == before


def test_an_https_proxy_is_verified_and_used(transport: Transport, tls: Tls, tmp_path: Path) -> None:
    with Origin(tls=tls.server_context()) as proxy:
        proxy.handle_rest(lambda seen: Good(FILE))
        url = f"https://who:secret@127.0.0.1:{proxy.port}"
        assert failed(carried(transport, "http://there.invalid/file", by(url))).kind == "tls"
        assert not proxy.requests
        assert got(carried(transport, "http://there.invalid/file", replace(by(url), verify=str(tls.authority)))) == (200, WHOLE)
        assert got(carried(transport, "http://there.invalid/file", replace(by(url), verify=False))) == (200, WHOLE)
        assert {seen.target for seen in proxy.requests} == {"http://there.invalid/file"}
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / f"{subject_hash(x509.load_pem_x509_certificate(tls.authority.read_bytes())):08x}.0").symlink_to(tls.authority)
        assert got(carried(transport, "http://there.invalid/file", replace(by(url), verify=str(folder)))) == (200, WHOLE)


def test_an_https_origin_behind_an_https_proxy(transport: Transport, tls: Tls) -> None:
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    with tunnel(tls.server_context()) as url, Origin(tls=tls.server_context()) as origin:
        access = replace(by(url), verify=str(tls.authority))
        origin.serve("/file", FILE)
        for _ in range(3):
            assert got(carried(transport, origin.url("/file"), access)) == (200, WHOLE)
        assert origin.connections_accepted == 1
        origin.script("/odd", [Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + forged, 60)])
        assert got(carried(transport, origin.url("/odd"), access)) == (200, b"ok")
        assert got(carried(transport, origin.url("/file"), access)) == (200, WHOLE)
        assert origin.requests_for("/file")[-1].nth == 0
        origin.script("/cut", [Good(FILE, length="none", cut_after=50_000)])
        assert failed(carried(transport, origin.url("/cut"), access)).kind == "truncated"
        assert got(carried(transport, origin.url("/file"), access)) == (200, WHOLE)
        # On the connection that was used before, and then on none.
        origin.script("/silent", [Good(FILE, delay_s=60)])
        silent = Exchange(Request(parse_url(origin.url("/silent")), replace(access, timeouts=PATIENCE), IDENTITY))
        transport.start(silent)
        while not origin.requests_for("/silent"):
            transport.turn(time.monotonic() + 0.05)
        assert origin.requests_for("/silent")[0].nth == 1
        transport.cancel(silent)
        assert got(carried(transport, origin.url("/file"), access)) == (200, WHOLE)
        began = time.monotonic()
        transport.close()
        assert time.monotonic() - began < 1.5


# Certificates


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environments_certificates(
    transport: Transport, tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    with Origin(tls=tls.server_context()) as origin:
        url = origin.serve("/file", FILE)
        assert failed(carried(transport, url, Access())).kind == "tls"
        monkeypatch.setenv(variable, str(tmp_path / "none"))
        failure = failed(carried(transport, url, Access()))
        assert (failure.kind, failure.message) == ("tls", f"{variable} names {tmp_path / 'none'}, which is not there")
        (tmp_path / "empty").write_bytes(b"nothing of the kind")
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
        assert "holds no certificates" in failed(carried(transport, url, Access())).message
        if variable == "SSL_CERT_DIR":
            certificate = x509.load_pem_x509_certificate(tls.authority.read_bytes())
            folder = tmp_path / "folder"
            folder.mkdir()
            # As `openssl rehash` names them.
            (folder / f"{subject_hash(certificate):08x}.0").write_bytes(tls.authority.read_bytes())
            monkeypatch.setenv(variable, f"{tmp_path / 'none'}{os.pathsep}{folder}")
        else:
            monkeypatch.setenv(variable, str(tls.authority))
        assert got(carried(transport, url, Access())) == (200, WHOLE)
        assert len(origin.requests) == 1


def subject_hash(certificate: x509.Certificate) -> int:
    """What OpenSSL calls a certificate's file by (X509_subject_name_hash)."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-subject_hash"],
        input=certificate.public_bytes(serialization.Encoding.PEM),
        capture_output=True,
        check=True,
    )
    return int(text.stdout, 16)


@pytest.mark.parametrize("name", ["both", "pair", "encrypted", "all_encrypted"])
def test_a_client_certificate_is_shown(transport: Transport, tls: Tls, tmp_path: Path, name: str) -> None:
    files, context = client_files(tmp_path), tls.server_context()
    context.load_verify_locations(files.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    cert = {
        "both": ClientCertificate(str(files.both)),
        "pair": ClientCertificate(str(files.cert), str(files.key)),
        "encrypted": ClientCertificate(str(files.cert), str(files.encrypted), files.password),
        "all_encrypted": ClientCertificate(str(files.all_encrypted), None, files.password),
    }[name]
    access = Access(verify=str(tls.authority), cert=cert)
    with Origin(tls=context) as origin:
        url = origin.serve("/file", FILE)
        assert got(carried(transport, url, access)) == (200, WHOLE)
        assert carried(transport, url, replace(access, cert=None)).failure is not None
        if cert.password:
            for password in (None, "wrong"):
                failure = failed(carried(transport, url, replace(access, cert=replace(cert, password=password))))
                assert (failure.kind, "password" in failure.message) == ("tls", True)
        assert len(origin.requests) == 1


def test_a_file_of_certificates_that_is_gone_is_named(transport: Transport, tmp_path: Path, tls: Tls) -> None:
    with Origin(tls=tls.server_context()) as origin:
        url = origin.serve("/file", FILE)
        gone = str(tmp_path / "gone.pem")
        for access in (Access(verify=gone), Access(verify=str(tls.authority), cert=ClientCertificate(gone))):
            failure = failed(carried(transport, url, access))
            assert (failure.kind, failure.lasting) == ("tls", True)
            assert f"{gone}, which is not there" in failure.message
        assert not origin.requests


# IPv6 zones


def test_a_zone_says_which_way_and_is_not_sent(transport: Transport) -> None:
    try:
        origin = Origin(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with origin:
        origin.serve("/file", FILE)
        for zone in ("lo", str(socket.if_nametoindex("lo"))):
            url = f"http://[::1%25{zone}]:{origin.port}/file"
            assert got(carried(transport, url, Access())) == (200, WHOLE)
        assert {seen.fields["host"] for seen in origin.requests} == {f"[::1]:{origin.port}"}
        assert carried(transport, f"http://[fe80::1%25nosuchzone]:{origin.port}/file", Access(), Timeouts(0.3, 0.3)).failure is not None


# What comes instead of an answer


def test_a_challenge_that_is_no_answer_ends_as_one(transport: Transport, origin: Origin) -> None:
    origin.script("/file", [Raw(b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce="n"\r\n\r\n')])
    exchange = carried(transport, origin.url("/file"), Access(auth=WHO))
    assert exchange.failure is not None or got(exchange)[0] == 401
