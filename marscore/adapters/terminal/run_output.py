"""Where a run's events go to be seen: the log and the progress display, which share the terminal without disturbing each other."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TextIO

from marscore.adapters.files.failures import storage_error
from marscore.adapters.terminal.log import open_log, wants_notices
from marscore.adapters.terminal.named_outputs import Outputs
from marscore.adapters.terminal.painter import window
from marscore.adapters.terminal.people import People
from marscore.adapters.terminal.progress import NoProgress, PlainProgress
from marscore.adapters.terminal.runner import disarmed
from marscore.adapters.terminal.streams import is_person, is_terminal, wants_color
from marscore.adapters.terminal.worker_logs import WorkerLogs
from marscore.adapters.terminal.writer import Writer, target_of
from marscore.events import Event
from marscore.report.fold import RunFacts
from marscore.resolve.model import Download
from marscore.settings import LineSettings, ProgressMode
from marscore.values import Failure

#: Seconds between two looks at how far files are.
_LOOK_EVERY = 0.2


class RunOutput:
    """Log and progress of one run, as a context."""

    def __init__(self, outputs: Outputs, facts: RunFacts, hurried: Callable[[], bool], known: Mapping[str, Download]) -> None:
        """Open them; `hurried` says whether the run is told to stop, so that nobody waits for who does not read.

        `known` are the downloads by id, which may come while the run goes on.
        """
        settings, stream = outputs.settings, sys.stderr
        self._lock = threading.Lock()
        writer = Writer(target_of(stream), hurried)
        file = None if outputs.log_target is None else Writer(outputs.log_target, hurried)
        self._writers = [writer] if file is None else [writer, file]
        self._outputs, self._file = outputs, file
        paths = _Paths(known)
        sizes = {download.id: download.size for download in facts.downloads if download.size is not None}
        self._progress = make_progress(settings.progress, stream, writer, (sizes, paths), hurried)
        #: Where what needs attention is told in place of the log.
        self._people: People | None = None
        if wants_notices(settings, stream):
            self._people = People(paths.get, settings.log_level, wants_color(stream), columns=lambda: window(stream)[0])
        self._workers = None if outputs.worker_logs is None else WorkerLogs(outputs.worker_logs, facts.run_id)
        to_workers = None if self._workers is None else self._workers.write
        self._log = open_log(facts.run_id, settings, stream, self._write, _to_file(file, outputs), to_workers)

    @property
    def log(self) -> LineSettings:
        """How the log wants its lines."""
        return self._log.settings

    @property
    def draws(self) -> bool:
        """Whether anybody wants to know how far files are."""
        return type(self._progress) is not NoProgress

    @property
    def lost(self) -> Failure | None:
        """Why the log file, or a worker's, has not all of the log, where the system refused it; known for certain once this is over."""
        error, output = self._file and self._file.broken, self._outputs.log_file
        if error is None or output is None:
            return None if self._workers is None else self._workers.lost
        return storage_error(error if isinstance(error, OSError) else OSError(str(error)), output.doing).failure

    def show(self, events: Iterable[Event], lines: Sequence[str], worker: str | None = None) -> None:
        """Pass events on, and the log's lines for them, if any, which a worker has made, or the run itself."""
        with self._lock:
            self._progress.emit(events)
            told = self._people.lines(events) if self._people is not None else ""
        if told:
            self._write(told)
        if lines:
            with contextlib.nullcontext() if self._workers is None else self._workers.of(worker):
                self._log.write(lines)

    def _write(self, lines: str) -> bool:
        """Write whole lines to standard error, above what is drawn there."""
        return self._progress.above(lines) if self._progress.draws else self._writers[0].write(lines)

    def vanish(self) -> None:
        """Take what is drawn off the terminal, from a signal's handler, where the process ends at once."""
        self._progress.clear_at_once()

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
            if self._workers is not None:
                self._workers.close()


def _to_file(file: Writer | None, outputs: Outputs) -> Callable[[str], bool] | None:
    """What writes to the log file. Where that is a stream, a CI's runner may look there for commands."""
    if file is None or outputs.log_file is None or not outputs.log_file.is_stream:
        return None if file is None else file.write
    return lambda lines: file.write(disarmed(lines))


class _Paths(Mapping[str, str]):
    """The paths of downloads that are known now, by id."""

    def __init__(self, downloads: Mapping[str, Download]) -> None:
        self._downloads = downloads

    def __getitem__(self, name: str) -> str:
        return self._downloads[name].path

    def __iter__(self) -> Iterator[str]:
        return iter(self._downloads)

    def __len__(self) -> int:
        return len(self._downloads)


def make_progress(
    mode: ProgressMode,
    stream: TextIO | None,
    writer: Writer,
    of: tuple[Mapping[str, int], Mapping[str, str]] = ({}, {}),
    hurried: Callable[[], bool] = lambda: False,
) -> NoProgress:
    """Choose how progress is shown on `stream`, standard error, through its writer. A live display is for a terminal only.

    A person whose terminal cannot move its cursor gets a line now and then. `of` are sizes and paths by id, as far as they are known.
    """
    sizes, paths = of
    if mode == "plain":
        return PlainProgress(writer, sizes)
    if mode == "none" or stream is None or not is_person(stream):
        return NoProgress()
    if is_terminal(stream):
        # Drawing takes a library that nothing else of a run needs.
        from marscore.adapters.terminal.display import a_display  # noqa: PLC0415 - as said
        from marscore.adapters.terminal.painter import understands_escapes  # noqa: PLC0415 - as said

        if understands_escapes(stream):
            return a_display(stream, writer, sizes, paths, hurried)
    return PlainProgress(writer, sizes, at_the_end="nothing")
