"""Pydantic's errors as problems in plain words, each at its place in the text; one for each mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from marscore.manifest.advice import Unknown, of_key, of_missing, of_value, unknown_key, unknown_kind
from marscore.manifest.echoes import KEY, causes, not_elsewhere
from marscore.manifest.places import Findings, Path, shown_key

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
    before = {path for path, _ in findings.found}
    errors = causes([(_path_of(one), one) for one in error.errors(include_url=False)], before.__contains__)
    # What YAML itself has something against, or the environment, was told already.
    missing = [path for path in not_elsewhere(errors) if not findings.wrong(*path)]
    lacking = frozenset(missing)
    known = _unknown([path for path, one in errors if one["type"] == "extra_forbidden"], missing, findings)
    for path, one in errors:
        if path and path[-1] == KEY:
            _key(path[:-1], one, findings)
        elif one["type"] == "missing":
            if path in lacking and path not in known:
                findings.add(path, _message(one), "missing", of_missing(path))
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


def _unknown(unknown: Iterable[Path], missing: Sequence[Path], findings: Findings) -> set[Path]:
    """Tell of unknown keys, once of those that are one mistake; of the missing keys those that are then told of.

    One mistake are those that make up one option (user and password), and those that belong to one other mapping. A key of which nobody
    knows what it is may be the one that is missing beside it.
    """
    told_of: set[Path] = set()
    beside: dict[Path, list[Path]] = {}
    for path in missing:
        beside.setdefault(path[:-1], []).append(path)
    groups: dict[tuple[Path, str], list[tuple[Path, Unknown]]] = {}
    for path in unknown:
        mapping, _ = findings.places.node(path[:-1])
        said = unknown_key(path, mapping if isinstance(mapping, Mapping) else ())
        groups.setdefault((path[:-1], said.one_of or str(path[-1])), []).append((path, said))
    for (mapping, _), [(path, said), *others] in groups.items():
        lacking = [other for other in beside.get(mapping, ()) if other not in told_of]
        message = said.message
        if others and said.key is None:
            names = ", ".join(repr(shown_key(str(each[-1]))) for each in (path, *(other for other, _ in others)))
            message = f"unknown keys {names}{message.removeprefix(f'unknown key {shown_key(str(path[-1]))!r}')}"
        if said.key is not None:
            told_of.add((*mapping, said.key))
        elif lacking and said.is_open:
            message += f", and the required {' and '.join(str(other[-1]) for other in lacking)} {'are' if lacking[1:] else 'is'} missing"
            told_of.update(lacking)
        findings.add(path, message, "key", said.advice)
    return told_of


def _key(path: Path, error: Any, findings: Findings) -> None:
    if error["type"] == "literal_error":
        message, advice = unknown_kind(str(path[-1]))
        findings.add(path, message, "key", advice)
    else:
        findings.add(path, _message(error), "key", of_key(path))
