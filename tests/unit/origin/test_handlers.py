"""Handlers choose a step by what was asked."""

from __future__ import annotations

import http.client
import urllib.request

import pytest
import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from tests.origin import Body, Good, Origin, Status
from tests.origin.faults import (
    basic_auth,
    changes_from,
    digest_auth,
    hangs_up_on_reuse,
    needs_cookie,
    new_etag_each_time,
    redirect_chain,
)
from tests.unit.origin.wire_client import ask, connected, get

BODY = Body(100)


@pytest.fixture(autouse=True)
def served(origin: Origin) -> None:
    origin.serve("/a", BODY)


def test_a_function_chooses(origin: Origin) -> None:
    origin.handle("/a", lambda seen: Good() if seen.fields.get("X-Key") == "k" else Status(403))
    assert (get(origin, "/a").status, get(origin, "/a", X_Key="k").status) == (403, 200)


def test_the_rest_of_the_paths(origin: Origin) -> None:
    assert get(origin, "/b").status == 404
    origin.handle_rest(lambda seen: Status(410))
    assert (get(origin, "/b").status, get(origin, "/a").status) == (410, 200)


def test_another_etag_each_time(origin: Origin) -> None:
    origin.handle("/a", new_etag_each_time())
    assert [get(origin, "/a")["ETag"] for _ in range(2)] == ['"v1"', '"v2"']


def test_another_file_from_the_third_request(origin: Origin) -> None:
    origin.handle("/a", changes_from(2, BODY, Body(7, seed=2)))
    assert [len(get(origin, "/a").body) for _ in range(3)] == [100, 100, 7]


def test_a_connection_serves_one_request_and_closes_at_the_second(origin: Origin) -> None:
    origin.handle("/a", hangs_up_on_reuse())
    with connected(origin) as connection:
        assert ask(connection, "/a").status == 200
        with pytest.raises(http.client.RemoteDisconnected):
            ask(connection, "/a")


@pytest.mark.parametrize(("handler", "auth"), [(basic_auth, HTTPBasicAuth), (digest_auth, HTTPDigestAuth)])
def test_passwords(origin: Origin, handler: type, auth: type) -> None:
    url = origin.handle("/a", handler("u", "p"))
    with requests.Session() as session:
        session.trust_env = False
        assert [session.get(url, auth=auth("u", word)).status_code for word in ("p", "wrong")] == [200, 401]
        assert session.get(url).headers["WWW-Authenticate"]


def test_a_cookie_is_wanted_back(origin: Origin) -> None:
    url = origin.handle("/a", needs_cookie())
    with requests.Session() as session:
        session.trust_env = False
        assert [session.get(url).status_code for _ in range(2)] == [200, 200]
    assert get(origin, "/a").status == 403


def test_a_chain_of_redirects(origin: Origin) -> None:
    url = redirect_chain(origin.handle, "/r", 3, "/a")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as response:
        assert (response.read(), response.url) == (BODY.read(0, 100), origin.url("/a"))
    assert [seen.path for seen in origin.requests] == ["/r", "/r/1", "/r/2", "/a"]


def test_a_loop_of_redirects(origin: Origin) -> None:
    redirect_chain(origin.handle, "/r", 1, "/r")
    assert get(origin, "/r")["Location"] == "/r"
