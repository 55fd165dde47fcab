"""A URL reads one way, and everyone who is given it reads it so."""

from __future__ import annotations

import pickle
import socket
import string
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
import urllib3.util
from hypothesis import example, given, settings
from hypothesis import strategies as st
from requests.utils import select_proxy

from marscore.adapters.http.requests_connections import Connections, PoolAdapter
from marscore.url import Url, check_url, host_of, parse_proxy, parse_url, resolve
from tests.integration.test_urls_and_credentials import LOCATIONS
from tests.long import examples


@pytest.mark.parametrize(
    ("text", "host", "origin"),
    [
        ("http://origin.example/a", "origin.example:80", "http://origin.example:80"),
        ("https://origin.example/a", "origin.example:443", "https://origin.example:443"),
        ("HTTPS://Origin.EXAMPLE/a", "origin.example:443", "https://origin.example:443"),
        ("http://origin.example:80/a", "origin.example:80", "http://origin.example:80"),
        ("http://origin.example:/a", "origin.example:80", "http://origin.example:80"),
        ("http://origin.example:8080", "origin.example:8080", "http://origin.example:8080"),
        ("http://user:pass@origin.example:8080/a@b:9", "origin.example:8080", "http://origin.example:8080"),
        ("http://user:p%40ss@origin.example", "origin.example:80", "http://origin.example:80"),
        ("http://user:p@ss@origin.example", "origin.example:80", "http://origin.example:80"),
        ("http://[::1]/a", "[::1]:80", "http://[::1]:80"),
        ("https://[2001:DB8:0::1]:8443/a", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://user@[::1]:8080/", "[::1]:8080", "http://[::1]:8080"),
        ("http://[fe80::1%25eth0]:8080/", "[fe80::1%25eth0]:8080", "http://[fe80::1%25eth0]:8080"),
        ("http://[fe80::1%eth0]:8080/", "[fe80::1%25eth0]:8080", "http://[fe80::1%25eth0]:8080"),
        ("http://127.0.0.1:1/", "127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://bücher.example/", "xn--bcher-kva.example:80", "http://xn--bcher-kva.example:80"),
        ("http://straße.example/", "xn--strae-oqa.example:80", "http://xn--strae-oqa.example:80"),
        ("https://origin.example@evil.example/", "evil.example:443", "https://evil.example:443"),
        ("http://1a.2b/", "1a.2b:80", "http://1a.2b:80"),
        ("http://a_b-c.example/", "a_b-c.example:80", "http://a_b-c.example:80"),
    ],
)
def test_a_host_and_an_origin_have_one_name(text: str, host: str, origin: str) -> None:
    assert host_of(text) == parse_url(text).host_port == host
    assert parse_url(text).origin == origin


def test_another_port_scheme_or_name_is_another_origin() -> None:
    origin = parse_url("https://origin.example/").origin
    for other in (
        "https://origin.example.evil.example/",
        "http://origin.example/",
        "https://origin.example:80/",
        "https://origin.example./",
    ):
        assert parse_url(other).origin != origin


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("http://a.example/", "a.example"),
        ("http://a.example:80/", "a.example"),
        ("https://a.example:80/", "a.example:80"),
        ("https://a.example:443/", "a.example"),
        ("http://a.example:8080/", "a.example:8080"),
        ("http://u:p@a.example/", "a.example"),
        ("http://a.example./", "a.example"),
        ("http://a.example.:8080/", "a.example:8080"),
        ("http://[::1]:80/", "[::1]"),
        ("http://[2001:db8::80]/", "[2001:db8::80]"),
        ("http://[fe80::1%25eth0]:8080/", "[fe80::1]:8080"),
    ],
)
def test_the_host_field_names_the_port_where_it_is_not_the_schemes_own(text: str, field: str) -> None:
    assert parse_url(text).authority == field


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", "/"),
        ("?a", "/?a"),
        ("/a/./b/../c", "/a/./b/../c"),
        ("/../..", "/../.."),
        ("/a/..", "/a/.."),
        ("/a//../b", "/a//../b"),
        ("/..//b", "/..//b"),
        ("?", "/?"),
        ("/a?b/../c", "/a?b/../c"),
        ("/é?é", "/%C3%A9?%C3%A9"),
        ("/100%/%zz/%4", "/100%25/%25zz/%254"),
        ("/%7e%41%2f%2F", "/%7e%41%2f%2F"),
        ('/[a]{b}|c^d`e\\f"g<h>', "/%5Ba%5D%7Bb%7D%7Cc%5Ed%60e%5Cf%22g%3Ch%3E"),
        ("/a;b=c,d@e:f!$&'()*+~", "/a;b=c,d@e:f!$&'()*+~"),
        ("/a?", "/a?"),
        ("/a?b#c", "/a?b"),
        ("/a#b?c", "/a"),
    ],
)
def test_a_target_is_what_is_sent(written: str, sent: str) -> None:
    url = parse_url("http://a.example" + written)
    assert url.target == sent
    assert url.text == "http://a.example" + sent


