"""Where a redirect may lead and what goes along."""

from __future__ import annotations

import pytest

from marscore.policy.redirect import MAX_REDIRECTS, headers_for, is_name, is_public, next_url, resource_of, says_public, the_location
from marscore.url import parse_url
from marscore.values import Access, Failure


@pytest.mark.parametrize(
    ("url", "location", "hops", "there"),
    [
        ("http://a/x", "http://b/y", 0, "http://b/y"),
        ("http://a/x", "https://b/y", 0, "https://b/y"),
        ("https://a/x", "https://a/y", MAX_REDIRECTS - 1, "https://a/y"),
        ("https://a/x/y?q", "../z", 0, "https://a/z"),
        ("https://a/x", "//b", 0, "https://b/"),
    ],
)
def test_followed(url: str, location: str, hops: int, there: str) -> None:
    assert next_url(parse_url(url), location, hops) == parse_url(there)


@pytest.mark.parametrize(
    ("url", "location", "hops", "words"),
    [
        ("https://a/x", "http://a/x", 0, "https to http"),
        ("http://a/x", "file:///etc/passwd", 0, "not http"),
        ("http://a/x", "ftp://b/y", 0, "not http"),
        ("http://a/x", "javascript:alert(1)", 0, "not http"),
        ("http://a/x", "http:///y", 0, "no URL"),
        ("http://a/x", "http://[::1/y", 0, "no URL"),
        pytest.param("http://a/x", r"http://b\@a/y", 0, "backslash", id="backslash"),
        ("http://a/x", "http:y", 0, "no URL"),
        ("http://a/x", "http://b/y", MAX_REDIRECTS, "more than"),
    ],
)
def test_not_followed(url: str, location: str, hops: int, words: str) -> None:
    failure = next_url(parse_url(url), location, hops)
    assert isinstance(failure, Failure)
    assert failure.kind == "redirect"
    assert words in failure.message


ACCESS = Access(headers=(("Authorization", "Bearer x"), ("X-Own", "1"), ("User-Agent", "me")), forward_headers=("x-own",))


@pytest.mark.parametrize(
    ("values", "found"), [([], None), (["/a"], "/a"), (["/a", " /a "], "/a"), (["/a, /b"], "/a, /b"), ([""], "")], ids=repr
)
def test_one_location_is_followed(values: list[str], found: str | None) -> None:
    assert the_location(values) == found


def test_of_two_locations_none_is_followed() -> None:
    assert the_location(["/a", "/b"]) == Failure("redirect", "the server redirects to two places at once")


@pytest.mark.parametrize("location", ["", " ", "\t"], ids=["nothing", "space", "tab"])
def test_an_empty_location_is_not_followed(location: str) -> None:
    refused = next_url(parse_url("http://a/x"), location, 0)
    assert refused == Failure("redirect", "the server redirects, and does not say where to")


@pytest.mark.parametrize("url", ["https://a.example/other", "https://a.example:443/other", "HTTPS://A.example/other"])
def test_all_headers_stay_within_their_origin(url: str) -> None:
    assert headers_for(ACCESS, parse_url("https://a.example/f"), parse_url(url)) == dict(ACCESS.headers)


@pytest.mark.parametrize(
    "url", ["https://b.example/f", "https://a.example:444/f", "http://a.example/f", "https://sub.a.example/f", "https://a.example.b.c/f"]
)
def test_only_the_named_ones_go_to_another_origin(url: str) -> None:
    assert headers_for(ACCESS, parse_url("https://a.example/f"), parse_url(url)) == {"X-Own": "1", "User-Agent": "me"}


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_a_resource_is_the_url_without_what_signs_it() -> None:
    plain = resource_of(parse_url("https://h/a?file=b"))
    for query in ("file=b&X-Amz-Date=1&X-Amz-Signature=c", "sv=1&file=b&sig=x", "file=b&Expires=7&Key-Pair-Id=k"):
        assert resource_of(parse_url(f"https://h/a?{query}")) == plain
    for url in (
        "https://h/a?file=c",
        "https://h/b?file=b",
        "http://h/a?file=b",
        "https://h:1/a?file=b",
        "https://g/a?file=b",
        "https://h/a",
    ):
        assert resource_of(parse_url(url)) != plain


@pytest.mark.parametrize(
    "host", ["localhost", "localhost.", "a.b.localhost", "127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_hosts_that_say_themselves_that_they_are_not_public(host: str) -> None:
    assert not says_public(host)


@pytest.mark.parametrize("host", ["example.org", "example.org.", "localhost.example", "mylocalhost", "9.9.9.9", "2620:fe::fe"])
def test_hosts_that_do_not(host: str) -> None:
    assert says_public(host)


def test_an_address_is_no_name() -> None:
    assert [is_name(host) for host in ("a.example", "1.2.3", "", "1.2.3.4", "::1", "fe80::1%eth0")] == [True] * 3 + [False] * 3
