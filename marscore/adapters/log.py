"""Where the log's lines go: a terminal, standard error, a file.

    lines (adapters.lines) --LogOutput.write--> terminal, stream or file

Nothing global is configured: a program that uses marscore keeps its own structlog setup.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from marscore.adapters.lines import LineMaker
from marscore.adapters.outputs import Output
from marscore.adapters.terminal import QuietStream, is_terminal, wants_color
from marscore.events import Event, LogLevel
from marscore.frozen import dataclass
from marscore.settings import LineSettings, LineStyle, LogFormat, RunSettings

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class LogOutput:
    """Where lines go and how they look. `write` takes lines without the last one's end; what it raises silences this output for good."""

    write: Callable[[str], object]
    format: LogFormat
    colors: bool = False


class Log:
    """The log of a run: lines to every output. Safe to share between threads."""

    def __init__(self, run_id: str, outputs: Iterable[LogOutput], level: LogLevel = "info") -> None:
        outputs = list(outputs)
        styles = [LineStyle(output.format, output.colors) for output in outputs]
        #: What a worker needs to know to make lines for this log.
        self.settings = LineSettings(run_id, level, tuple(dict.fromkeys(styles)))
        self._outputs = [(_Lines(o.write), self.settings.styles.index(s)) for o, s in zip(outputs, styles, strict=True)]
        self._maker = LineMaker(self.settings)

    def write(self, texts: Sequence[str]) -> None:
        """Pass on lines: one text for each of the settings' styles."""
        for lines, style in self._outputs:
            if texts[style]:
                lines.write(texts[style])

    def emit(self, events: Iterable[Event]) -> None:
        """Log events; progress readings are not logged."""
        self.write(self._maker.texts(events))


def open_log(
    run_id: str, settings: RunSettings, stream: TextIO | None, console: Console | None = None, log_file: Output | None = None
) -> Log:
    """Make the log of a run: on `stream` (standard error), and in the log file if there is one.

    Args:
        run_id: stands in every line.
        settings: format and level.
        stream: where lines for people or for a collector go.
        console: the console that draws progress on that stream, if one does; lines then go above what it draws.
        log_file: what the user named for it; whoever made it closes it.

    Raises:
        StorageError: the log file cannot be opened.
    """
    style: LogFormat = settings.log_format or ("console" if is_terminal(stream) else "json")
    write = _stream_writer(stream) if console is None else _console_writer(console)
    outputs = [LogOutput(write, style, colors=wants_color(stream) and style == "console")]
    if log_file is not None:
        # Appended to, as a log is: the lines of several runs are told apart by their run_id.
        log_file.open()
        outputs.append(LogOutput(log_file.append, "json"))
    return Log(run_id, outputs, settings.log_level)


def _stream_writer(stream: TextIO | None) -> Callable[[str], None]:
    quiet = QuietStream(stream)

    def write(lines: str) -> None:
        quiet.write(lines + "\n")
        quiet.flush()

    return write


def _console_writer(console: Console) -> Callable[[str], None]:
    from rich.text import Text  # noqa: PLC0415 - only where a terminal is drawn on

    def write(lines: str) -> None:
        console.print(Text.from_ansi(lines), soft_wrap=True)

    return write


class _Lines:
    """Hands lines to an output, and goes quiet when that fails."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write: Callable[[str], object] | None = write
        self._lock = threading.Lock()

    def write(self, lines: str) -> None:
        with self._lock:
            if self._write is not None:
                try:
                    self._write(lines[:-1])
                except (OSError, ValueError):
                    self._write = None
