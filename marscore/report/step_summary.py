"""A run as the Markdown that GitHub shows on its job's page: sums, then what failed, what was tried again, and what is in place.

    head + failures + entries --step_summary--> Markdown of at most so many bytes

What does not fit is counted. Texts come redacted; what strangers wrote in them is shown as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from marscore.report.failed import remedy_of
from marscore.report.markdown import code_cell, text_cell
from marscore.report.words import duration, endings, in_place
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.errors import Problem
    from marscore.report.head import Head
    from marscore.report.model import DownloadReport

#: Bytes that GitHub takes of the summary of a step; one that is larger is not shown at all.
LIMIT = 1024 * 1024
#: Rows that a person may want to read of a table.
_FAILED, _RETRIED, _IN_PLACE, _WARNINGS = 500, 100, 100, 50
#: Bytes that are kept free for what closes a table and says what was left out.
_RESERVE = 200
#: An entry that nothing was tried again for.
_NO_RETRIES = '"retries": []'
_PLACED = {"downloaded": "downloaded", "up_to_date": "was up to date", "cached": "from the cache"}
_MARKS = tuple(f'"status": "{status}"' for status in _PLACED)


class Page:
    """Text that never grows beyond so many bytes of UTF-8."""

    def __init__(self, room: int) -> None:
        self._left = room
        self._parts: list[str] = []

    def add(self, text: str, spare: int = 0) -> bool:
        """Add a text if it fits and leaves `spare` bytes free; say whether it did."""
        size = len(text.encode())
        if size + spare > self._left:
            return False
        self._left -= size
        self._parts.append(text)
        return True

    def __str__(self) -> str:
        return "".join(self._parts)


def step_summary(head: Head, failed: Sequence[DownloadReport], entries: Iterable[str], notes: Sequence[str] = (), room: int = LIMIT) -> str:
    """Write the summary; empty where there is no room even for its beginning.

    Args:
        head: of the report.
        failed: the entries of what failed or was interrupted.
        entries: all entries, as JSON.
        notes: what else went wrong with the run.
        room: bytes that it may take.
    """
    page = Page(room)
    if not page.add(_beginning(head), _RESERVE):
        return ""
    said = [text_cell(note) for note in [*notes, *head.warnings][:_WARNINGS]]
    if said:
        page.add("".join(["\n", *(f"- {each}\n" for each in said)]), _RESERVE)
    broken = [entry for entry in failed if entry.status == "failed"]
    _table(
        page,
        "Failed",
        ("file", "what went wrong", "kind", "what to do"),
        (_failure(entry, head.manifest.path) for entry in broken[:_FAILED]),
        len(broken),
    )
    retried, placed, counted = _picked(entries)
    _table(page, "Tried again", ("file", "tries", "the last reason"), map(_retry, retried), counted, folded="yes")
    _table(page, "In place", ("file", "how", "size", "seconds"), map(_placed, placed), in_place(head.totals), folded="yes")
    return str(page)


def problem_summary(source: str, problems: Sequence[Problem], room: int = LIMIT) -> str:
    """The summary of a run that did not start, since its manifest is wrong."""
    page = Page(room)
    if not page.add("### marscore: nothing was started\n\n", _RESERVE):
        return ""
    rows = ((code_cell(_place(source, each)), code_cell(each.path), text_cell(each.message)) for each in problems[:_FAILED])
    _table(page, "Wrong", ("place", "key", "what is wrong"), rows, len(problems))
    return str(page)


def message_summary(message: str, room: int = LIMIT) -> str:
    """The summary of a run that could not begin."""
    page = Page(room)
    page.add(f"### marscore: the run could not begin\n\n{text_cell(message)}\n")
    return str(page)


def _place(source: str, problem: Problem) -> str:
    return source if problem.line is None else f"{source}:{problem.line}:{problem.column}"


def _beginning(head: Head) -> str:
    totals = head.totals
    title = f" of {text_cell(head.name)}" if head.name else ""
    stopped = ", interrupted" if head.status == "interrupted" else ""
    lines = [f"### marscore: {in_place(totals):,} of {totals.downloads:,} downloads{title} in place{stopped}", ""]
    counts = {**endings(totals), "retries": totals.retries}
    rate = f" ({format_size(totals.bytes_downloaded / head.duration_s)}/s)" if head.duration_s and totals.bytes_downloaded else ""
    shown = {name: f"{count:,}" for name, count in counts.items() if count or name in ("downloaded", "failed")}
    shown |= {"received": f"{format_size(totals.bytes_downloaded)}{rate}", "time": duration(head.duration_s)}
    if totals.bytes_resumed:
        shown["resumed"] = format_size(totals.bytes_resumed)
    return "\n".join([*lines, _row(shown), _row(["--:"] * len(shown)), _row(shown.values()), ""])


def _table(page: Page, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], total: int, folded: str = "no") -> None:
    """Add a table of `total` rows, as many of them as there are and as fit."""
    if not total:
        return
    name = f"{title} ({total:,})"
    opened = f"\n<details><summary>{name}</summary>\n\n" if folded == "yes" else f"\n#### {name}\n\n"
    if not page.add(f"{opened}{_row(columns)}\n{_row(['---'] * len(columns))}\n", _RESERVE):
        return
    shown = 0
    for row in rows:
        if not page.add(_row(row) + "\n", _RESERVE):
            break
        shown += 1
    more = f"\n… and {total - shown:,} more: see the report.\n" if shown < total else ""
    page.add(more + ("\n</details>\n" if folded == "yes" else ""))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _failure(entry: DownloadReport, manifest: str) -> list[str]:
    assert entry.error is not None, "what failed has an error"
    file = f"{code_cell(entry.path)}<br>{code_cell(entry.source or entry.url)}"
    return [file, text_cell(entry.error.message), code_cell(entry.error.kind), text_cell(remedy_of(entry.error, manifest))]


def _retry(entry: dict[str, Any]) -> list[str]:
    return [code_cell(entry["path"]), str(len(entry["retries"]) + 1), text_cell(entry["retries"][-1]["message"])]


def _placed(entry: dict[str, Any]) -> list[str]:
    size = "" if entry["size"] is None else format_size(entry["size"])
    return [code_cell(entry["path"]), _PLACED[entry["status"]], size, f"{entry['duration_s']:.1f}"]


def _picked(entries: Iterable[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """The first of those that were tried again and of those in place, and how many were tried again; of a million, few are read."""
    retried: list[str] = []
    placed: list[str] = []
    count = 0
    for entry in entries:
        if _NO_RETRIES not in entry:
            count += 1
            if len(retried) < _RETRIED:
                retried.append(entry)
        # In JSON no text holds a quotation mark that is not escaped, so these are the fields.
        if len(placed) < _IN_PLACE and any(mark in entry for mark in _MARKS):
            placed.append(entry)
    return list(map(json.loads, retried)), list(map(json.loads, placed)), count
