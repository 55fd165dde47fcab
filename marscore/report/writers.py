"""The report as text, in pieces, so that a report of a hundred thousand downloads is never one string."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from marscore.report.model import Report


def iter_json(report: Report) -> Iterator[str]:
    """Yield the report's JSON, indented for people, a download at a time; it ends with a newline."""
    head = json.dumps(report.model_dump(mode="json", by_alias=True, exclude={"downloads"}), indent=2, ensure_ascii=False)
    yield head.removesuffix("\n}") + ',\n  "downloads": ['
    separator = "\n    "
    for download in report.downloads:
        # A newline inside a JSON string is written as \n, so each one found here is layout.
        yield separator + json.dumps(asdict(download), indent=2, ensure_ascii=False).replace("\n", "\n    ")
        separator = ",\n    "
    yield "\n  ]\n}\n" if report.downloads else "]\n}\n"
