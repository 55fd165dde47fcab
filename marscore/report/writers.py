"""The report as text, in pieces, so that a report of a hundred thousand downloads is never one string."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, is_dataclass
from operator import attrgetter
from typing import Any

from marscore.report.model import DownloadReport, Report


def iter_json(report: Report) -> Iterator[str]:
    """Yield the report's JSON, indented for people, a download at a time; it ends with a newline."""
    head = json.dumps(report.model_dump(mode="json", by_alias=True, exclude={"downloads"}), indent=2, ensure_ascii=False)
    yield head.removesuffix("\n}") + ',\n  "downloads": ['
    separator = "\n    "
    for download in report.downloads:
        yield separator + _entry(download)
        separator = ",\n    "
    yield "\n  ]\n}\n" if report.downloads else "]\n}\n"


_NAMES = tuple(field.name for field in fields(DownloadReport))
_values_of = attrgetter(*_NAMES)
#: One download, a field to a line.
_ENTRY = "{\n      " + ",\n      ".join(f'"{name}": %s' for name in _NAMES) + "\n    }"
_encode = json.JSONEncoder(ensure_ascii=False).encode


def _entry(download: DownloadReport) -> str:
    # Values are encoded one by one, since indented as a whole json would not use its C code.
    return _ENTRY % tuple([_ENCODERS.get(type(value), _value)(value) for value in _values_of(download)])


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _encode(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)


#: The kinds of value that there are most of.
_ENCODERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "null",
    str: json.encoder.encode_basestring,
    int: int.__repr__,
    float: float.__repr__,
}
