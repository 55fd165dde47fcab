"""What every transport sends, and where redirects lead it. What one sends, every other sends too, field by field."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marscore.ports import Request
from marscore.url import parse_url
from marscore.values import Access, Credentials
from tests.contract.http_kinds import IDENTITY, PATIENCE, Kind, outcome_of
from tests.origin import Body, Good, Origin, Seen, redirect
from tests.origin.faults import basic_auth, redirect_chain

FILE = Body(10_000)


@pytest.fixture
def other() -> Iterator[Origin]:
    """Another origin."""
    with Origin() as running:
        yield running


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_a_redirect_leads_to_the_file(status: int, relative: bool, kind: Kind, place: Origin, access: Access) -> None:
    place.serve("/there", FILE)
    place.handle("/file", lambda seen: redirect("there" if relative else place.url("/there"), status))
    outcome = kind.ask(place, access=access)
    assert (outcome.status, outcome.url, outcome.body) == (200, place.url("/there"), FILE.read(0, FILE.length))


def test_a_redirect_to_another_origin_takes_no_secret_along(kind: Kind, origin: Origin, other: Origin) -> None:
    other.serve("/there", FILE)
    origin.handle("/file", lambda seen: redirect(other.url("/there")))
    secret = Access((("X-Token", "secret"),), PATIENCE, auth=Credentials("who", "secret"))
    assert kind.ask(origin, access=secret).url == other.url("/there")
    assert origin.requests_for("/file")[0].fields["x-token"] == "secret"
    assert "secret" not in str(other.requests)
    assert "authorization" not in other.requests[0].fields


def test_a_loop_of_redirects_ends(kind: Kind, origin: Origin) -> None:
    redirect_chain(origin.handle, "/file", 2, "/file")
    assert kind.ask(origin).kind == "redirect"


@pytest.mark.parametrize("location", ["ftp://elsewhere.example/x", "http://", "http://[half/x", "file:///etc/passwd"])
def test_a_redirect_to_what_cannot_be_asked_is_not_followed(location: str, kind: Kind, origin: Origin) -> None:
    origin.handle("/file", lambda seen: redirect(location))
    assert kind.ask(origin).kind == "redirect"


@pytest.mark.parametrize("status", [300, 301, 304, 305, 399])
def test_a_redirect_without_a_location_is_an_answer_like_another(status: int, kind: Kind, origin: Origin) -> None:
    origin.handle("/file", lambda seen: replace(redirect("x", status), fields=()))
    outcome = kind.ask(origin)
    assert (outcome.status, outcome.kind, outcome.url) == (status, None, origin.url("/file"))


# What is sent

ACCESSES: dict[str, Access] = {
    "nothing": Access(),
    "headers": Access((("X-One", "1"), ("x-two", "a  b\t"), ("X-Empty", ""), ("Accept", "text/*;q=0.5"), ("Cookie", "a=b"))),
    "a header beyond ASCII": Access((("X-Latin", "caf\xe9"),)),
    "a header with an escape": Access((("X-Odd", "a\x01b"),)),
    "a user agent": Access((("user-agent", "mine/1"),)),
    "a host": Access((("Host", "named.example"),)),
    "a connection": Access((("Connection", "close"),)),
    "a range": Access((("Range", "bytes=0-1"),)),
    "an encoding": Access((("accept-encoding", "gzip"),)),
    "basic": Access(auth=Credentials("who", "pass:word")),
    "netrc": Access(auth="netrc"),
}
FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "none": (),
    "a range": (("Range", "bytes=5-"), ("If-Range", '"v1"')),
    "validators": (("If-None-Match", 'W/"caf\xe9"'), ("If-Modified-Since", "Mon, 06 Jul 2026 10:00:00 GMT")),
    "an odd validator": (("If-None-Match", '"a\x02b"'),),
}


def sent(seen: Seen) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in seen.raw)


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES)
@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_every_client_sends_the_same_fields(
    access: Access, fields: tuple[tuple[str, str], ...], origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine {origin.host} login who password net-word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    origin.handle_rest(lambda seen: Good(FILE))
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    curl, session = Kind("curl"), Kind("session")
    for client in (curl.client, curl.client, session.client, session.client):
        request = Request(parse_url(origin.url("/file")), replace(access, timeouts=PATIENCE), (*IDENTITY, *fields))
        assert outcome_of(client, request).kind is None
    first = sent(origin.requests[0])
    assert [sent(seen) for seen in origin.requests] == [first] * 4
    assert [value for name, value in first if name == "accept-encoding"] == ["identity"]
    assert len({name for name, _ in first}) == len(first)
    curl.close()
    session.close()


URLS = [
    "/a/b-c_d.e~f",
    "/a?b=c&d=e+f",
    "/a%20b",
    "/a%2fb%2Fc%41",
    "/a%zz%",
    "/caf\xe9/\u65e5\u672c?q=\xe9",
    "/a/../b/./c",
    "/a/..",
    "/./",
    "/../../a",
    "//double//slash",
    "/a/...b/.c/d.",
    "/a;b=c,d:e@f!g$h*(i)",
    "/a?b=/../c",
    "/a#fragment",
    "/a?",
    "?only=query",
    "",
    "/a'b\"c<d>e",
    "/[a]|{b}^`c\\",
]
HOSTS = ["127.0.0.1", "localhost", "LocalHost", "who:secret@127.0.0.1", "who@127.0.0.1"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("rest", URLS)
def test_every_client_asks_the_same_of_a_url(host: str, rest: str, origin: Origin) -> None:
    origin.handle_rest(lambda seen: Good(FILE))
    start = f"http://{host}:{origin.port}"
    pytest.importorskip("pycurl", reason="pycurl has no wheel for this system")
    curl, session = Kind("curl"), Kind("session")
    access = Access(timeouts=PATIENCE)
    outcomes = [outcome_of(kind.client, Request(parse_url(start + rest), access, IDENTITY)) for kind in (curl, session)]
    assert len({(outcome.kind, outcome.body, outcome.url) for outcome in outcomes}) == 1
    assert {origin.url(seen.target).replace("127.0.0.1", parse_url(start).host) for seen in origin.requests} == {outcomes[0].url}
    asked = [(seen.target, sent(seen)) for seen in origin.requests]
    assert asked == [asked[0]] * 2
    curl.close()
    session.close()


def test_credentials_open_what_is_closed_without_them(kind: Kind, place: Origin, access: Access) -> None:
    place.handle("/file", basic_auth("who", "pass:word", Good(FILE)))
    place.handle("/closed", basic_auth("who", "pass:word", Good(FILE)))
    assert kind.ask(place, access=replace(access, auth=Credentials("who", "pass:word"))).status == 200
    # The same client for someone else: no credentials go along.
    assert outcome_of(kind.client, Request(parse_url(place.url("/closed")), access, IDENTITY)).status == 401


def test_credentials_in_the_url_are_sent_as_basic(kind: Kind, origin: Origin) -> None:
    origin.serve("/file", FILE)
    kind.warm_up(origin, Access(timeouts=PATIENCE))
    url = origin.url("/file").replace("//", "//who:pa%20ss@")
    assert outcome_of(kind.client, Request(parse_url(url), Access(timeouts=PATIENCE), IDENTITY)).status == 200
    right = base64.b64encode(b"who:pa ss").decode()
    assert origin.requests_for("/file")[0].fields["authorization"] == f"Basic {right}"
