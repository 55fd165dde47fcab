"""Where the log's lines go: a terminal, standard error, a file.

    lines (adapters.lines) --LogOutput.write--> terminal, stream or file

Nothing global is configured: a program that uses marscore keeps its own structlog setup.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from marscore.adapters.lines import LineMaker
from marscore.adapters.terminal import QuietStream, is_terminal, wants_color
from marscore.errors import StorageError
from marscore.events import Event, LogLevel
from marscore.frozen import dataclass
from marscore.settings import LineSettings, LineStyle, LogFormat, RunSettings
from marscore.values import Failure, FailureKind

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
        self._files = ExitStack()

    def write(self, texts: Sequence[str]) -> None:
        """Pass on lines: one text for each of the settings' styles."""
        for lines, style in self._outputs:
            if texts[style]:
                lines.write(texts[style])

    def emit(self, events: Iterable[Event]) -> None:
        """Log events; progress readings are not logged."""
        self.write(self._maker.texts(events))

    def owns(self, file: TextIO) -> None:
        """Close this file together with the log."""
        self._files.enter_context(file)

    def close(self) -> None:
        """Close the log file, if there is one."""
        try:
            self._files.close()
        except OSError:
            # The last lines did not fit the disk; the run's files are what matters, and they are told of in the report.
            return


def open_log(run_id: str, settings: RunSettings, stream: TextIO | None, console: Console | None = None) -> Log:
    """Make the log of a run: on `stream` (standard error), and in the log file if the settings name one.

    Args:
        run_id: stands in every line.
        settings: format, level and log file.
        stream: where lines for people or for a collector go.
        console: the console that draws progress on that stream, if one does; lines then go above what it draws.

    Raises:
        StorageError: the log file cannot be opened.
    """
    style: LogFormat = settings.log_format or ("console" if is_terminal(stream) else "json")
    write = _stream_writer(stream) if console is None else _console_writer(console)
    outputs = [LogOutput(write, style, colors=wants_color(stream) and style == "console")]
    if settings.log_file is None:
        return Log(run_id, outputs, settings.log_level)
    file = _open_file(settings.log_file)
    log = Log(run_id, [*outputs, LogOutput(_stream_writer(file), "json")], settings.log_level)
    log.owns(file)
    return log


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


def _open_file(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Appended to, as a log is: the lines of several runs are told apart by their run_id.
        return path.open("a", encoding="utf-8")
    except OSError as error:
        kind: FailureKind = "permission" if isinstance(error, PermissionError) else "path"
        raise StorageError(Failure(kind, f"cannot write the log file {path}: {error.strerror or error}")) from error


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
