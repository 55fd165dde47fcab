"""A secret is found in whatever encoding a text has it, and nothing else is touched."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.policy.secret_text import SHORT, SecretText, any_in, spellings
from marscore.url import host_of

LONG = "S3cr3t/pâss w+rd%41&"


def encoded(char: str, way: str) -> str:
    """One character in one of the ways in which a URL may have it."""
    octets = "".join(f"%{octet:02x}" for octet in char.encode())
    upper = "".join(f"%{octet:02X}" for octet in char.encode())
    ways = {
        "itself": char,
        "lower": octets,
        "upper": upper,
        "mixed": "".join(part if n % 2 else part.upper() for n, part in enumerate(re.split("(?=%)", octets))),
        "twice": quote(upper, safe=""),
        "thrice": quote(quote(octets, safe=""), safe=""),
        "form": "+" if char == " " else octets,
        "form, encoded again": "%2B" if char == " " else upper,
    }
    return ways[way]


WAYS = ["itself", "lower", "upper", "mixed", "twice", "thrice", "form", "form, encoded again"]
characters = st.characters(codec="utf-8") | st.sampled_from("%+ 0123456789abcdefABCDEF/é")
secrets = st.text(characters, min_size=SHORT, max_size=20)


@given(secrets, st.data(), st.text(characters, max_size=9), st.text(characters, max_size=9))
def test_any_mixture_of_encodings_is_found(secret, data, before, after):
    ways = data.draw(st.lists(st.sampled_from(WAYS), min_size=len(secret), max_size=len(secret)))
    written = "".join(map(encoded, secret, ways))
    known = SecretText({secret: "<it>"})
    assert known.replaced(written) == "<it>"
    assert known.is_in(before + written + after)
    assert any_in([secret], before + written + after)
    assert "<it>" in known.replaced(before + written + after)


@given(secrets, st.text(characters, max_size=60))
def test_a_text_that_holds_it_in_no_encoding_is_unchanged(secret, text):
    decoded = text
    values = {meant for value in spellings(secret) for meant in (value, value.replace("+", " "), unquote(value), unquote(unquote(value)))}
    for _ in range(8):
        if any(value in decoded or value in decoded.replace("+", " ") for value in values):
            return
        decoded = unquote(decoded, "utf-8", "surrogateescape")
    assert SecretText({secret: "<it>"}).replaced(text) == text
    assert not any_in([secret], text)


@pytest.mark.parametrize(
    "written",
    [
        quote(LONG, safe=""),
        quote(LONG),
        quote(LONG, safe="").lower(),
        quote_plus(LONG),
        quote(quote_plus(LONG)),
        quote(quote(LONG)),
        quote(LONG.encode("latin-1")),
        LONG.encode().decode("latin-1"),
        quote(LONG.encode().decode("latin-1")),
        LONG.lower(),
        unquote(LONG),
        LONG.replace("+", " "),
    ],
)
def test_what_servers_make_of_a_secret(written):
    assert SecretText({LONG: "${IT}"}).replaced(f"https://example.com/{written}?x") == "https://example.com/${IT}?x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("eu", "***"),
        ("https://eu.example.com/eu/x-eu.tar?r=eu", "https://***.example.com/***/x-***.tar?r=***"),
        ("neutral europe eu1 _eu", "neutral europe eu1 _eu"),
        ("a%2Feu%2Fb+eu+%65u", "a%2F***%2Fb+***+***"),
        ("a%252Feu%252Fb", "a%252F***%252Fb"),
        ("n%65utral 100%eu", "n%65utral 100%***"),
    ],
)
def test_a_short_secret_is_replaced_only_where_it_stands_alone(text, shown):
    assert SecretText({"eu": "***"}).replaced(text) == shown


def test_digits_of_an_escape_are_no_secret_of_their_own():
    assert SecretText({"20": "***", "2F": "***"}).replaced("a%20%20b%2F%2F 20") == "a%20%20b%2F%2F ***"


def test_a_word_of_a_path_is_replaced_only_where_it_stands_alone():
    text = "artifacts and artifacts-2, but not oldartifacts nor artifacts2"
    known = SecretText({"artifacts": "${T}", "oldartifact": "${U}"}, {"artifacts"})
    assert known.replaced(text) == "${T} and ${T}-2, but not ${U}s nor artifacts2"


def test_the_longer_of_two_secrets_goes_first_and_an_empty_one_is_none():
    known = SecretText({"abcdefgh": "<short>", "abcdefghij": "<long>", "": "<none>"})
    assert known.replaced("abcdefghij abcdefgh %61bcdefghij") == "<long> <short> <long>"
    assert SecretText({"": "x"}).replaced("a%b") == "a%b"
    assert not SecretText({}).is_in("a%b")


def test_a_label_of_a_host_is_found_as_it_is_asked_for():
    known = SecretText({"geheimnis-für-uns": "<it>"})
    host = host_of("http://geheimnis-für-uns.example/")
    assert host.startswith("xn--geheimnis-fr-uns-")
    assert known.replaced(f"cannot resolve {host}") == "cannot resolve <it>.example:80"