LONG = "a" * 64


@pytest.mark.parametrize(
    ("host", "ascii"), [(LONG, LONG), (f"b.{LONG}.c", f"b.{LONG}.c"), (f"bücher.{LONG}.", f"xn--bcher-kva.{LONG}."), ("ü" * 60, None)]
)
def test_a_name_that_dns_cannot_hold_is_a_url_and_known_to_be_unresolvable(host: str, ascii: str | None) -> None:
    url = parse_url(f"http://{host}/")
    assert not url.can_be_resolved
    assert url.host == (ascii or url.host)
    assert url.host.isascii()
    assert parse_url(url.text) == url
    with pytest.raises(ValueError, match="63"):
        parse_proxy(f"http://{host}")


@pytest.mark.parametrize("host", ["a" * 63, "b." + "a" * 63 + ".", "ü" * 20, "[::1]", "[fe80::1%25" + "z" * 90 + "]", "127.0.0.1"])
def test_every_other_host_can_be_looked_up(host: str) -> None:
    assert parse_url(f"http://{host}/").can_be_resolved


@pytest.mark.parametrize(
    ("text", "username", "password"),
    [
        ("http://a/", None, None),
        ("http://@a/", None, None),
        ("http://:@a/", None, None),
        ("http://u@a/", "u", ""),
        ("http://u:@a/", "u", ""),
        ("http://:p@a/", "", "p"),
        ("http://u:p:q@a/", "u", "p:q"),
        ("http://u:p@q@a/", "u", "p@q"),
        ("http://%C3%BC:%E4%B8%AD%2F@a/", "ü", "中/"),
    ],
)
def test_userinfo_is_decoded_and_never_in_the_text(text: str, username: str | None, password: str | None) -> None:
    url = parse_url(text)
    assert (url.username, url.password) == (username, password)
    assert url.text == "http://a/"
    assert parse_url(url.text_with_userinfo) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://a b/", "spaces"),
        ("http://a/b c", "%20"),
        ("http://a/\u3000", "spaces"),
        ("http://a/\x7f", "control"),
        ("http://a/\ud800", "control"),
        ("ftp://a/", "http://"),
        ("a/b", "http://"),
        ("//a/b", "http://"),
        ("http:/a", "http://"),
        ("http:///a", "name a host"),
        ("http://u@/a", "name a host"),
        ("http://a\\b/", "backslash"),
        ("http://u\\@a/", "backslash"),
        ("http://u%00@a/", "control"),
        ("http://u%0d%0aX@a/", "control"),
        ("http://u:p%7f@a/", "control"),
        ("http://u:%C2%85@a/", "control"),
        ("http://a:0/", "port"),
        ("http://a:000/", "port"),
        ("http://a:65536/", "port"),
        ("http://a:" + "9" * 5000 + "/", "port"),
        ("http://a:x/", "port"),
        ("http://a%20b/", "letters"),
        ("http://a..b/", "letters"),
        ("http://.a/", "letters"),
        ("http://" + "a." * 127 + "a/", "letters"),
        ("http://" + "\N{SOFT HYPHEN}" * 300 + "a/", "IDNA"),
        ("http://" + "é" * 100_000 + "/", "IDNA"),
        ("http://" + "é" * 250 + "/", "letters"),
        ("http://a\N{FULLWIDTH SOLIDUS}b/", "IDNA"),
        ("http://127.1/", "IPv4"),
        ("http://1/", "IPv4"),
        ("http://a.0x/", "IPv4"),
        ("http://010.0.0.1/", "IPv4"),
        ("http://1.2.3.4./", "IPv4"),
        ("http://256.2.3.4/", "IPv4"),
        ("http://[::1/", "name a host"),
        ("http://[1.2.3.4]/", "IPv6"),
        ("http://[fe80::1%25]/", "zone"),
        ("http://[fe80::1%25a/b]/", "name a host"),
        ("http://u:%ff@a/", "UTF-8"),
    ],
)
def test_what_is_refused_is_told_without_quoting_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        parse_url(text.replace("//", "//pass-word@", 1) if "@" not in text and "//" in text else text)
    assert words in str(caught.value)
    assert "pass-word" not in str(caught.value)


