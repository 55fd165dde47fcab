"""Where the rows of a list that is elsewhere may lead to with what the manifest sends."""

from __future__ import annotations

from typing import Any

import pytest

from marscore.manifest import ListEntry
from marscore.resolve.list_origins import ANYWHERE, AllowedOrigins, allowed_origins, leads_elsewhere, writes_more
from marscore.resolve.model import Options
from marscore.values import Credentials

LIST = "https://lists.example.com/rows.csv"
TOKEN = Options(headers=(("Authorization", "Bearer x"),))


def allowed(source: Any = LIST, url: str = "link", **more: Any) -> AllowedOrigins:
    return allowed_origins(ListEntry.model_validate({"from": source, "url": url, **more}))


def test_a_list_of_this_machine_or_one_that_is_pinned_leads_anywhere() -> None:
    for source in ("rows.csv", {"url": LIST, "checksum": "sha256:" + 64 * "0"}):
        assert allowed(source) == ANYWHERE
        assert leads_elsewhere(allowed(source), TOKEN, ["https://evil.example.com/a"], "text") is False


@pytest.mark.parametrize(
    ("url", "mirrors", "also"),
    [
        ("link", [], []),
        ("https://files.example.com/{id}", [], ["https://files.example.com"]),
        (
            "https://files.example.com:8443/{id}",
            ["http://other.example.com?{id}"],
            ["https://files.example.com:8443", "http://other.example.com"],
        ),
        ("https://files.example.com{id}", [], []),
        ("https://files.example.com:{port}/", [], []),
        ("https://{host}/files.example.com/", [], []),
        ("https://files.example.com@{host}/", [], []),
    ],
)
def test_others_lead_to_their_own_origin_and_to_those_that_are_typed(url: str, mirrors: list[str], also: list[str]) -> None:
    own, others = allowed(), allowed(url=url, mirrors=mirrors)
    assert isinstance(own, frozenset)
    assert isinstance(others, frozenset)
    assert {each.removesuffix(":443").removesuffix(":80") for each in others - own} == set(also)
    assert allowed("s3://bucket/rows.csv", url="link") == frozenset()


@pytest.mark.parametrize(
    ("options", "has_any"),
    [
        (TOKEN, True),
        (Options(headers=(("X-Of-Ours", "x"),)), True),
        (Options(auth=Credentials("me", "x")), True),
        (Options(headers=(("User-Agent", "x"), ("accept", "*/*")), auth="netrc"), False),
    ],
)
def test_only_what_tells_of_who_asks_is_kept_from_others(options: Options, has_any: bool) -> None:
    origins = allowed()
    assert leads_elsewhere(origins, options, ["https://lists.example.com/a", "https://evil.example.com/a"]) is has_any
    assert leads_elsewhere(origins, options, ["https://LISTS.example.com:443/a"]) is False


@pytest.mark.parametrize(
    ("url", "adds"),
    [
        ("link", False),
        ("{link}", False),
        ("https://{host}/x/{id}.bin", False),
        ("https://files.example.com/{id}?token=secret", False),
        ("{link}?token=secret", True),
        ("https://user:secret@{host}/x", True),
        ("https://{host}/x?key={id}", True),
    ],
)
def test_what_the_manifest_adds_to_an_origin_that_the_list_names_may_be_a_secret(url: str, adds: bool) -> None:
    assert writes_more(ListEntry.model_validate({"from": LIST, "url": url, "path": "{id}"})) is adds
    origins = allowed(url=url)
    assert leads_elsewhere(origins, Options(), ["https://evil.example.com/a"], "text" if adds else "nothing") is adds


@pytest.mark.parametrize(
    ("url", "lists", "adds"),
    [
        ("{link}/word", (), True),
        ("{link}/other", (), False),
        ("https://files.example.com/word/{link}", (), False),
        ("link", ("{url}.sha256",), False),
        ("link", ("{url}?token=x",), True),
        ("link", ("https://sums.example.com/{url}?token=x",), False),
    ],
)
def test_a_secret_of_the_environment_is_one_wherever_it_is_added(url: str, lists: tuple[str, ...], adds: bool) -> None:
    entry = ListEntry.model_validate({"from": LIST, "url": url})
    assert writes_more(entry, lists, {"word"}) is adds
