"""The report as text, in pieces, so that a report of a hundred thousand downloads is never one string."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from marscore.report.head import Head


def iter_json(head: Head, entries: Iterable[str]) -> Iterator[str]:
    """Yield the report's JSON, indented for people, a download at a time; it ends with a newline."""
    written = head.as_written()
    # On a line of its own, and not five hundred.
    throughput = json.dumps(written.pop("throughput"))
    yield json.dumps(written, indent=2, ensure_ascii=False).removesuffix("\n}") + f',\n  "throughput": {throughput},\n  "downloads": ['
    separator = "\n    "
    for entry in entries:
        yield separator + entry
        separator = ",\n    "
    yield "]\n}\n" if separator == "\n    " else "\n  ]\n}\n"