#: RFC 3986 section 5.4, with its base.
RFC_EXAMPLES = {
    "g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/", "/g": "http://a/g", "//g": "http://g/",
    "?y": "http://a/b/c/d;p?y", "g?y": "http://a/b/c/g?y", "#s": "http://a/b/c/d;p?q", "g#s": "http://a/b/c/g",
    ";x": "http://a/b/c/;x", "g;x": "http://a/b/c/g;x", "g;x?y#s": "http://a/b/c/g;x?y", "": "http://a/b/c/d;p?q", ".": "http://a/b/c/",
    "./": "http://a/b/c/", "..": "http://a/b/", "../": "http://a/b/", "../g": "http://a/b/g", "../..": "http://a/", "../../": "http://a/",
    "../../g": "http://a/g", "../../../g": "http://a/g", "../../../../g": "http://a/g", "/./g": "http://a/./g", "/../g": "http://a/../g",
    "g.": "http://a/b/c/g.", ".g": "http://a/b/c/.g", "g..": "http://a/b/c/g..", "..g": "http://a/b/c/..g", "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/", "g/./h": "http://a/b/c/g/h", "g/../h": "http://a/b/c/h", "g;x=1/./y": "http://a/b/c/g;x=1/y",
    "g;x=1/../y": "http://a/b/c/y", "g?y/./x": "http://a/b/c/g?y/./x", "g?y/../x": "http://a/b/c/g?y/../x",
    "g#s/../x": "http://a/b/c/g",
}  # fmt: skip


@pytest.mark.parametrize("reference", RFC_EXAMPLES)
def test_references_mean_what_the_rfc_says(reference: str) -> None:
    assert resolve(parse_url("http://a/b/c/d;p?q"), reference).text == RFC_EXAMPLES[reference]


@pytest.mark.parametrize(
    ("base", "reference", "target"),
    [
        ("/a/../b/%7e", "c", "/a/../b/c"),
        ("/a/../b/%7e", "?c", "/a/../b/%7e?c"),
        ("/a/../b/%7e?", "", "/a/../b/%7e?"),
        ("/a/../b/c", "../d", "/d"),
        ("/a/b", "../c/%2e%2e/d//e?f/../g", "/c/%2e%2e/d//e?f/../g"),
        ("/a/b", "/c/../d", "/c/../d"),
        ("/a/b", "//home/c/../d", "/c/../d"),
        ("/a/b", "http://home/c/./d?", "/c/./d?"),
        ("/a/b", "c d?e f", "/a/c%20d?e%20f"),
    ],
)
def test_the_path_of_a_reference_is_left_as_it_is_where_it_needs_no_resolving(base: str, reference: str, target: str) -> None:
    assert resolve(parse_url(f"http://home{base}"), reference) == parse_url(f"http://home{target}")
    assert resolve(parse_url(f"http://home{base}"), reference).target == target


@pytest.mark.parametrize("reference", ["http:g", "g:h", "\n/g", "http:///g", "//", "//\t", "// "])
def test_references_that_lead_nowhere(reference: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        resolve(parse_url("http://a/b/c/d;p?q"), reference)


def test_a_reference_brings_no_credentials_and_takes_none_along() -> None:
    base = parse_url("http://u:p@a/b")
    for reference in ("c", "", "//a/c", "http://v:w@a/c", "http://v:w@b/c"):
        assert resolve(base, reference).username is None


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("proxy.example:3128", "http://proxy.example:3128/"),
        ("u:p@proxy.example", "http://u:p@proxy.example/"),
        ("HTTP://Proxy.Example:80/x", "http://proxy.example/x"),
        ("socks5h://u:p%2f@proxy.example", "socks5h://u:p%2F@proxy.example:1080/"),
    ],
)
def test_proxies(text: str, made: str) -> None:
    assert parse_proxy(text).text_with_userinfo == made


