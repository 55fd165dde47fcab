"""The report as text, in pieces, so that a report of a hundred thousand downloads is never one string."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
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
_string = json.encoder.encode_basestring
_encode = json.JSONEncoder(ensure_ascii=False).encode


def _entry(download: DownloadReport) -> str:
    """One download, a field to a line. Values are encoded one by one, since only that way does json use its C code."""
    lines = [f'"{name}": {_value(getattr(download, name))}' for name in _NAMES]
    return "{\n      " + ",\n      ".join(lines) + "\n    }"


def _value(value: Any) -> str:
    # The two that there are most of, without asking what they are.
    if value is None:
        return "null"
    if type(value) is str:
        return _string(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _encode(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)
