"""A run's metrics in a file that is replaced whole every few seconds, so that whoever reads it never sees half of it.

    events, readings --MetricsFile--> MetricsFold --text--> FILE

A stream (standard output, a pipe) gets them once, at the end. Names that begin with a dot and do not end in `.prom`, which is what stands
beside the file for a moment, are passed over by node_exporter's textfile collector.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from marscore.adapters.terminal.named_outputs import Output
from marscore.errors import StorageError
from marscore.events import Event, ProgressMade
from marscore.report.metrics import MetricsFold, last_success_of

#: Seconds between two texts: scrapers look every 15 s or more rarely.
_EVERY = 5.0
#: Seconds that a text may take at the end which is being written then.
_PATIENCE = 2.0
#: Bytes of an earlier run's file that are read.
_MOST = 1024 * 1024

#: Writes a document through an output, and gives up a pipe when the run is told to stop.
Write = Callable[[Output, Callable[[], Iterable[str]]], None]


class MetricsFile:
    """Writes while a run goes on, in a thread of its own, and at its end. Safe to share between threads."""

    def __init__(self, output: Output, fold: MetricsFold, ticks: Callable[[], float], every: float = _EVERY) -> None:
        self._output = output
        self._fold = fold
        self._ticks = ticks
        self._every = every
        self._lock = threading.Lock()
        self._readings: Callable[[], Iterable[ProgressMade]] = lambda: ()
        self._over = threading.Event()
        self._writer: threading.Thread | None = None

    def start(self) -> None:
        """Write for the first time, and go on now and then; a stream is left alone.

        Raises:
            StorageError: it cannot be written.
        """
        if self._output.is_stream:
            return
        self._output.write_whole(self._text)
        writer = threading.Thread(target=self._keep_writing, name="marscore-metrics", daemon=True)
        # Where the system starts no more threads, the end is told.
        with contextlib.suppress(RuntimeError):
            writer.start()
            self._writer = writer

    def add(self, events: Iterable[Event]) -> None:
        """Take events."""
        with self._lock:
            for event in events:
                self._fold.add(event)

    def add_in_place(self, count: int) -> None:
        """So many files need nothing."""
        with self._lock:
            self._fold.add_in_place(count)

    @contextlib.contextmanager
    def watching(self, readings: Callable[[], Iterable[ProgressMade]]) -> Iterator[None]:
        """Look at these whenever the file is written."""
        with self._lock:
            self._readings = readings
        try:
            yield
        finally:
            with self._lock:
                self._readings = lambda: ()

    def finish(self, event: Event, write: Write) -> str | None:
        """Write for the last time, with the event that ends the run; says what went wrong, if anything did."""
        self._over.set()
        self.add((event,))
        if self._writer is not None:
            self._writer.join(_PATIENCE)
            if self._writer.is_alive():
                # A file system that answers nobody.
                return f"the metrics are not written to the end: {self._output.shown} takes nothing"
        try:
            write(self._output, self._text)
        except StorageError as error:
            return error.failure.message
        return None

    def close(self) -> None:
        """Write no more, also where the run did not come to its end; what is being written now is waited for by nobody."""
        self._over.set()

    def _keep_writing(self) -> None:
        while not self._over.wait(self._every):
            # One that fails here is told of at the end if that fails as well: the disk may have room again by then.
            with contextlib.suppress(StorageError):
                self._output.write_whole(self._text)

    def _text(self) -> Iterable[str]:
        with self._lock:
            self._fold.look(self._readings())
            return list(self._fold.text(self._ticks()))


def last_success(output: Output) -> float | None:
    """When a run last succeeded, as the file says that is to be written over; None where it is none of ours, or a stream."""
    if output.file is None:
        return None
    try:
        with Path(output.file).open("rb") as stream:
            return last_success_of(stream.read(_MOST).decode("utf-8", "replace"))
    except OSError:
        return None
