"""Where a run's events go to be seen: the log and the progress display, which share the terminal without disturbing each other."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TextIO

from marscore.adapters.terminal.log import open_log
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.progress import NoProgress, PlainProgress
from marscore.adapters.terminal.streams import is_terminal
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.events import Event
from marscore.report.fold import RunFacts
from marscore.resolve.model import Download
from marscore.settings import LineSettings, ProgressMode

#: Seconds between two looks at how far files are.
_LOOK_EVERY = 0.2


class RunOutput:
    """Log and progress of one run, as a context."""

    def __init__(self, outputs: Outputs, facts: RunFacts, hurried: Callable[[], bool]) -> None:
        """Open them; `hurried` says whether the run is told to stop, so that nobody waits for who does not read."""
        settings, stream = outputs.settings, sys.stderr
        self._lock = threading.Lock()
        writer = Writer(target_of(stream), hurried)
        file = None if outputs.log_target is None else Writer(outputs.log_target, hurried)
        self._writers = [writer] if file is None else [writer, file]
        self._progress = make_progress(settings.progress, stream, writer, facts.downloads)
        self._log = open_log(facts.run_id, settings, stream, writer, self._progress.console, file)

    @property
    def log(self) -> LineSettings:
        """How the log wants its lines."""
        return self._log.settings

    @property
    def draws(self) -> bool:
        """Whether anybody wants to know how far files are."""
        return type(self._progress) is not NoProgress

    def show(self, events: Iterable[Event], lines: Sequence[str]) -> None:
        """Pass events on, and the log's lines for them, if any."""
        with self._lock:
            self._progress.emit(events)
        if lines:
            self._log.write(lines)

    @contextlib.contextmanager
    def watching(self, readings: Callable[[], Iterable[Event]]) -> Iterator[None]:
        """Look at these a few times a second, if progress is drawn."""
        if not self.draws:
            yield
            return
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_EVERY):
                with self._lock:
                    self._progress.emit(readings())

        watcher = threading.Thread(target=watch, name="marscore-progress", daemon=True)
        try:
            watcher.start()
        except RuntimeError:
            # The system starts no more threads: events alone are drawn.
            yield
            return
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def still(self) -> None:
        """Draw no more, and have all written: what comes now may be meant for the same place."""
        with self._lock:
            self._progress.stop()
        for writer in self._writers:
            writer.drain()

    def __enter__(self) -> RunOutput:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.still()
            self._log.tell_losses()
        finally:
            # What was logged is written also where the display fails.
            for writer in self._writers:
                writer.close()


def make_progress(mode: ProgressMode, stream: TextIO | None, writer: Writer, downloads: Sequence[Download] = ()) -> NoProgress:
    """Choose how progress is shown on `stream`, standard error, through its writer. A live display is for a terminal only."""
    if mode == "plain":
        return PlainProgress(writer, _sizes(downloads))
    if mode != "none" and is_terminal(stream):
        from marscore.adapters.terminal.display import RichProgress, stderr_console  # noqa: PLC0415 - rich, only where a terminal is drawn on

        return RichProgress(stderr_console(stream, writer), _sizes(downloads), {download.id: download.path for download in downloads})
    return NoProgress()


def _sizes(downloads: Iterable[Download]) -> dict[str, int]:
    return {download.id: download.size for download in downloads if download.size is not None}
