"""Pydantic's errors as problems in plain words, each at its place in the text; one for each mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from marscore.manifest.advice import of_missing, of_value, unknown_key, unknown_kind
from marscore.manifest.places import Findings, Path

_MAPPING = "must be a mapping"
_LIST = "must be a list"
#: Pydantic's type of error -> words, from what the error says about the limit that was passed.
_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "value_error": lambda limit: str(limit["error"]),
    "greater_than_equal": lambda limit: f"must be {_number(limit['ge'])} or more",
    "greater_than": lambda limit: f"must be more than {_number(limit['gt'])}",
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


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def explain(error: ValidationError, findings: Findings) -> None:
    """Add what pydantic found; a key that is missing since it was misspelt is the same mistake."""
    errors = [(_path_of(one), one) for one in error.errors(include_url=False)]
    misspelt = _misspelt([path for path, one in errors if one["type"] == "extra_forbidden"], findings)
    for path, one in errors:
        if path and path[-1] == "[key]":
            _key(path[:-1], one, findings)
        elif one["type"] == "missing":
            # What YAML itself has something against, or the environment, was told already.
            if path not in misspelt and not findings.wrong(*path):
                findings.add(path, _message(one), "missing", of_missing(path))
        elif one["type"] == "too_short" and any(other[: len(path)] == path and len(other) > len(path) for other, _ in errors):
            # It is short of what is wrong in it.
            continue
        elif one["type"] != "extra_forbidden":
            message = _message(one)
            node, reached = findings.places.node(path)
            findings.add(path, message, "value", of_value(path, reached, node, {**one, "msg": message}))


def _path_of(error: Any) -> Path:
    return tuple(segment for segment in error["loc"] if not _is_tag(segment))


def _is_tag(segment: str | int) -> bool:
    return isinstance(segment, str) and segment in ("(one)", "(mapping)", "(entry)", "(list)")


def _message(error: Any) -> str:
    words = _WORDS.get(error["type"])
    return words(error.get("ctx", {})) if words else "is not valid"


def _misspelt(unknown: Iterable[Path], findings: Findings) -> set[Path]:
    """Tell of unknown keys, once of user and password, which stand for one auth; the paths of those that were meant."""
    meant: set[Path] = set()
    said: set[tuple[Path, str | None]] = set()
    for path in unknown:
        beside, _ = findings.places.node(path[:-1])
        message, advice, replaced = unknown_key(path, beside if isinstance(beside, Mapping) else ())
        what = (*path[:-1], replaced or path[-1])
        if replaced != "auth" or (what, advice.help) not in said:
            findings.add(path, message, "key", advice)
        said.add((what, advice.help))
        meant.add(what)
    return meant


def _key(path: Path, error: Any, findings: Findings) -> None:
    if error["type"] == "literal_error":
        message, advice = unknown_kind(str(path[-1]))
        findings.add(path, message, "key", advice)
    else:
        findings.add(path, _message(error), "key")
