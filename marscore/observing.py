"""Who watches a run beside its log and its report: metrics in a file, for who asked for them, and spans, where the environment wants them.

    events, readings, files in place --Observers--> MetricsFile
                                     --SpanFold--> spans --Tracing--> a collector

Watching changes nothing of how a run ends: what goes wrong with it is told as a warning. That a file which the user named cannot be written
at all is an error before anything is fetched.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from marscore.adapters.terminal.named_outputs import Output, Outputs
from marscore.events import Event, ProgressMade, RunFinished
from marscore.report.fold import RunFacts

if TYPE_CHECKING:
    from marscore.adapters.clock import SystemClock
    from marscore.adapters.telemetry.metrics_file import MetricsFile, Write
    from marscore.adapters.telemetry.tracing import Tracing
    from marscore.job import Job
    from marscore.report.spans import SpanFold
    from marscore.resolve.model import Download


class Observers:
    """Those of one run, which began at `ticks`: a context, at whose end none works any more, however the run ended.

    `known` are its downloads by id, which may come while it goes on.
    """

    def __init__(
        self, job: Job, outputs: Outputs, facts: RunFacts, clock: SystemClock, ticks: float, known: Mapping[str, Download]
    ) -> None:
        self._metrics = None if outputs.metrics is None else _metrics_file(job, outputs.metrics, facts, clock, ticks)
        self._spans = None if outputs.settings.traces == "none" or not _may_be_traced() else _Spans(job, facts, known)

    @property
    def looks(self) -> bool:
        """Whether anybody wants to know how far files are."""
        return self._metrics is not None

    @property
    def traces(self) -> bool:
        """Whether anybody wants to know of each request."""
        return self._spans is not None and self._spans.recording

    def start(self) -> None:
        """Begin.

        Raises:
            StorageError: what the user named cannot be written.
        """
        if self._metrics is not None:
            self._metrics.start()
        if self._spans is not None:
            self._spans.start()

    def __enter__(self) -> Observers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._metrics is not None:
            self._metrics.close()
        if self._spans is not None:
            self._spans.close()

    def add(self, events: Iterable[Event]) -> None:
        """Take events, which are fit to be seen."""
        if self._metrics is not None:
            self._metrics.add(events)
        if self._spans is not None:
            self._spans.add(events)

    def add_in_place(self, count: int) -> None:
        """So many files need nothing, of which no event tells."""
        if self._metrics is not None:
            self._metrics.add_in_place(count)

    def watching(self, readings: Callable[[], Iterable[ProgressMade]]) -> contextlib.AbstractContextManager[None]:
        """Look at these now and then."""
        return contextlib.nullcontext() if self._metrics is None else self._metrics.watching(readings)

    def finish(self, event: RunFinished, write: Write) -> Iterator[str]:
        """Tell them how the run ended; yields what went wrong with watching it."""
        if self._metrics is not None and (trouble := self._metrics.finish(event, write)):
            yield trouble
        if self._spans is not None and (trouble := self._spans.finish(event)):
            yield trouble


class _Spans:
    """The spans of one run. Whatever goes wrong there, exporters and processors being others' code, ends them and not the run."""

    def __init__(self, job: Job, facts: RunFacts, known: Mapping[str, Download]) -> None:
        self._job = job
        self._known = known
        self._facts = facts
        self._fold: SpanFold | None = None
        self._tracing: Tracing | None = None
        self._trouble: str | None = None

    @property
    def recording(self) -> bool:
        """Whether downloads are to have spans."""
        return self._fold is not None

    def start(self) -> None:
        """Begin the span of the run, where anybody wants it."""
        with self._guarded():
            from marscore.adapters.telemetry.tracing import open_tracing  # noqa: PLC0415 - few runs are traced
            from marscore.report.spans import SpanFold, run_attributes  # noqa: PLC0415 - as above

            self._tracing = open_tracing(os.environ)
            if self._tracing and self._tracing.start(self._facts.started_at, run_attributes(self._facts, self._job.redactor)):
                self._fold = SpanFold(self._known, self._job.redactor)

    def add(self, events: Iterable[Event]) -> None:
        """Take events."""
        if self._fold is None or self._tracing is None:
            return
        with self._guarded():
            for event in events:
                if span := self._fold.add(event):
                    self._tracing.add(span)

    def finish(self, event: RunFinished) -> str | None:
        """End them; says what went wrong, if anything did."""
        if self._tracing is not None:
            with self._guarded():
                from marscore.report.spans import run_result  # noqa: PLC0415 - as above

                error = None if event.status == "succeeded" else f"the run {event.status}"
                trouble = self._tracing.finish(event.at, run_result(event), error)
                self._trouble = self._trouble or trouble
        return self._trouble and self._job.redactor.text(self._trouble)

    def close(self) -> None:
        """Let go of what a run has begun that did not come to `finish`."""
        if self._tracing is not None:
            with self._guarded():
                self._tracing.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as said of the class
            self._fold = None
            self._trouble = self._trouble or f"the run is not traced: {error or type(error).__name__}"


def _may_be_traced() -> bool:
    """Whether a look at the environment is worth what it takes to import."""
    return "opentelemetry.trace" in sys.modules or any(name.startswith("OTEL_") for name in os.environ)


def _metrics_file(job: Job, output: Output, facts: RunFacts, clock: SystemClock, ticks: float) -> MetricsFile:
    # Few runs have one.
    from marscore.adapters.telemetry.metrics_file import MetricsFile, last_success  # noqa: PLC0415
    from marscore.report.metrics import MetricsFold  # noqa: PLC0415

    labels = {"name": job.redactor.text(job.name or job.source), "output_dir": job.output_dir}
    fold = MetricsFold(labels, facts.version, facts.started_at, ticks, last_success(output))
    return MetricsFile(output, fold, clock.ticks)
