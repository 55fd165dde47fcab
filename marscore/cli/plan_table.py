"""A plan for people: what is to be done in all, a line for each download, and the sum of bytes at the end.

terminal of 110 columns and more   ACTION SIZE PATH URL REASON, folded
from 70 columns on                 ACTION SIZE PATH REASON, folded
fewer                              ACTION SIZE PATH, with the reason below
no terminal                        ID ACTION SIZE PATH URL REASON, a download a line whatever its length; folded where COLUMNS is set
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING

from marscore.adapters.terminal.streams import is_terminal, printable, wants_color
from marscore.cli.summary import counted
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.planning.document import Action, PlanDocument, PlannedDownload

#: rich needs half a millisecond a line; more lines than this nobody reads on a terminal.
_FOLDED_MOST = 1000
#: Columns that a terminal needs for the URL, and for a column of reasons.
_WITH_URL, _WITH_REASON = 110, 70


def plan_table(plan: PlanDocument, counts: Mapping[Action, int] | None = None) -> str:
    """The plan as text; long cells are folded where a person reads them on a terminal.

    `counts` are those of all downloads by their actions, where the plan holds no more than the first of them.
    """
    counts = counts or Counter(entry.action for entry in plan.downloads)
    left = sum(counts.values()) - len(plan.downloads)
    person = is_terminal(sys.stdout) or os.environ.get("COLUMNS", "").strip("0").isdecimal()
    width = shutil.get_terminal_size().columns
    hooks = [f"{name} runs {shlex.join(argv)}" for name in ("on_success", "on_failure") if (argv := getattr(plan, name, None))]
    table: list[str] = []
    if plan.downloads:
        folded = person and len(plan.downloads) <= _FOLDED_MOST
        table = ["", *(_folded(plan.downloads, width) if folded else _aligned(plan.downloads)), ""]
        table += [f"and {left:,} more, which --format json shows", ""] if left else []
    above, below = [_heading(plan, counts), *map(printable, hooks)], [_sum(plan)] if plan.downloads else []
    if person:
        above, below = ([part for line in lines for part in textwrap.wrap(line, width)] for lines in (above, below))
    return "\n".join([*above, *table, *below])


def _reason(entry: PlannedDownload) -> str:
    told = f"{entry.reason} ({format_size(entry.bytes_kept)})" if entry.bytes_kept else entry.reason
    return printable(f"{told}; checksum from {', '.join(entry.checksum_from)}" if entry.checksum_from else told)


def _asked(entry: PlannedDownload) -> str:
    """The URL, and what is asked in its place or after it."""
    if entry.sources == (entry.url,):
        return printable(entry.url)
    others = entry.sources[1:] if entry.sources[0] == entry.url else entry.sources
    return printable(f"{entry.url} ({'then' if entry.sources[0] == entry.url else 'from'} {', '.join(others)})")


def _action(entry: PlannedDownload) -> str:
    return entry.action.replace("_", " ")


def _size(entry: PlannedDownload) -> str:
    return "?" if entry.size is None else format_size(entry.size)


def _aligned(downloads: tuple[PlannedDownload, ...]) -> list[str]:
    rows = [(printable(e.id), _action(e), _size(e), printable(e.path), _asked(e), _reason(e)) for e in downloads]
    table = [("ID", "ACTION", "SIZE", "PATH", "URL", "REASON"), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = (
        [cell.rjust(width) if n == 2 else cell.ljust(width) for n, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in table
    )
    return ["  ".join(line).rstrip() for line in lines]


def _folded(downloads: tuple[PlannedDownload, ...], width: int) -> list[str]:
    from rich.console import Console  # noqa: PLC0415 - only where it is drawn
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("ACTION", no_wrap=True)
    table.add_column("SIZE", no_wrap=True, justify="right")
    table.add_column("PATH", ratio=3)
    if width >= _WITH_URL:
        table.add_column("URL", ratio=4)
    if width >= _WITH_REASON:
        table.add_column("REASON", ratio=3)
    for entry in downloads:
        path, reason = Text(printable(entry.path), overflow="fold"), Text(_reason(entry))
        if width < _WITH_REASON:
            table.add_row(_action(entry), _size(entry), Text.assemble(path, "\n", (str(reason), "dim"), overflow="fold"))
            continue
        url = [Text(_asked(entry), overflow="fold")] if width >= _WITH_URL else []
        table.add_row(_action(entry), _size(entry), path, *url, reason)
    console = Console(file=StringIO(), force_terminal=wants_color(sys.stdout), width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]


def _heading(plan: PlanDocument, counts: Mapping[Action, int]) -> str:
    # What is to be done comes first.
    actions = sorted(counts, key=lambda action: action == "up_to_date")
    actions_counted = ", ".join(f"{counts[action]} {action.replace('_', ' ')}" for action in actions)
    shared = f"{counted(plan.processes, 'process', 'processes')}, {counted(plan.threads, 'connection', 'connections')} each"
    return f"{counted(sum(counts.values()), 'download', 'downloads')} ({actions_counted or 'nothing to do'}); {shared}"


def _sum(plan: PlanDocument) -> str:
    totals = plan.totals
    known = f"{format_size(totals.bytes_to_fetch)} to fetch" if totals.bytes_to_fetch else ""
    unknown = (
        f"{counted(totals.size_unknown, 'file', 'files')} of unknown size{'' if known else ' to fetch'}" if totals.size_unknown else ""
    )
    told = " and ".join(filter(None, (known, unknown))) or "nothing to fetch"
    kept = f", besides {format_size(totals.bytes_kept)} that an earlier run left" if totals.bytes_kept else ""
    placed = f"; {format_size(totals.bytes_up_to_date)} in place" if totals.bytes_up_to_date else ""
    return f"{told}{kept}{placed}"
