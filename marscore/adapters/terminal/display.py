"""The live display of progress on a terminal, drawn with rich, which nothing else of a run imports.

`RichProgress` writes only through its `console`; whoever else writes to that terminal meanwhile must use it too.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import IO, Literal, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marscore.adapters.terminal.progress import NoProgress, Ticks, clock, counts, number, percent, proving, transfer
from marscore.adapters.terminal.streams import printable
from marscore.adapters.terminal.writer import ConsoleStream, Writer
from marscore.events import Event
from marscore.report.progress import FileProgress, Overall, ProgressFold
from marscore.values import format_size

_LINES = 10
_REFRESH_PER_SECOND = 8
_BAR_WIDTH = 24
_NAME_LEAST, _NAME_MOST = 8, 40


class RichProgress(NoProgress):
    """Draws the run and its active files, eight times a second, below whatever else is printed through `console`.

    The display is gone after `stop`. Safe to share between threads.
    """

    console: Console

    def __init__(
        self,
        console: Console,
        sizes: Mapping[str, int] | None = None,
        paths: Mapping[str, str] | None = None,
        ticks: Ticks = time.monotonic,
    ) -> None:
        self.console = console
        self._ticks = ticks
        self._lock = threading.Lock()
        self._fold = ProgressFold(ticks(), sizes, paths)
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Take the next event; it shows with the next refresh."""
        with self._lock:
            self._fold.add(event, self._ticks())

    def start(self) -> None:
        """Begin to draw."""

        self._live = Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            # A host program's sys.stdout and sys.stderr are its own.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Take the display off the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def render(self) -> Group:
        """What is drawn now."""

        with self._lock:
            now = self._ticks()
            overall, files = self._fold.overall(now), self._fold.files(now, _LINES)
            hidden = self._fold.active - len(files)
        return Group(*_run_lines(overall), _table(files, self.console.width), *_hidden_line(hidden))


def stderr_console(stream: TextIO | None, writer: Writer) -> Console:
    """A rich console on a terminal, to be shared by progress and log so that neither writes into the other's lines."""
    # rich asks for a whole IO[str]; it uses write, flush, isatty, fileno and encoding.
    file = cast(IO[str], ConsoleStream(stream, writer))
    return Console(file=file, force_terminal=True, highlight=False, markup=False, emoji=False)


def _run_lines(overall: Overall) -> list[Table]:

    first, second = Table.grid(padding=(0, 1)), Table.grid()
    if overall.proof:
        second.add_row(Text("  ".join(proving(overall.proof)), overflow="ellipsis", no_wrap=True))
        return [second]
    percent, *rest = transfer(overall)
    first.add_row(Text(f"{percent:>4}", style="bold"), _bar(overall.fraction), Text("  ".join(rest), overflow="ellipsis", no_wrap=True))
    second.add_row(Text("     " + ", ".join(counts(overall)), style="red" if overall.failed else "", overflow="ellipsis", no_wrap=True))
    return [first, second]


def _table(files: list[FileProgress], width: int) -> Table:
    """One line a file; its name gets the room that the numbers leave."""
    rows = [_cells(file) for file in files]
    numbers = sum(1 + max(len(cell) for cell in column) for column in zip(*rows, strict=True))
    room = max(_NAME_LEAST, min(_NAME_MOST, width - numbers))
    table = Table.grid(padding=(0, 1))
    sides: tuple[Literal["left", "right"], ...] = ("left", "right", "right", "right", "right", "left", "left")
    for side in sides:
        table.add_column(justify=side, no_wrap=True)
    for file, cells in zip(files, rows, strict=True):
        name = Text(printable(file.name))
        name.truncate(room, overflow="ellipsis")
        table.add_row(name, *(Text(cell) for cell in cells))
    return table


#: What is said of a file that receives nothing.
_WAITS = {"retry": "retry in {} s", "connection": "waits for a connection", "verifying": "verifying"}


def _cells(file: FileProgress) -> tuple[str, ...]:
    size = format_size(file.bytes_done) if file.size is None else f"{format_size(file.bytes_done)}/{format_size(file.size)}"
    threads = _WAITS.get(file.at, f"{file.threads_active} active {file.threads_finished} done").format(math.ceil(file.wait))
    retries = number(file.retries, "retry", "retries") if file.retries else ""
    return percent(file.fraction), size, f"{format_size(file.speed)}/s", clock(file.eta), threads, retries


def _hidden_line(hidden: int) -> list[str]:
    return [f"… and {hidden} more"] if hidden > 0 else []


def _bar(fraction: float) -> ProgressBar:

    return ProgressBar(total=1.0, completed=fraction, width=_BAR_WIDTH)
