"""Digest authentication: challenges as servers write them, answers as RFC 7616 and RFC 2617 give them."""

from __future__ import annotations

import pytest

from marscore.policy.digest import Asked, Challenge, answer_to, challenge_of, challenges, offers_basic
from marscore.values import Credentials

MUFASA = Credentials("Mufasa", "Circle of Life")


def answered(challenge: str, who: Credentials, asked: Asked) -> dict[str, str]:
    found = challenge_of(challenge)
    assert found is not None
    [(scheme, given)] = challenges(answer_to(found, who, asked).decode())
    assert scheme == "digest"
    return dict(given)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    field = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    asked = Asked("/dir/index.html", 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    given = answered(field, Credentials("Mufasa", "Circle of Life"), asked)
    assert given["response"] == response
    assert (given["nc"], given["qop"], given["algorithm"], given["uri"]) == ("00000001", "auth", algorithm, "/dir/index.html")
    assert given["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def test_without_qop_it_is_that_of_rfc_2069() -> None:
    field = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    given = answered(field, Credentials("Mufasa", "CircleOfLife"), Asked("/dir/index.html", 1, "x"))
    assert given["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & set(given)


def test_a_session_is_of_its_nonces() -> None:
    field = 'Digest realm="r", nonce="n", qop=auth, algorithm=MD5-sess'
    one, other = (answered(field, MUFASA, Asked("/", 1, cnonce)) for cnonce in ("a", "b"))
    assert one["algorithm"] == "MD5-sess"
    assert one["response"] != other["response"]


def test_names_are_quoted_and_in_utf_8() -> None:
    sent = answer_to(Challenge('a "quoted" realm', "n"), Credentials('wh"ö\\', "x"), Asked("/", 1, "c"))
    assert 'username="wh\\"ö\\\\", realm="a \\"quoted\\" realm"'.encode() in sent
    sent = answer_to(Challenge("r", "n", opaque="o"), MUFASA, Asked("/", 1, "c"))
    assert [part.strip().partition(b"=")[0] for part in sent.removeprefix(b"Digest ").split(b",")] == [
        b"username",
        b"realm",
        b"nonce",
        b"uri",
        b"response",
        b"opaque",
    ]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('Basic realm="b", Digest realm="d", nonce="n"', Challenge("d", "n")),
        ('Digest realm="d", nonce="n", Basic realm="b"', Challenge("d", "n")),
        ('Digest realm="d, Digest x=y", nonce="n"', Challenge("d, Digest x=y", "n")),
        ('Digest realm="a\\"b", nonce="n", stale=TRUE', Challenge('a"b', "n", stale=True)),
        ("Negotiate, digest realm = d , nonce =n", Challenge("d", "n")),
        ("NTLM TlRMTVNTUAAC, Digest nonce=n", Challenge("", "n")),
        ('Digest nonce="1", algorithm=NEW, Digest nonce="2", algorithm=SHA-256', Challenge("", "2", "SHA-256", True)),
        ('Digest nonce="1", algorithm=SHA-256, Digest nonce="2", algorithm=MD5', Challenge("", "1", "SHA-256", True)),
        ('Digest realm="d", nonce="n", qop="auth-int"', None),
        ('Digest realm="d"', None),
        ('Basic realm="Digest nonce=n"', None),
        ("Digest", None),
        ('Digest realm="half, nonce=n', None),
        ('Digest realm="two\r\n lines", nonce="n"', None),
        ("", None),
        (",,=,", None),
    ],
)
def test_which_challenge_is_answered(field: str, expected: Challenge | None) -> None:
    assert challenge_of(field) == expected


@pytest.mark.parametrize(
    ("field", "basic"), [('Basic realm="x"', True), ("Digest nonce=n, basic", True), ('Digest realm="Basic"', False), ("", False)]
)
def test_whether_basic_will_do(field: str, basic: bool) -> None:
    assert offers_basic(field) is basic
