"""Options as they are documented are those that count: their defaults, and every key of the mappings among them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from marscore.manifest import models
from marscore.manifest.described import DEFAULTS, EXAMPLES, default_of
from marscore.resolve.expand import load
from marscore.resolve.model import Options

#: Where a mapping stands below a download, and what else it has to hold.
MAPPINGS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "Timeout": (("timeout",), {}),
    "Retry": (("retry",), {}),
    "Backoff": (("retry", "backoff"), {}),
    "Auth": (("auth",), {"username": "u"}),
    "Unpack": (("unpack",), {}),
}
#: Values that are no default, where the examples are one.
OTHERS: dict[tuple[str, str], Any] = {
    ("Auth", "username"): "v",
    ("Auth", "password"): "w",
    ("Timeout", "read"): "31s",
    ("Retry", "max_retries_by"): {"dns": 9},
    ("Retry", "max_retry_after"): "6m",
    ("Backoff", "initial"): "1s",
    ("Backoff", "factor"): 3,
    ("Backoff", "max"): "61s",
}


def options_of(written: dict[str, Any]) -> Options:
    entry = {"url": "https://a.example/x.tar", "path": "x.tar", **written}
    _, [download] = load(yaml.safe_dump({"version": 1, "downloads": [entry]}), "m.yaml", {"API_TOKEN": "t", "PASSWORD": "p"})
    return download.options


def below(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def without(model: str) -> Options:
    """Options where the mapping says nothing that it need not say."""
    keys, beside = MAPPINGS.get(model, ((), {}))
    return options_of(below(keys, beside) if beside or model == "Unpack" else {})


def names_of(model: str) -> list[str]:
    return [field.alias or name for name, field in getattr(models, model).model_fields.items()]


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, fields in DEFAULTS.items() for name in fields])
def test_a_documented_default_is_what_counts(model: str, name: str) -> None:
    keys, beside = MAPPINGS.get(model, ((), {}))
    written = options_of(below(keys, {**beside, name: default_of(model, name)}))
    if (model, name) == ("Retry", "max_retries"):
        # Written, it holds for the kinds too that have numbers of their own where it is not.
        assert written.retry.max_retries == options_of({}).retry.max_retries
    else:
        assert written == without(model)


@pytest.mark.parametrize(("model", "name"), [(model, name) for model in MAPPINGS for name in names_of(model)])
def test_every_key_of_a_mapping_makes_a_difference(model: str, name: str) -> None:
    keys, beside = MAPPINGS[model]
    values = [OTHERS[model, name]] if (model, name) in OTHERS else EXAMPLES[model][name]
    assert any(options_of(below(keys, {**beside, name: value})) != without(model) for value in values), values


@pytest.mark.parametrize("name", sorted(set(names_of("DownloadOptions")) - {"checksum", "mirrors", "path", "size", "url"}))
def test_every_option_makes_a_difference(name: str) -> None:
    assert any(options_of({name: value}) != options_of({}) for value in EXAMPLES["DownloadOptions"][name])