@pytest.mark.parametrize("text", ["", "ftp://a", r"http://a\@b", "a b", "http://"])
def test_no_proxies(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        parse_proxy(text)


def test_a_url_crosses_processes_and_shows_no_password() -> None:
    url = parse_url("http://u:pass-word@a/b?c")
    assert pickle.loads(pickle.dumps(url)) == url
    assert repr(url) == "Url('http://a/b?c')"


# One reading

PIECES = st.sampled_from([
    "@", ":", "/", "\\", "?", "#", "[", "]", "%", "%25", "%2f", "%00", ".", "..", "//", ";", "a", "A", "-", "_", "b.example", "127.0.0.1",
    "127.1", "0x7f", "::1", "fe80::1%25lo", ":80", ":443", "8080", "http:", "https:", " ", "\t", "é", "。", "／", "ß", "１",
    "\N{SOFT HYPHEN}", "xn--a", "xn--bcher-kva",
])  # fmt: skip
AUTHORITIES = st.one_of(st.text(max_size=20), st.lists(PIECES, max_size=8).map("".join))
URLS = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    AUTHORITIES,
    st.one_of(st.just(""), AUTHORITIES.map("/{}".format), st.text(string.printable, max_size=9).map("/{}".format)),
)


def accepted(text: str) -> Url | None:
    try:
        return parse_url(text)
    except ValueError:
        return None


@settings(max_examples=examples(1000))
@given(URLS)
@example(r"http://a\@b/")
@example("http://[fe80::1%25lo]:80/")
@example("http://a/..//b")
@example("http://a//b?")
def test_what_is_accepted_is_read_the_same_by_all(text: str) -> None:
    url = accepted(text)
    if url is None:
        return
    assert parse_url(url.text) == Url(url.scheme, url.host, url.port, url.target)
    standard = urlsplit(url.text)
    default = {"http": 80, "https": 443}[url.scheme]
    assert (standard.scheme, standard.port or default, standard.username) == (url.scheme, url.port, None)
    assert str(standard.hostname).lower() == url.host.lower().replace("%", "%25")
    theirs = urllib3.util.parse_url(url.text)
    assert (theirs.scheme, (theirs.host or "").strip("[]"), theirs.port or default, theirs.auth) == (url.scheme, url.host, url.port, None)
    prepared = requests.Request("GET", url.text).prepare()
    again = parse_url(str(prepared.url))
    assert (again.scheme, again.host, again.port) == (url.scheme, url.host, url.port)
    assert select_proxy(url.text, {f"{url.scheme}://{standard.hostname}": "found"}) == "found"


@settings(max_examples=examples(300))
@given(URLS)
@example("http://[fe80::1%25lo]:80/")
@example("http://[fe80::1%2525]/")
@example("http://a..example/")
@example("http://a.example.:80/")
def test_whom_the_client_dials_and_what_it_says_there_is_what_was_parsed(text: str) -> None:
    url = accepted(text)
    if url is None:
        return
    adapter = PoolAdapter(Connections(1))
    prepared = requests.Request("GET", url.text).prepare()
    prepared.url = url.text
    pool = adapter.get_connection_with_tls_context(prepared, verify=False)
    address, _, zone = url.host.partition("%")
    assert (pool.scheme, pool.host.partition("%")[0], pool.port) == (url.scheme, address, url.port)
    # A name of a zone that this machine has is a number to the system.
    assert pool.host.partition("%")[2] in {zone, *(str(number) for number, name in socket.if_nameindex() if name == zone)}
    assert adapter.request_url(prepared, {}) == url.target
    assert adapter.request_url(prepared, {"http": "http://proxy.example"}) == (url.text if url.scheme == "http" else url.target)


@settings(max_examples=examples(500))
@given(st.one_of(URLS, st.text(max_size=30)))
@example("http://files.example.org:70000/a")
@example("http://files.example.org/a b")
def test_what_is_only_checked_is_refused_in_the_words_of_what_is_parsed(text: str) -> None:
    assert _refusal(check_url, text) == _refusal(parse_url, text)


def _refusal(read: Callable[[str], object], text: str) -> str | None:
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return None


@settings(max_examples=examples(500))
@given(st.builds("http://{}{}".format, st.text("ab:.-1", max_size=6), st.text("/ab.?%", max_size=8)))
def test_the_quick_way_reads_as_the_other(text: str) -> None:
    quick, other = accepted(text), accepted(text + "#fragment")
    assert quick == other
    assert quick is None or host_of(text) == quick.host_port


@settings(max_examples=examples(500))
@given(st.one_of(AUTHORITIES, URLS, st.sampled_from(sorted(LOCATIONS))))
def test_a_reference_is_absolute_or_stays_at_home(reference: str) -> None:
    base = parse_url("http://home.example/a/b?c")
    try:
        url = resolve(base, reference)
    except ValueError:
        return
    assert parse_url(url.text) == url
    if not reference.startswith("//") and "://" not in reference:
        assert url.origin == base.origin
