"""What a request carries and which way it goes: header fields, credentials, proxies, trusted certificates."""

from __future__ import annotations

import shutil

import certifi
import pytest

from marscore.adapters.http.access import USER_AGENT, credentials_of, fields_of, proxy_of, trusted
from marscore.errors import OriginError
from marscore.ports import Request
from marscore.url import parse_proxy, parse_url
from marscore.values import Access, Credentials, Proxies

HERE, ELSEWHERE = parse_url("http://here.example/a"), parse_url("http://elsewhere.example/a")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("REQUEST_METHOD", raising=False)


def test_a_requests_own_fields_outrank_the_manifests():
    access = Access((("accept-encoding", "gzip"), ("X", "y")))
    sent = fields_of(Request(HERE, access, (("Accept-Encoding", "identity"),)), HERE)
    assert sent == (("X", "y"), ("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"))


@pytest.mark.parametrize("auth", [Credentials("who", "secret"), Credentials("who", "secret", "digest")])
def test_credentials_outrank_a_field_of_the_manifest(auth):
    access = Access((("authorization", "Bearer abc"), ("X", "y"), ("User-Agent", "mine")), auth=auth)
    assert fields_of(Request(HERE, access), HERE) == (("X", "y"), ("User-Agent", "mine"))


def test_elsewhere_only_what_may_go_along_is_sent():
    access = Access((("X", "y"), ("user-agent", "mine"), ("Z", "z")), forward_headers=("z",))
    assert fields_of(Request(HERE, access), ELSEWHERE) == (("user-agent", "mine"), ("Z", "z"))


@pytest.mark.parametrize(
    ("url", "auth", "expected"),
    [
        ("http://here.example/a", None, None),
        ("http://who:s%C3%BC@here.example/a", None, Credentials("who", "sü")),
        ("http://who@here.example/a", None, Credentials("who", "")),
        ("http://who:secret@here.example/a", Credentials("me", "mine"), Credentials("me", "mine")),
        ("http://here.example/a", "netrc", Credentials("net", "word")),
        ("http://nowhere.example/a", "netrc", None),
    ],
)
def test_who_asks(tmp_path, url, auth, expected):
    (tmp_path / "netrc").write_text("machine here.example login net password word\n")
    request = Request(parse_url(url), Access(auth=auth))
    assert credentials_of(request, request.url) == expected
    assert credentials_of(request, ELSEWHERE) is None


@pytest.mark.parametrize("content", [None, "machine here.example nonsense", b"\xff\xfe"])
def test_a_netrc_that_cannot_be_read_holds_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "netrc").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert credentials_of(Request(HERE, Access(auth="netrc")), HERE) is None


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, HERE, None),
        ({"http_proxy": "proxy:3128"}, HERE, parse_proxy("http://proxy:3128")),
        ({"HTTP_PROXY": "proxy:3128"}, HERE, parse_proxy("http://proxy:3128")),
        ({"HTTP_PROXY": "proxy:3128", "REQUEST_METHOD": "GET"}, HERE, None),
        ({"http_proxy": "", "HTTP_PROXY": "proxy:3128"}, HERE, None),
        ({"https_proxy": "proxy:3128"}, HERE, None),
        ({"all_proxy": "socks5h://proxy"}, HERE, parse_proxy("socks5h://proxy")),
        ({"http_proxy": "proxy:1", "no_proxy": "10.0.0.0/8,.example"}, HERE, None),
        ({"http_proxy": "proxy:1", "no_proxy": "elsewhere.example"}, HERE, parse_proxy("http://proxy:1")),
    ],
)
def test_the_environments_proxy(monkeypatch, environment, url, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(Access(), url) == expected


def test_the_manifests_proxies_outrank_the_environments(monkeypatch):
    monkeypatch.setenv("http_proxy", "proxy:1")
    monkeypatch.setenv("no_proxy", "*")
    assert proxy_of(Access(proxies=Proxies("http://other:2")), HERE) == parse_proxy("http://other:2")
    assert proxy_of(Access(proxies=Proxies()), HERE) is None


def test_a_proxy_that_is_no_url_is_named():
    with pytest.raises(OriginError) as caught:
        proxy_of(Access(proxies=Proxies("http://[half")), HERE)
    assert caught.value.failure.kind == "proxy"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_what_is_trusted(monkeypatch, tmp_path, name):
    assert trusted(Access()) == certifi.where()
    assert trusted(Access(verify=False)) is None
    some, mine = (str(tmp_path / each) for each in ("some", "mine"))
    monkeypatch.setenv(name, some)
    with pytest.raises(OriginError, match=f"{name} names {some}, which is not there"):
        trusted(Access())
    shutil.copy(certifi.where(), some)
    shutil.copy(certifi.where(), mine)
    assert trusted(Access()) == some
    assert trusted(Access(verify=mine)) == mine
