"""The schema for editors: a misspelt key is told at the key, and every key is explained."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from marscore.manifest import manifest_schema
from marscore.manifest.by_type import by_type

URL = "https://example.com/a.zip"
SCHEMA = manifest_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def of_download(**options: Any) -> dict[str, Any]:
    return {"version": 1, "downloads": [{"url": URL, **options}]}


@pytest.mark.parametrize(
    ("manifest", "path", "key"),
    [
        ({"version": 1, "download": [URL]}, [], "download"),
        (of_download(pth="x"), ["downloads", 0], "pth"),
        (of_download(retry={"max_retry": 1}), ["downloads", 0, "retry"], "max_retry"),
        (of_download(retry={"backoff": {"inital": "1s"}}), ["downloads", 0, "retry", "backoff"], "inital"),
        (of_download(auth={"user": "x"}), ["downloads", 0, "auth"], "user"),
        (of_download(timeout={"conect": "1s"}), ["downloads", 0, "timeout"], "conect"),
        (of_download(checksum={"form": URL}), ["downloads", 0, "checksum"], "form"),
        (of_download(checksum=[{"form": URL}]), ["downloads", 0, "checksum", 0], "form"),
        (of_download(checksum={"from": {"uri": URL}}), ["downloads", 0, "checksum", "from"], "uri"),
        (of_download(unpack={"itno": "x"}), ["downloads", 0, "unpack"], "itno"),
        (of_download(proxies={"htp": "x"}), ["downloads", 0, "proxies"], "htp"),
        (of_download(cert={"crt": "x"}), ["downloads", 0, "cert"], "crt"),
        (of_download(each={"i": {"from": 1, "too": 2}}), ["downloads", 0, "each", "i"], "too"),
        ({"version": 1, "defaults": {"timeouts": 1}, "downloads": [URL]}, ["defaults"], "timeouts"),
        ({"version": 1, "execution": {"thread": 1}, "downloads": [URL]}, ["execution"], "thread"),
    ],
)
def test_a_misspelt_key_is_told_at_the_key(manifest: dict[str, Any], path: list[Any], key: str) -> None:
    found = best_match(VALIDATOR.iter_errors(manifest))
    assert found is not None
    assert list(found.absolute_path) == path
    assert f"'{key}'" in found.message


@pytest.mark.parametrize(
    "manifest",
    [
        {"version": 1, "x-common": {"anything": [1]}, "downloads": [URL]},
        {"version": 1, "execution": {"processes": "auto", "threads": "${N}", "http": 1.1, "max_rate": "5MiB"}, "downloads": [URL]},
        {"version": 1, "execution": {"processes": 4, "http": "2", "deadline": 30}, "cache": None, "downloads": []},
        {"version": 1, "defaults": {"timeout": 3, "retry": None, "verify": "ca.pem", "auth": "netrc", "unpack": True}, "downloads": [URL]},
        of_download(checksum=["a", "b"], size="${S}", tags=["a", 1], proxies="none", each={"i": [1, "b"], "j": {"from": 0, "to": "${N}"}}),
    ],
)
def test_what_is_right_passes(manifest: dict[str, Any]) -> None:
    assert not list(VALIDATOR.iter_errors(manifest))


@pytest.mark.parametrize(
    "manifest",
    [
        {"version": 1, "downloads": [3]},
        {"version": 1, "execution": {"processes": "many"}, "downloads": [URL]},
        {"version": 1, "execution": {"processes": 0}, "downloads": [URL]},
        of_download(if_exists="overwrite"),
        of_download(max_size=-1),
        of_download(size="big"),
        of_download(tags="ci"),
    ],
)
def test_what_is_wrong_does_not(manifest: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(manifest))


def properties(node: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(node, dict):
        return []
    below = [found for value in node.values() for found in properties(value)]
    return [*node["properties"].items(), *below] if "properties" in node else below


def test_every_key_has_a_title_a_description_and_an_example_that_is_right() -> None:
    for name, schema in properties({"Manifest": {"properties": SCHEMA["properties"]}, **SCHEMA["$defs"]}):
        assert schema["title"], name
        assert schema["description"], name
        assert schema["examples"], f"{name}: EXAMPLES in manifest/described.py has none"
        for value in [*schema["examples"], *([schema["default"]] if "default" in schema else [])]:
            assert VALIDATOR.evolve(schema={**schema, "$defs": SCHEMA["$defs"]}).is_valid(value), (name, value)


def test_alternatives_are_told_apart_by_type() -> None:
    object_, text, null = {"$ref": "#/$defs/A"}, {"type": "string", "pattern": "a"}, {"type": "null"}
    assert by_type({"anyOf": [object_, text, {"type": "string", "pattern": "b"}, null]}) == {
        "type": ["object", "string", "null"],
        "pattern": "a|b",
        "allOf": [{"if": {"type": "object"}, "then": {"$ref": "#/$defs/A"}}],
    }
