"""An event as the world sees it: the fields of its line in the log.

Times are RFC 3339 in UTC with milliseconds; seconds are rounded to milliseconds too. A field without a value is left out, but for
`status`, where null says that no server answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

from marscore.events import LoggedEvent, shape_of

#: Fields that hold Unix time, besides `at`.
TIME_FIELDS = frozenset({"started_at"})
#: Fields that are written even without a value.
NULL_FIELDS = frozenset({"status"})


def rfc3339(at: float) -> str:
    """Write Unix time as `2024-05-01T12:00:00.250Z`."""
    whole, milliseconds = divmod(round(at * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, tz=timezone.utc).isoformat().removesuffix("+00:00")


def seconds(value: float) -> float:
    """Round a duration to the milliseconds that are written."""
    return round(value, 3)


def record_of(event: LoggedEvent, /, **lead: object) -> dict[str, object]:
    """The fields of the event's log line: `timestamp` first, then what the log adds of itself, such as the level."""
    kind: Any = type(event)
    names, values_of = shape_of(kind)
    values = values_of(event)
    record: dict[str, object] = {"timestamp": rfc3339(event.at), **lead}
    record.update(zip(names, values, strict=True))
    del record["at"]
    # Written for a line twice for each of many files: what needs a second look is known beforehand.
    for name, public in _forms_of(kind):
        value = record[name]
        if value is not None:
            record[name] = public(value)
    if None in values:
        for name, value in zip(names, values, strict=True):
            if value is None and name not in NULL_FIELDS:
                del record[name]
    return record


@cache
def _forms_of(kind: Any) -> tuple[tuple[str, Callable[[Any], object]], ...]:
    """Which fields of an event class are written otherwise than they are held, and how."""
    forms: list[tuple[str, Callable[[Any], object]]] = []
    for name, field in zip(shape_of(kind)[0], fields(kind), strict=True):
        held = str(field.type)
        if held.startswith("tuple"):
            forms.append((name, list))
        elif held.startswith("float") and name != "at":
            forms.append((name, rfc3339 if name in TIME_FIELDS else seconds))
    return tuple(forms)
