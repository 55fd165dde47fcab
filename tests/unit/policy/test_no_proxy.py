"""Which hosts `no_proxy` leaves to direct connections."""

from __future__ import annotations

import pytest

from marscore.policy.no_proxy import is_direct
from marscore.url import parse_url

CASES = {
    "": ([], ["a.example", "10.0.0.1", "[::1]"]),
    "*": (["a.example", "10.0.0.1", "[::1]"], []),
    "x.example, *": (["a.example"], []),
    "example.org": (["example.org", "a.b.example.org", "EXAMPLE.org", "example.org."], ["badexample.org", "org", "example.com"]),
    ".example.org": (["example.org", "a.example.org"], ["badexample.org"]),
    "EXAMPLE.ORG.": (["example.org", "a.example.org"], []),
    "a.example b.example,c.example": (["a.example", "b.example", "c.example"], ["d.example"]),
    ",, ,": ([], ["a.example"]),
    ".": ([], ["a.example", "a.example."]),
    "*.example.org": ([], ["a.example.org"]),
    "bücher.example": (["xn--bcher-kva.example", "bücher.example", "a.bücher.example"], []),
    "example.org:8080": (["example.org:8080", "a.example.org:8080"], ["example.org", "example.org:80"]),
    "example.org:80": (["example.org", "example.org:80"], ["example.org:8080"]),
    "10.0.0.1": (["10.0.0.1", "10.0.0.1:99"], ["10.0.0.10", "110.0.0.1"]),
    "10.0.0.1:99": (["10.0.0.1:99"], ["10.0.0.1"]),
    "10.0.0.0/8": (["10.0.0.1", "10.255.1.2"], ["11.0.0.1", "10.example", "[::ffff:10.0.0.1]"]),
    "10.1.2.3/8": (["10.9.9.9"], ["11.0.0.1"]),
    "10.0.0.0/8:81": (["10.0.0.1:81"], ["10.0.0.1"]),
    "0.0.0.0/0": (["10.0.0.1"], ["[::1]", "a.example"]),
    "10.0.0.0/33": ([], ["10.0.0.1"]),
    "10.0.0.0/x": ([], ["10.0.0.1"]),
    "127": ([], ["127.0.0.1"]),
    "0.0.1": ([], ["127.0.0.1"]),
    "::1": (["[::1]", "[::1]:99", "[0:0::1]"], ["[::2]"]),
    "[::1]": (["[::1]", "[::1]:99"], ["[::2]"]),
    "[::1]:99": (["[::1]:99"], ["[::1]"]),
    "fe80::/10": (["[fe80::1]", "[fe80::1%25eth0]"], ["[::1]", "fe80.example"]),
    "[fd00::]/8": (["[fd12::1]"], ["[fe80::1]"]),
    "[fd00::]/8:80": (["[fd12::1]"], ["[fd12::1]:81"]),
    "fe80::1%eth0": (["[fe80::1%25eth0]"], ["[fe80::2%25eth0]"]),
    "[half": ([], ["half"]),
    "example.org:http": ([], ["example.org"]),
}


@pytest.mark.parametrize(("no_proxy", "hosts"), CASES.items(), ids=[case.encode("ascii", "replace").decode() for case in CASES])
def test_who_is_asked_directly(no_proxy: str, hosts: tuple[list[str], list[str]]) -> None:
    direct, proxied = hosts
    assert {host: is_direct(parse_url(f"http://{host}/x"), no_proxy) for host in direct + proxied} == dict.fromkeys(
        direct, True
    ) | dict.fromkeys(proxied, False)
