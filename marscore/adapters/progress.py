"""Progress for people: a live display on a terminal, or a plain line now and then. Both draw what `report.progress` adds up.

`RichProgress` writes only through its `console`; whoever else writes to that terminal meanwhile must use it too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import IO, Literal, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marscore.adapters.terminal import QuietStream, is_terminal, printable
from marscore.events import Event
from marscore.report.progress import FileProgress, Overall, ProgressFold
from marscore.settings import ProgressMode
from marscore.values import format_size

Ticks = Callable[[], float]

_LINES = 10
_REFRESH_PER_SECOND = 8
_PLAIN_EVERY = 10.0
_BAR_WIDTH = 24
_NAME_LEAST, _NAME_MOST = 8, 40


class NoProgress:
    """Draws nothing: a sink that forgets, and the base of those that do not."""

    console: Console | None = None

    def __call__(self, event: Event) -> None:
        """Take the next event."""

    def emit(self, events: Iterable[Event]) -> None:
        """Take several events."""
        for event in events:
            self(event)

    def start(self) -> None:
        """Begin to draw."""

    def stop(self) -> None:
        """Draw for the last time; harmless when repeated."""

    def __enter__(self) -> NoProgress:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class PlainProgress(NoProgress):
    """Writes a line of sums about every ten seconds while events come, and one at the end."""

    def __init__(self, stream: TextIO | None, sizes: Mapping[str, int] | None = None, ticks: Ticks = time.monotonic) -> None:
        self._stream = QuietStream(stream)
        self._ticks = ticks
        self._fold = ProgressFold(ticks(), sizes)
        self._written = ticks()
        self._stopped = False

    def __call__(self, event: Event) -> None:
        """Take the next event, and write a line if one is due."""
        now = self._ticks()
        self._fold.add(event, now)
        if now - self._written >= _PLAIN_EVERY:
            self._written = now
            self._write(now)

    def stop(self) -> None:
        """Write the last line."""
        if not self._stopped:
            self._stopped = True
            self._write(self._ticks())

    def _write(self, now: float) -> None:
        overall = self._fold.overall(now)
        self._stream.write(f"progress: {', '.join([*_transfer(overall), *_counts(overall)])}\n")
        self._stream.flush()


class RichProgress(NoProgress):
    """Draws the run and its active files, eight times a second, below whatever else is printed through `console`.

    The display is gone after `stop`. Safe to share between threads.
    """

    console: Console

    def __init__(self, console: Console, sizes: Mapping[str, int] | None = None, ticks: Ticks = time.monotonic) -> None:
        self.console = console
        self._ticks = ticks
        self._lock = threading.Lock()
        self._fold = ProgressFold(ticks(), sizes)
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


def make_progress(mode: ProgressMode, stream: TextIO | None, sizes: Mapping[str, int] | None = None) -> NoProgress:
    """Choose how progress is shown on `stream`, standard error. A live display needs a terminal; without one there is none."""
    if mode == "plain":
        return PlainProgress(stream, sizes)
    if mode != "none" and is_terminal(stream):
        return RichProgress(stderr_console(stream), sizes)
    return NoProgress()


def stderr_console(stream: TextIO | None) -> Console:
    """A rich console on a terminal's stream, to be shared by progress and log so that neither writes into the other's lines."""
    # rich asks for a whole IO[str]; it uses write, flush, isatty, fileno and encoding.
    file = cast(IO[str], QuietStream(stream))
    return Console(file=file, force_terminal=True, highlight=False, markup=False, emoji=False)


def _run_lines(overall: Overall) -> list[Table]:

    first, second = Table.grid(padding=(0, 1)), Table.grid()
    percent, *rest = _transfer(overall)
    first.add_row(Text(f"{percent:>4}", style="bold"), _bar(overall.fraction), Text("  ".join(rest), overflow="ellipsis", no_wrap=True))
    second.add_row(Text("     " + ", ".join(_counts(overall)), style="red" if overall.failed else "", overflow="ellipsis", no_wrap=True))
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


def _cells(file: FileProgress) -> tuple[str, ...]:
    size = format_size(file.bytes_done) if file.size is None else f"{format_size(file.bytes_done)}/{format_size(file.size)}"
    threads = f"{file.threads_active} active {file.threads_finished} done"
    retries = _number(file.retries, "retry", "retries") if file.retries else ""
    return _percent(file.fraction), size, f"{format_size(file.speed)}/s", _clock(file.eta), threads, retries


def _hidden_line(hidden: int) -> list[str]:
    return [f"… and {hidden} more"] if hidden > 0 else []


def _bar(fraction: float) -> ProgressBar:

    return ProgressBar(total=1.0, completed=fraction, width=_BAR_WIDTH)


def _transfer(overall: Overall) -> list[str]:
    done = format_size(overall.bytes_done)
    size = done if overall.bytes_total is None else f"{done} of {format_size(overall.bytes_total)}"
    return [_percent(overall.fraction), size, f"{format_size(overall.speed)}/s", f"ETA {_clock(overall.eta)}"]


def _counts(overall: Overall) -> list[str]:
    return [
        f"{overall.files_done}/{_number(overall.files_total, 'file', 'files')}",
        *([f"{overall.failed} failed"] if overall.failed else []),
        f"threads {overall.threads_active} active {overall.threads_finished} done",
        _number(overall.retries, "retry", "retries"),
    ]


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _percent(fraction: float | None) -> str:
    # Cut, not rounded: 100% is said of what is done.
    return "?" if fraction is None else f"{int(fraction * 100)}%"


def _clock(seconds: float | None) -> str:
    """Write seconds as `m:ss` or `h:mm:ss`; more than four days is no forecast."""
    if seconds is None or seconds > 360_000:
        return "-:--"
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
