"""Whatever holds secrets is represented without them: pytest, loggers and crash reporters write down what they find in variables."""

from __future__ import annotations

import io
import pprint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

import marscore
from marscore.cli.wanted import GivenUrl, Wanted
from marscore.job import job_of
from marscore.public import MASK, is_telling, is_token_like, public_fields
from marscore.resolve.expand import load, load_mapping
from marscore.resolve.secrets import secrets_of
from marscore.settings import ManifestInput, RunSettings
from marscore.url import parse_proxy, parse_url
from tests.long import ALL

#: Long and of no word that stands elsewhere, of what a user name, a header and a query can hold.
SECRETS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789-._~", min_size=10, max_size=20).map(lambda text: f"Zq{text}7")


@st.composite
def manifests(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """A manifest with a secret wherever one may stand, and all of them."""
    told: list[str] = []

    def secret() -> str:
        told.append(draw(SECRETS))
        return told[-1]

    def url(host: str) -> str:
        return draw(
            st.sampled_from(
                [
                    f"https://alice:{secret()}@{host}/a.bin",
                    f"https://{secret()}@{host}/b.bin",
                    f"https://{host}/p?loc=https%3A%2F%2Fo.example%2Fq%3Fa%3D1%26sig%3D{secret()}&w=5",
                    f"https://{host}/c.bin?{draw(st.sampled_from(['token', 'X-Amz-Signature', 'api_key', 'sig', 'k%65y']))}={secret()}&a=1",
                ]
            )
        )

    def options() -> dict[str, Any]:
        known: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {secret()}", "X-Thing": secret(), "Cookie": secret(), "Accept": "text/plain"},
            "auth": draw(st.sampled_from([{"username": "alice", "password": secret()}, {"username": secret(), "password": ""}])),
            "proxies": draw(st.sampled_from([f"http://u:{secret()}@proxy:1", {"https": f"socks5://{secret()}@proxy:1"}])),
            "cert": {"cert": "a.pem", "key": "a.key", "password": secret()},
        }
        return draw(st.fixed_dictionaries({}, optional={key: st.just(value) for key, value in known.items()}))

    entry = {"url": url("files.example.com"), "path": "one.bin", "mirrors": [url("mirror.example.com")], **options()}
    listed = {"url": "https://files.example.com/d.bin", "path": "two.bin", "checksum": {"from": url("sums.example.com")}}
    each = {"url": f"https://files.example.com/{{n}}.bin?token={secret()}", "each": {"n": ["x", "y"]}}
    of_names = {"url": "https://{who}@files.example.com/{n}.txt", "each": {"n": ["x"], "who": [f"bob:{secret()}"]}}
    manifest = {
        "version": 1,
        "defaults": options(),
        "mirrors": {"https://files.example.com/": [f"https://carol:{secret()}@copy.example.com/"]},
        "on_failure": ["notify", "-H", f"Authorization: {secret()}", secret()],
        "downloads": [entry, listed, each, of_names],
    }
    return manifest, told


def texts_of(value: object) -> str:
    """All that is made of a value by those who write down variables."""
    rich = io.StringIO()
    Console(file=rich, width=200).print(value, markup=False)
    return "\n".join([repr(value), str(value), f"{[value]}", pprint.pformat(value), rich.getvalue()])


def assert_hides(value: object, told: list[str]) -> None:
    text = texts_of(value)
    assert not [secret for secret in told if secret in text], text


@settings(max_examples=200 if ALL else 12)
@given(manifests())
def test_nothing_that_is_made_of_a_manifest_shows_its_secrets(given_: tuple[dict[str, Any], list[str]]) -> None:
    data, told = given_
    manifest = marscore.Manifest.model_validate(data)
    assert_hides(manifest, told)
    assert_hides(ManifestInput("<dict>", Path(), data=data), told)
    assert_hides(ManifestInput("<dict>", Path(), data=manifest), told)
    parsed, downloads = load_mapping(data, {}, {})
    assert_hides(parsed, told)
    for download in downloads:
        assert_hides(download, told)
        assert_hides(download.options.access, told)
    assert_hides(secrets_of(parsed, downloads), told)
    assert_hides(job_of(parsed, downloads, ManifestInput("<dict>", Path(), data=data), RunSettings()), told)


