"""Who watches a run beside its log and its report: metrics in a file, for who asked for them.

events, readings, files in place --Observers--> MetricsFile

Watching changes nothing of how a run ends: what goes wrong with it is told as a warning. That the file cannot be written at all is an
error before anything is fetched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from marscore.adapters.terminal.named_outputs import Output, Outputs
from marscore.events import Event, ProgressMade, RunFinished
from marscore.report.fold import RunFacts

if TYPE_CHECKING:
    from marscore.adapters.clock import SystemClock
    from marscore.adapters.telemetry.metrics_file import MetricsFile, Write
    from marscore.job import Job


class Observers:
    """Those of one run, which began at `ticks`."""

    def __init__(self, job: Job, outputs: Outputs, facts: RunFacts, clock: SystemClock, ticks: float) -> None:
        self._metrics = None if outputs.metrics is None else _metrics_file(job, outputs.metrics, facts, clock, ticks)

    @property
    def looks(self) -> bool:
        """Whether anybody wants to know how far files are."""
        return self._metrics is not None

    def start(self) -> None:
        """Begin.

        Raises:
            StorageError: what the user named cannot be written.
        """
        if self._metrics is not None:
            self._metrics.start()

    def add(self, events: Iterable[Event]) -> None:
        """Take events, which are fit to be seen."""
        if self._metrics is not None:
            self._metrics.add(events)

    def add_in_place(self, count: int) -> None:
        """So many files need nothing, of which no event tells."""
        if self._metrics is not None:
            self._metrics.add_in_place(count)

    def watching(self, readings: Callable[[], Iterable[ProgressMade]]) -> contextlib.AbstractContextManager[None]:
        """Look at these now and then."""
        return contextlib.nullcontext() if self._metrics is None else self._metrics.watching(readings)

    def finish(self, event: RunFinished, write: Write) -> Iterator[str]:
        """Tell them how the run ended; yields what went wrong with that."""
        if self._metrics is not None and (trouble := self._metrics.finish(event, write)):
            yield trouble


def _metrics_file(job: Job, output: Output, facts: RunFacts, clock: SystemClock, ticks: float) -> MetricsFile:
    # Few runs have one.
    from marscore.adapters.telemetry.metrics_file import MetricsFile, last_success  # noqa: PLC0415
    from marscore.report.metrics import MetricsFold  # noqa: PLC0415

    labels = {"name": job.redactor.text(job.name or job.source), "output_dir": str(job.root)}
    fold = MetricsFold(labels, facts.version, facts.started_at, ticks, last_success(output))
    return MetricsFile(output, fold, clock.ticks)
