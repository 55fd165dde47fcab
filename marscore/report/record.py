"""An event as the world sees it: the fields of its line in the log.

Times are RFC 3339 in UTC with milliseconds; seconds are rounded to milliseconds too. A field without a value is left out, but for
`status`, where null says that no server answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

from marscore.events import LoggedEvent, shape_of

#: Fields that hold Unix time, besides `at`.
TIME_FIELDS = frozenset({"started_at"})
#: Fields that are written even without a value.
NULL_FIELDS = frozenset({"status"})


@lru_cache(maxsize=256)
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


def well_formed(text: str) -> str:
    """The text with lone surrogates escaped, which a file name of unknown encoding may bring and UTF-8 cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def record_of(event: LoggedEvent, /, **lead: object) -> dict[str, object]:
    """The fields of the event's log line: `timestamp` first, then what the log adds of itself, such as the level."""
    kind: Any = type(event)
    names, values_of = shape_of(kind)
    record: dict[str, object] = {"timestamp": rfc3339(event.at), **lead}
    # Written for a line twice for each of many files: what needs a second look is known beforehand.
    record.update([pair for pair in zip(names, values_of(event)) if pair[1] is not None or pair[0] in NULL_FIELDS])  # noqa: B905 - one shape
    del record["at"]
    for name, public in _forms_of(kind):
        value = record.get(name)
        if value is not None:
            record[name] = public(value)
    return record


@cache
def _forms_of(kind: Any) -> tuple[tuple[str, Callable[[Any], object]], ...]:
    """Which fields of an event class are written otherwise than they are held, and how."""
    forms: list[tuple[str, Callable[[Any], object]]] = []
    types = {field.name.rstrip("_"): str(field.type) for field in fields(kind)}
    for name in shape_of(kind)[0]:
        held = types[name]
        if held.startswith("tuple[Brought"):
            forms.append((name, lambda brought: list(map(asdict, brought))))
        elif held.startswith("tuple"):
            forms.append((name, list))
        elif held.startswith("Unpacked"):
            forms.append((name, asdict))
        elif held.startswith("float") and name != "at":
            forms.append((name, rfc3339 if name in TIME_FIELDS else seconds))
    return tuple(forms)
