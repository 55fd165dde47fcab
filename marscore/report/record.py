"""An event as the world sees it: the fields of its line in the log.

Times are RFC 3339 in UTC with milliseconds; seconds are rounded to milliseconds too. A field without a value is left out, but for
`status`, where null says that no server answered.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache

from marscore.events import LoggedEvent, fields_of

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


def record_of(event: LoggedEvent) -> dict[str, object]:
    """The fields of the event's log line, `timestamp` first; level, name and run are the log's to add."""
    record: dict[str, object] = {"timestamp": rfc3339(event.at)}
    for name, value in fields_of(event).items():
        if name != "at" and (value is not None or name in NULL_FIELDS):
            record[name] = _public(name, value)
    return record


def _public(name: str, value: object) -> object:
    if isinstance(value, float):
        return rfc3339(value) if name in TIME_FIELDS else seconds(value)
    return list(value) if isinstance(value, tuple) else value
