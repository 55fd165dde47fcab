"""A report whose entries are JSON Lines beside it: read a line at a time, again and again, so that a million of them take no memory.

summary + file --report_of_lines--> Report, whose `downloads` are an `EntryLines`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

from pydantic import TypeAdapter, ValidationError

from marscore.errors import ManifestError, Problem
from marscore.report.model import DownloadReport, Report
from marscore.report.reading import report_of
from marscore.report.writers import SUMMARY

_entry = TypeAdapter(DownloadReport)


class EntryLines(Sequence[DownloadReport]):
    """The entries, each made of its line whenever it is asked for. `lines` opens the file anew; `name` is its name in messages."""

    def __init__(self, lines: Callable[[], Iterator[str]], count: int, name: str) -> None:
        self._lines = lines
        self._count = count
        self._name = name

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[DownloadReport]:
        """Yield each.

        Raises:
            ManifestError: a line is no entry, or there are fewer or more than the summary says.
        """
        number = 0
        for number, line in enumerate(self._lines(), 1):
            try:
                yield _entry.validate_json(line)
            except ValidationError as error:
                raise ManifestError(self._name, (Problem("", f"is no entry: {error.errors()[0]['msg']}", number, 1),)) from None
        if number != self._count:
            raise ManifestError(self._name, (Problem("", f"has {number:,} entries, and its summary says {self._count:,}"),))

    @overload
    def __getitem__(self, at: int) -> DownloadReport: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[DownloadReport]: ...

    def __getitem__(self, at: int | slice) -> DownloadReport | Sequence[DownloadReport]:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._count)
            return tuple(islice(iter(self), start, stop, step))
        number = at + self._count if at < 0 else at
        for entry in islice(iter(self), number, number + 1):
            return entry
        raise IndexError(at)


def summary_in(text: str) -> dict[str, Any] | None:
    """The document, where a text is the summary of a report whose entries are beside it."""
    # A report may have a hundred megabytes, and begins with its schema.
    if SUMMARY not in text[:1000]:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SUMMARY else None


def report_of_lines(summary: dict[str, Any], source: str, opened: Callable[[str, int], Callable[[], Iterator[str]]]) -> Report:
    """The report of a summary. `opened` is given the name of the file beside it, and how many bytes it has, and returns what reads it.

    Raises:
        ManifestError: something in it is wrong.
    """
    entries = summary.get("entries")
    match entries:
        case {"file": str(name), "count": int(count), "bytes": int(size)} if name and "/" not in name and "\\" not in name:
            pass
        case _:
            raise ManifestError(source, (Problem("entries", "must say file, a name, and count and bytes"),))
    head = report_of(json.dumps({**summary, "schema": "marscore/report/v1", "downloads": []}), source)
    return head.model_copy(update={"downloads": EntryLines(opened(name, size), count, name)})
