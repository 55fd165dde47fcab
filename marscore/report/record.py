"""An event as the world sees it: the fields of its line in the log.

Times are RFC 3339 in UTC with milliseconds; seconds are rounded to milliseconds too. A field without a value is left out, but for
`status`, where null says that no server answered.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
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
    record: dict[str, object] = {"timestamp": rfc3339(event.at), **lead}
    kind: Any = type(event)
    names, values_of = shape_of(kind)
    for name, value in zip(names, values_of(event), strict=True):
        if value is not None:
            record[name] = _public(name, value)
        elif name in NULL_FIELDS:
            record[name] = None
    del record["at"]
    return record


def _public(name: str, value: object) -> object:
    kind = type(value)
    if kind is float:
        return rfc3339(value) if name in TIME_FIELDS else round(value, 3)  # type: ignore[arg-type, call-overload]  # it is a float
    return list(value) if kind is tuple else value  # type: ignore[call-overload]  # it is a tuple
