"""The URLs of a manifest as typed: of whatever came from the environment, the name stands there."""

from __future__ import annotations

from typing import Any

import yaml

from marscore.resolve.expand import load, load_mapping
from marscore.resolve.typed import as_typed

ENVIRONMENT = {"HOST": "secret.example", "V": "1.2", "N": "7", "URL": "https://secret.example/whole.bin"}


def typed(*downloads: Any, variables: dict[str, str] | None = None) -> list[str]:
    manifest = {"version": 1, "downloads": list(downloads)}
    found = list(as_typed(*load(yaml.safe_dump(manifest, sort_keys=False), "m.yaml", ENVIRONMENT, variables or {})))
    assert found == list(as_typed(*load_mapping(manifest, ENVIRONMENT, variables or {})))
    return [each.url for each in found]


def test_without_references_they_are_what_is_asked() -> None:
    each = {"url": "https://a/{i:03d}-{w}.bin", "each": {"i": {"from": 9, "to": 10}, "w": ["x", "y"]}}
    assert typed("https://a/b", each) == ["https://a/b", *(f"https://a/{i:03d}-{w}.bin" for i in (9, 10) for w in "xy")]


def test_references_stay_as_they_are() -> None:
    urls = ["https://${HOST}/${V}/b.bin", "${URL}", "https://a/${MISSING:-x}.bin?n=${N}&d=$$5"]
    assert typed(*urls) == urls
    assert typed("https://a/${K}.bin", variables={"K": "k"}) == ["https://a/${K}.bin"]


def test_references_in_an_entry_that_makes_many() -> None:
    entry = {
        "url": "https://${HOST}/{v}/{n:05d}-{i:02x}{{}}.bin",
        "path": "{v}-{n}-{i}.bin",
        "each": {"v": ["${V}", "plain"], "n": ["${N}", "8"], "i": {"from": 10, "to": 11}},
    }
    assert typed(entry, "https://a/after-{}.bin") == [
        *(f"https://${{HOST}}/{v}/{n}-{i}{{}}.bin" for v in ("${V}", "plain") for n in ("${N}", "00008") for i in ("0a", "0b")),
        "https://a/after-{}.bin",
    ]


def test_merged_keys_and_aliases_are_followed() -> None:
    text = "version: 1\ndownloads:\n- &a\n  url: https://${HOST}/a.bin\n- <<: *a\n  path: b.bin\n"
    assert [each.url for each in as_typed(*load(text, "m.yaml", ENVIRONMENT))] == ["https://${HOST}/a.bin"] * 2
