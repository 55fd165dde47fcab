"""What Python callers pass, checked: a TypeError or a ValueError that names the argument, and never shows what may be secret."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

NOT_AWAITED = "{name} must not be async: it is called with each event, and nothing awaits what it returns"


def refuse(name: str, value: object, wanted: str) -> NoReturn:
    """Say that an argument is of a wrong type."""
    raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def refuse_awaitable(name: str, returned: object) -> None:
    """Check what a call of an argument has returned: a coroutine would never run."""
    if hasattr(returned, "__await__"):
        if close := getattr(returned, "close", None):
            close()
        raise TypeError(NOT_AWAITED.format(name=name))


def whole(name: str, value: object, least: int = 1) -> None:
    """Check a whole number. True and False are none, though Python counts them among them."""
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(name, value, "a whole number")
    if value < least:
        raise ValueError(f"{name} must be {least} or more")


def above_zero(name: str, value: object) -> None:
    """Check a number of any kind."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        refuse(name, value, "a number")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be more than 0, and finite")


def path(name: str, value: object) -> None:
    """Check the path of a file or folder."""
    if not isinstance(value, (str, Path)):
        refuse(name, value, "a path")
    if value == "" or "\0" in str(value):
        raise ValueError(f"{name} must not be empty, and hold no NUL")


def text(name: str, value: object) -> None:
    """Check a string."""
    if not isinstance(value, str):
        refuse(name, value, "a string")


def one_of(name: str, value: object, words: Sequence[str]) -> None:
    """Check a word."""
    text(name, value)
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}")


def texts(name: str, value: object) -> tuple[str, ...]:
    """Check several strings; one alone is none, though Python counts its letters."""
    if not isinstance(value, (tuple, list)):
        refuse(name, value, "a list or tuple of strings")
    for number, item in enumerate(value):
        text(f"{name}[{number}]", item)
    return tuple(value)


def strings(name: str, value: Mapping[Any, Any]) -> None:
    """Check that names and values of a mapping are strings; a wrong one is named by its place, and a wrong value by its name."""
    for key, item in value.items():
        if not isinstance(key, str):
            refuse(f"every name in {name}", key, "a string")
        text(f"{name}[{key!r}]", item)


def pairs(name: str, value: object) -> tuple[tuple[str, str], ...]:
    """Check names with their texts, given as pairs or as a mapping."""
    if isinstance(value, Mapping):
        strings(name, value)
    items: Iterable[Any] = value.items() if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else (value,)
    found = tuple(tuple(item) if isinstance(item, (tuple, list)) else item for item in items)
    for item in found:
        if not isinstance(item, tuple) or len(item) != 2 or not all(isinstance(part, str) for part in item):
            refuse(name, value, "pairs of strings")
    return found