@given(SECRETS)
def test_what_comes_from_variables_is_not_shown_either(secret: str) -> None:
    text = (
        "version: 1\ndownloads: [{url: 'https://a.example/x', headers: {X-Thing: '${WHAT}'}, auth: {username: a, password: '${WHAT}'}}]\n"
    )
    parsed, downloads = load(text, "m.yaml", {"WHAT": secret}, {})
    assert secret in (downloads[0].options.headers[0][1])
    for value in (parsed, downloads, secrets_of(parsed, downloads), RunSettings(variables=(("WHAT", secret),))):
        assert_hides(value, [secret])
    assert_hides(ManifestInput("m.yaml", Path(), text=text.replace("${WHAT}", secret)), [secret])
    wanted = Wanted([GivenUrl(f"https://a:{secret}@h.example/x")], headers=[("Authorization", secret)], login=("alice", secret))
    assert_hides(wanted, [secret])
    assert_hides(wanted.manifest(), [secret])
    assert_hides(parse_url(f"https://a.example/x?token={secret}"), [secret])
    assert_hides(parse_proxy(f"u:{secret}@proxy:1"), [secret])


def test_what_is_no_secret_is_shown() -> None:
    entry = {
        "url": "https://a.example/x?v=1",
        "path": "a/b.bin",
        "headers": {"Accept": "text/plain"},
        "cert": {"cert": "c.pem", "key": "k.pem"},
    }
    text = repr(marscore.Manifest.model_validate({"version": 1, "name": "nightly", "output_dir": "data", "downloads": [entry]}))
    for shown in ("'https://a.example/x?v=1'", "'a/b.bin'", "'Accept': 'text/plain'", "'k.pem'", "'nightly'", "'data'"):
        assert shown in text
    text = repr(marscore.Manifest.model_validate({"version": 1, "downloads": [{"url": "https://u:Zq7@a.example/x", "auth": "netrc"}]}))
    assert "https://***@a.example/x" in text
    assert "netrc" in text


def test_pydantics_own_errors_do_not_quote_what_is_wrong() -> None:
    with pytest.raises(ValidationError) as error:
        marscore.Manifest.model_validate(
            {"version": 1, "downloads": [{"url": "https://a.example/x", "headers": "Authorization: Zq7secret"}]}
        )
    assert "Zq7secret" not in str(error.value)


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://u:Zq7secret@a.example/x", "bogus": "Zq7secret"},
        {"url": "https://a.example/x", "headers": {"Authorization": ["Zq7secret"]}},
        "ftp://u:Zq7secret@a.example/x",
    ],
)
def test_nor_do_their_details(entry: object) -> None:
    data = {"version": 1, "downloads": [entry]}
    for made in (lambda: marscore.Manifest.model_validate(data), lambda: marscore.Manifest(**data)):
        with pytest.raises(ValidationError) as error:
            made()
        assert "Zq7secret" not in f"{error.value.errors()} {error.value.json()} {error.value!r}"
        assert error.value.errors()[0]["loc"][:2] == ("downloads", 0)


def test_a_url_that_is_none_hides_what_may_be_its_password() -> None:
    for url in (
        "https://u:Zq7#x@h/",
        "https://u:Zq7?x@h/",
        "https://u:Zq7/x@h/",
        "https://u:Zq7 x@h/",
        "https:/u:Zq7@h/",
        "https://h/#token=Zq7",
    ):
        assert "Zq7" not in str(public_fields([("url", url)])), url


def test_which_names_open_doors_is_one_rule() -> None:
    for name in ("Authorization", "X-Api-Key", "Cookie", "Session-Id", "password", "PASSPHRASE", "client_secret", "jwt", "X-Amz-Signature"):
        assert is_telling(name), name
        assert is_token_like(name), name
    for name in ("key", "sig", "code", "pin", "p%61ss"):
        assert is_token_like(name), name
    for name in ("page", "monkey", "compass", "keyword", "Accept", "decode"):
        assert not is_token_like(name), name
    assert MASK not in repr(RunSettings(output_dir="data", only=("a/*",)))
