"""Which requests share a connection: what an origin has sent lately decides."""

from __future__ import annotations

import pytest

from marscore.adapters.http.curl_sharing import LARGE, Share, Sharing
from marscore.ports import Request
from marscore.url import Url, parse_url
from marscore.values import Access, HttpVersion

HERE, ELSEWHERE, PLAIN = (parse_url(url) for url in ("https://here.example/a", "https://here.example:8443/a", "http://here.example/a"))
RANGE = (("rANGE", "bytes=5-"),)


def choose(sharing: Sharing, url: Url = HERE, fields: tuple[tuple[str, str], ...] = ()) -> Share:
    return sharing.choose(Request(url, Access(), fields), url)


@pytest.mark.parametrize("http", ["auto", "1.1", "2", "3"])
def test_without_tls_there_are_no_streams(http: HttpVersion) -> None:
    assert choose(Sharing(http), PLAIN) == choose(Sharing(http), PLAIN, RANGE) == Share("1.1")


def test_of_an_unknown_origin_each_request_may_open_a_connection_and_of_a_known_one_they_go_together() -> None:
    sharing = Sharing("auto")
    assert choose(sharing) == Share("2", "any")
    sharing.learn(HERE, True, 1000)
    assert choose(sharing) == Share("2", "together")
    assert choose(sharing, ELSEWHERE) == Share("2", "any")


def test_where_there_are_no_streams_nobody_waits_for_a_connection_that_is_being_opened() -> None:
    for http in ("auto", "2"):
        sharing = Sharing(http)  # type: ignore[arg-type]  # each is a version
        sharing.learn(HERE, False, 1000)
        assert choose(sharing).connection == "any"


@pytest.mark.parametrize("length", [LARGE, 10 * LARGE, None])
def test_after_what_is_or_may_be_large_streams_are_used_again_once_some_small_ones_came(length: int | None) -> None:
    sharing = Sharing("auto")
    sharing.learn(HERE, True, length)
    for _ in range(8):
        assert choose(sharing) == Share("1.1")
        sharing.learn(HERE, False, LARGE - 1)
    assert choose(sharing) == Share("2", "together")


def test_a_range_has_a_connection_of_its_own() -> None:
    assert choose(Sharing("auto"), fields=RANGE) == Share("1.1")
    assert choose(Sharing("2"), fields=RANGE) == Share("2", "alone")
    assert choose(Sharing("2")) == Share("2", "together")
    assert choose(Sharing("1.1")).http == "1.1"
    assert choose(Sharing("3"), fields=RANGE) == Share("3", "together")
