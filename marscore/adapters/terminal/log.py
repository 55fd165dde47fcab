"""Where the log's lines go: a terminal, standard error, a file.

    lines (log_lines) --LogOutput.write--> writers (writer) --> terminal, stream or file

Nothing global is configured: a program that uses marscore keeps its own structlog setup.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from marscore.adapters.terminal.log_lines import LineMaker
from marscore.adapters.terminal.runner import disarmed
from marscore.adapters.terminal.streams import is_person, wants_color
from marscore.events import Event, LogLevel, Warned
from marscore.frozen import dataclass
from marscore.settings import LineSettings, LineStyle, LogFormat, RunSettings


@dataclass(frozen=True, slots=True)
class LogOutput:
    """Where lines go and how they look. `write` takes whole lines, and says whether they will be written."""

    write: Callable[[str], bool]
    format: LogFormat
    colors: bool = False
    level: LogLevel | None = None


class Log:
    """The log of a run: lines to every output. Safe to share between threads."""

    def __init__(self, run_id: str, outputs: Iterable[LogOutput], level: LogLevel = "info") -> None:
        outputs = list(outputs)
        styles = [LineStyle(output.format, output.colors, output.level) for output in outputs]
        #: What a worker needs to know to make lines for this log.
        self.settings = LineSettings(run_id, level, tuple(dict.fromkeys(styles)))
        self._maker = LineMaker(self.settings)
        self._outputs = [_Lines(o.write, self.settings.styles.index(s), self._lost) for o, s in zip(outputs, styles, strict=True)]

    def write(self, texts: Sequence[str]) -> None:
        """Pass on lines: one text for each of the settings' styles."""
        for lines in self._outputs:
            lines.write(texts)

    def emit(self, events: Iterable[Event]) -> None:
        """Log events; progress readings are not logged."""
        self.write(self._maker.texts(events))

    def tell_losses(self) -> None:
        """Say at the end of each output how many of its last lines are missing, if any."""
        for lines in self._outputs:
            lines.tell_losses()

    def _lost(self, lines: int) -> Sequence[str]:
        """What is said, in each style, where lines are missing."""
        what = "1 line is missing here, since nobody read it" if lines == 1 else f"{lines} lines are missing here, since nobody read them"
        return self._maker.texts([Warned(time.time(), None, what)])


def open_log(
    run_id: str,
    settings: RunSettings,
    stream: TextIO | None,
    write: Callable[[str], bool],
    to_file: Callable[[str], bool] | None,
    to_workers: Callable[[str], bool] | None = None,
) -> Log:
    """Make the log of a run: on standard error, and in the log file if there is one, which has everything.

    A person is not given the log, unless it is asked for, but what needs attention (`people.People`).

    Args:
        run_id: stands in every line.
        settings: format and level.
        stream: standard error, where lines for people or for a collector go.
        write: writes there, above what is drawn there.
        to_file: writes to the log file.
        to_workers: writes to the log of whichever worker made the lines.
    """
    outputs = []
    if settings.log_format != "none" and not wants_notices(settings, stream):
        style: LogFormat = settings.log_format or ("console" if is_person(stream) else "json")
        colors = wants_color(stream) and style == "console"
        outputs.append(LogOutput(lambda lines: write(disarmed(lines)), style, colors, settings.log_level or "info"))
    if to_file is not None:
        outputs.append(LogOutput(to_file, "json", level=settings.log_file_level))
    if to_workers is not None:
        outputs.append(LogOutput(to_workers, "json", level=settings.log_file_level))
    return Log(run_id, outputs)


def wants_notices(settings: RunSettings, stream: TextIO | None) -> bool:
    """Whether standard error shows a person what needs attention, in place of the log."""
    return settings.log_format is None and settings.log_level in (None, "warning", "error") and is_person(stream)


class _Lines:
    """Hands an output its lines; where some could not be written, the next ones begin with how many."""

    def __init__(self, write: Callable[[str], bool], style: int, lost: Callable[[int], Sequence[str]]) -> None:
        self._write = write
        self._style = style
        self._said_of = lost
        self._lost = 0
        self._lock = threading.Lock()

    def write(self, texts: Sequence[str]) -> None:
        lines = texts[self._style]
        if lines:
            with self._lock:
                self._add(lines)

    def tell_losses(self) -> None:
        with self._lock:
            if self._lost:
                self._add("")

    def _add(self, lines: str) -> None:
        said = self._said_of(self._lost)[self._style] if self._lost else ""
        if self._write(said + lines):
            self._lost = 0
        else:
            self._lost += lines.count("\n")
