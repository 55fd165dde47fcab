"""Events to log lines, with structlog: for people on a terminal, as JSON lines elsewhere and in a file.

    event --report.record--> fields --structlog--> a line --LogOutput.write--> terminal, stream or file

Nothing global is configured: a program that uses marscore keeps its own structlog setup.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast, get_args

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from marscore.adapters.terminal import QuietStream, is_terminal, printable, wants_color
from marscore.errors import StorageError
from marscore.events import Event, LogLevel, ProgressMade, level_of, name_of
from marscore.frozen import dataclass
from marscore.report.record import record_of
from marscore.settings import LogFormat, RunSettings
from marscore.values import Failure, FailureKind

if TYPE_CHECKING:
    from rich.console import Console

_RANK: dict[LogLevel, int] = {level: 10 * (number + 1) for number, level in enumerate(get_args(LogLevel))}
_LEAD = ("timestamp", "level", "event", "run_id", "download")
#: What only programs want to know of a line; the report and the JSON lines have it.
_NOT_FOR_PEOPLE = frozenset({"run_id", "mtime_ns", "inode", "last_modified", "digests", "etag", "segments", "started_at"})


@dataclass(frozen=True, slots=True)
class LogOutput:
    """Where lines go and how they look. `write` takes one line without its end; what it raises silences this output for good."""

    write: Callable[[str], object]
    format: LogFormat
    colors: bool = False


class StructlogSink:
    """An event sink that writes the log: one line an event to each output, from `level` up. Safe to share between threads."""

    def __init__(self, run_id: str, outputs: Iterable[LogOutput], level: LogLevel = "info") -> None:
        self._least = _RANK[level]
        self._loggers = [_logger(output).bind(run_id=run_id) for output in outputs]
        self._files = ExitStack()

    def __call__(self, event: Event) -> None:
        """Log one event; progress readings are not logged."""
        rank = _RANK[level_of(event)]
        if isinstance(event, ProgressMade) or rank < self._least:
            return
        record = record_of(event)
        for logger in self._loggers:
            logger.log(rank, name_of(type(event)), **record)

    def emit(self, events: Iterable[Event]) -> None:
        """Log several events."""
        for event in events:
            self(event)

    def owns(self, file: TextIO) -> None:
        """Close this file together with the sink."""
        self._files.enter_context(file)

    def close(self) -> None:
        """Close the log file, if there is one."""
        try:
            self._files.close()
        except OSError:
            # The last lines did not fit the disk; the run's files are what matters, and they are told of in the report.
            return


def open_log(run_id: str, settings: RunSettings, stream: TextIO | None, console: Console | None = None) -> StructlogSink:
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
    outputs = [LogOutput(write, style, colors=wants_color(stream))]
    if settings.log_file is None:
        return StructlogSink(run_id, outputs, settings.log_level)
    file = _open_file(settings.log_file)
    sink = StructlogSink(run_id, [*outputs, LogOutput(_stream_writer(file), "json")], settings.log_level)
    sink.owns(file)
    return sink


def _stream_writer(stream: TextIO | None) -> Callable[[str], None]:
    quiet = QuietStream(stream)

    def write(line: str) -> None:
        quiet.write(line + "\n")
        quiet.flush()

    return write


def _console_writer(console: Console) -> Callable[[str], None]:
    from rich.text import Text  # noqa: PLC0415 - only where a terminal is drawn on

    def write(line: str) -> None:
        console.print(Text.from_ansi(line), soft_wrap=True)

    return write


def _open_file(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Appended to, as a log is: the lines of several runs are told apart by their run_id.
        return path.open("a", encoding="utf-8")
    except OSError as error:
        kind: FailureKind = "permission" if isinstance(error, PermissionError) else "path"
        raise StorageError(Failure(kind, f"cannot write the log file {path}: {error.strerror or error}")) from error


_encode = json.JSONEncoder(default=str).encode


class _Lines:
    """The end of structlog's chain: hands each line to an output, and goes quiet when that fails."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write: Callable[[str], object] | None = write
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        with self._lock:
            if self._write is not None:
                try:
                    self._write(line)
                except (OSError, ValueError):
                    self._write = None

    debug = info = warning = error = msg


def _logger(output: LogOutput) -> structlog.typing.FilteringBoundLogger:
    processors: list[Processor] = [structlog.processors.add_log_level]
    if output.format == "json":
        processors += [_ordered, structlog.processors.JSONRenderer(serializer=_json)]
    else:
        processors += [_for_people, structlog.dev.ConsoleRenderer(colors=output.colors, sort_keys=False, pad_event_to=0)]
    logger = structlog.wrap_logger(
        _Lines(output.write),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast(structlog.typing.FilteringBoundLogger, logger)


def _ordered(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    lead = {name: line.pop(name) for name in _LEAD if name in line}
    return {**lead, **line}


def _for_people(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return {name: _shown(value) for name, value in line.items() if name not in _NOT_FOR_PEOPLE and value is not None}


def _shown(value: object) -> object:
    if isinstance(value, list):
        value = ",".join(value)
    return printable(value) if isinstance(value, str) else value


def _json(line: EventDict, **_options: Any) -> str:
    # ASCII only, so that every stream can hold it; JSON itself leaves DEL as it is.
    return _encode(line).replace("\x7f", "\\u007f")
