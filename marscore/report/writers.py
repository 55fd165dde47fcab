"""The report as text, in pieces, so that a report of a hundred thousand downloads is never one string."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from marscore.report.head import Head

#: The schema of a report whose entries are beside it.
SUMMARY = "marscore/report-summary/v1"
#: How the end of a line and what follows it is written within an entry: no text in JSON holds one.
_LINES = (("\n      ", " "), ("\n    }", " }"))


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


class Lines:
    """The entries as JSON Lines, each time anew; afterwards `count` says how many there were, and `bytes` how many bytes."""

    def __init__(self, entries: Callable[[], Iterable[str]]) -> None:
        self._entries = entries
        self.count = self.bytes = 0

    def __iter__(self) -> Iterator[str]:
        self.count = self.bytes = 0
        for entry in self._entries():
            text = entry
            for broken, joined in _LINES:
                text = text.replace(broken, joined)
            line = text + "\n"
            self.count += 1
            self.bytes += len(line) if line.isascii() else len(line.encode())
            yield line


def summary_json(head: Head, file: str, lines: Lines) -> str:
    """The report without its entries, which are in a file beside it, as JSON for people."""
    written = {**head.as_written(), "schema": SUMMARY}
    written["entries"] = {"file": file, "count": lines.count, "bytes": lines.bytes}
    throughput = json.dumps(written.pop("throughput"))
    return json.dumps(written, indent=2, ensure_ascii=False).removesuffix("\n}") + f',\n  "throughput": {throughput}\n}}\n'
