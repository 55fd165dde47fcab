"""What stands in a request line: the path and query of a URL byte for byte, from wherever it came; every kind of transport alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marscore.ports import Transport
from marscore.url import parse_url
from marscore.values import Access, Proxies
from tests.contract.http_kinds import PATIENCE, TRANSPORTS
from tests.contract.test_transport import ask, turn_until
from tests.origin import Body, Good, Origin, Seen, Status, redirect
from tests.origin.steps import Handler

FILE = Body(text=b"found\n")
#: As a URL is written, and what of it is sent where that is something else: what a URL may not hold, and a fragment.
TARGETS: dict[str, str | None] = {
    "/a/../b/./c": None,
    "/..": None,
    "/.": None,
    "/%7e%2f%2F%c3%A9": None,
    "/%2e%2E/%2e": None,
    "//double//slash//": None,
    "//host.example:99999/x": None,
    "/a?": None,
    "/?": None,
    "/a?b?c=/../d&%3d": None,
    "/a;b=1;c/d;": None,
    "/!$&'()*+,;=:@-._~": None,
    "/a?x=http://b/../c": None,
    "/a#?b": "/a",
    "/é": "/%C3%A9",
    "/[1]{2}|^`": "/%5B1%5D%7B2%7D%7C%5E%60",
    "/100%": "/100%25",
    "": "/",
    "?q": "/?q",
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made = TRANSPORTS[request.param](4)
    yield made
    made.close()


def sent(written: str) -> str:
    """What of a text behind a host is sent."""
    return TARGETS[written] or written


def _leads_to(location: str) -> Handler:
    return lambda seen: redirect(location)


def asked_for(transport: Transport, url: str, access: Access, seen: list[Seen]) -> str:
    """The target that a request for a URL went out with; what the answer shows is the same."""
    before = len(seen)
    exchange = ask(transport, url, access)
    turn_until(transport, lambda: exchange.over)
    assert exchange.failure is None
    assert exchange.answer is not None
    assert exchange.answer.url.text.endswith(seen[-1].target)
    assert len(seen) > before
    return seen[-1].target


@pytest.mark.parametrize("written", TARGETS)
def test_a_path_and_query_go_out_as_they_are_written(written: str, transport: Transport, place: Origin, access: Access) -> None:
    place.handle_rest(lambda seen: Good(FILE))
    assert asked_for(transport, place.url("") + written, access, place.requests) == (
        written if TARGETS[written] is None else TARGETS[written]
    )


@pytest.mark.parametrize("written", [target for target in TARGETS if target.isascii()])
@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_so_they_do_from_a_location(relative: bool, written: str, transport: Transport, place: Origin, access: Access) -> None:
    if relative and (not written.startswith("/") or written.startswith("//")):
        pytest.skip("as a reference it means something else")
    place.handle("/from/here", lambda seen: redirect(written if relative else place.url("") + written))
    place.handle_rest(lambda seen: Good(FILE))
    assert asked_for(transport, place.url("/from/here"), access, place.requests) == sent(written)


@pytest.mark.parametrize("written", TARGETS)
def test_so_they_do_to_a_proxy_after_the_origin(written: str, transport: Transport, origin: Origin) -> None:
    origin.handle_rest(lambda seen: Good(FILE))
    proxied = Access(timeouts=PATIENCE, proxies=Proxies(origin.url(""), origin.url("")))
    assert asked_for(transport, f"http://named.example{written}", proxied, origin.requests) == f"http://named.example{sent(written)}"


def test_a_reference_is_resolved_against_a_path_that_stays_as_it_is(transport: Transport, place: Origin, access: Access) -> None:
    locations = {"/x/../y/here": "there?", "/x/../y/there?": "./../z/%7e", "/z/%7e": "?%7e"}
    for path, location in locations.items():
        place.handle(path.partition("?")[0], _leads_to(location))
    place.handle_rest(lambda seen: Good(FILE))
    # The last one leads to its own path, which then says where to for ever; its first hops are what matters.
    exchange = ask(transport, place.url("/x/../y/here"), access)
    turn_until(transport, lambda: exchange.over)
    assert [seen.target for seen in place.requests][:4] == ["/x/../y/here", "/x/../y/there?", "/z/%7e", "/z/%7e?%7e"]


@pytest.mark.parametrize("host", ["a" * 64, "b." + "ü" * 60 + ".example"])
@pytest.mark.parametrize("way", ["direct", "proxy", "redirect"])
def test_a_name_longer_than_dns_holds_is_told_and_asked_of_nobody(way: str, host: str, transport: Transport, origin: Origin) -> None:
    url = parse_url(f"http://{host}/").text
    origin.handle_rest(lambda seen: redirect(url))
    proxies = Proxies(origin.url(""), None) if way == "proxy" else Proxies()
    exchange = ask(transport, origin.url("/from") if way == "redirect" else url, Access(timeouts=PATIENCE, proxies=proxies))
    turn_until(transport, lambda: exchange.over)
    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.failure.lasting) == ("dns", True)
    assert len(origin.requests) == (way == "redirect")


# Locations


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ((("Location", ""),), "redirect"),
        ((("Location", " \t"),), "redirect"),
        ((("Location", "/a"), ("Location", "/b")), "redirect"),
        ((("Location", "/file"), ("X-Between", "y"), ("location", "/b")), "redirect"),
        ((("Location", ""), ("Location", "/file")), "redirect"),
        ((("Location", "http://127.0.0.1:99999/"),), "redirect"),
        ((("Location", "http://127.0.0.1:x/"),), "redirect"),
        ((("Location", "http://127.0.0.1:0/"),), "redirect"),
        ((("Location", "/file"), ("Location", "/file")), None),
        ((("Location", "/file"), ("Location", "/file "), ("LOCATION", "/file")), None),
        ((("Location", "/file?a,b"),), None),
    ],
    ids=repr,
)
def test_one_location_is_followed_and_what_is_none_is_told(
    fields: tuple[tuple[str, str], ...], kind: str | None, transport: Transport, place: Origin, access: Access
) -> None:
    place.serve("/file", FILE)
    place.handle("/from", lambda seen: Status(302, fields))
    exchange = ask(transport, place.url("/from"), access)
    turn_until(transport, lambda: exchange.over)
    assert (exchange.failure.kind if exchange.failure else None) == kind
    assert len(place.requests) == (1 if kind else 2)
