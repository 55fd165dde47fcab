"""A plan as a table for people."""

from __future__ import annotations

import sys
from collections import Counter
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from marscore.adapters.terminal.streams import is_terminal, printable, wants_color
from marscore.cli.summary import counted

if TYPE_CHECKING:
    from marscore.planning.document import PlanDocument, PlannedDownload

_COLUMNS = ("ID", "ACTION", "PATH", "URL", "REASON")
#: rich needs half a millisecond a line; more lines than this nobody reads on a terminal.
_FOLDED_MOST = 1000


def plan_table(plan: PlanDocument) -> str:
    """The plan as a heading and a line for each download; long cells are folded where a person reads them on a terminal."""
    rows = [tuple(printable(cell) for cell in (e.id, e.action, e.path, _asked(e), e.reason)) for e in plan.downloads]
    folded = is_terminal(sys.stdout) and len(rows) <= _FOLDED_MOST
    return "\n".join([_heading(plan), *(_folded(rows) if folded else _aligned(rows))])


def _asked(entry: PlannedDownload) -> str:
    """The URL, and what is asked in its place or after it."""
    if entry.sources == (entry.url,):
        return entry.url
    others = entry.sources[1:] if entry.sources[0] == entry.url else entry.sources
    return f"{entry.url} ({'then' if entry.sources[0] == entry.url else 'from'} {', '.join(others)})"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    table = [_COLUMNS, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _folded(rows: list[tuple[str, ...]]) -> list[str]:
    table = Table(*_COLUMNS, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    console = Console(file=StringIO(), force_terminal=wants_color(sys.stdout), highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]


def _heading(plan: PlanDocument) -> str:
    actions = Counter(entry.action for entry in plan.downloads)
    actions_counted = ", ".join(f"{count} {action}" for action, count in actions.items())
    shared = f"{counted(plan.processes, 'process', 'processes')}, {counted(plan.threads, 'connection', 'connections')} each"
    return f"{counted(len(plan.downloads), 'download', 'downloads')} ({actions_counted or 'nothing to do'}); {shared}"
