"""Pydantic's errors as problems in plain words, each at its place in the text."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from marscore.manifest import models as m
from marscore.manifest.places import Findings, Path
from marscore.values import FAILURE_KINDS

#: Which keys a mapping may have, by the name under which it stands.
_MODELS: dict[str, type[BaseModel]] = {
    "": m.Manifest,
    "execution": m.Execution,
    "defaults": m.Defaults,
    "downloads": m.DownloadEntry,
    "timeout": m.Timeout,
    "retry": m.Retry,
    "backoff": m.Backoff,
    "proxies": m.Proxies,
    "auth": m.Auth,
    "cert": m.Certificate,
    "checksum": m.PublishedChecksum,
    "from": m.ListSource,
}
_MAPPING = "must be a mapping"
_LIST = "must be a list"
#: Pydantic's type of error -> words, from what the error says about the limit that was passed.
_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "value_error": lambda limit: str(limit["error"]),
    "greater_than_equal": lambda limit: f"must be {limit['ge']} or more",
    "greater_than": lambda limit: f"must be more than {limit['gt']}",
    "less_than_equal": lambda limit: f"must be {limit['le']} or less",
    "literal_error": lambda limit: f"must be {limit['expected'].replace(chr(39), '')}",
    "too_short": lambda _: "must not be empty",
    "model_type": lambda _: _MAPPING,
    "model_attributes_type": lambda _: _MAPPING,
    "dict_type": lambda _: _MAPPING,
    "mapping_type": lambda _: _MAPPING,
    "tuple_type": lambda _: _LIST,
    "list_type": lambda _: _LIST,
}


def explain(error: ValidationError, findings: Findings) -> None:
    """Add what pydantic found."""
    for one in error.errors(include_url=False, include_input=False):
        path: Path = tuple(segment for segment in one["loc"] if not _is_tag(segment))
        if path and path[-1] == "[key]":
            findings.add(path[:-1], _key_message(path[:-1], one), "key")
        elif one["type"] == "extra_forbidden":
            findings.add(path, _unknown(path[-1], _known_keys(path[:-1])), "key")
        else:
            findings.add(path, _message(one), "missing" if one["type"] == "missing" else "value")


def _is_tag(segment: str | int) -> bool:
    return isinstance(segment, str) and segment in ("(one)", "(mapping)")


def _message(error: Any) -> str:
    words = _WORDS.get(error["type"])
    return words(error.get("ctx", {})) if words else "is not valid"


def _key_message(path: Path, error: Any) -> str:
    if error["type"] == "literal_error":
        return _unknown(path[-1], FAILURE_KINDS)
    return _message(error)


def _known_keys(path: Path) -> list[str]:
    """The keys that the mapping at a path may have."""
    names = [segment for segment in path if isinstance(segment, str)] or [""]
    model = m.Range if names[-2:-1] == ["each"] else _MODELS.get(names[-1])
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _unknown(key: str | int, known: Iterable[str]) -> str:
    text = str(key)
    near = difflib.get_close_matches(text.lower(), known, n=1)
    return f"unknown key {text[:64]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
