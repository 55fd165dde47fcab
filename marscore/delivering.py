"""How a run's outcome gets to whoever asked for it: the report, JUnit XML; and what becomes of the outcome where it cannot.

Head + entries --Delivery--> files, streams, objects --> Ended

An output that cannot be written is told with the rest of the outcome: a run whose report is lost has not succeeded.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from marscore.adapters.files.atomic import write_text
from marscore.adapters.files.folder import MOVED, Folder
from marscore.adapters.terminal.named_outputs import Output, Outputs, shown
from marscore.adapters.terminal.run_output import RunOutput
from marscore.adapters.terminal.runner import disarmed
from marscore.adapters.terminal.signals import Stop
from marscore.at_store import AtStore
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.job import Job
from marscore.report.ended import Ended
from marscore.report.fold import ReportFold, undelivered
from marscore.report.head import Head
from marscore.report.record import well_formed
from marscore.report.results import Places, places
from marscore.report.writers import Lines, iter_json, summary_json
from marscore.settings import beside
from marscore.values import OWN_FOLDER, Failure


@dataclass(slots=True)
class Delivery:
    """That of one run. `warn` tells of what goes wrong.

    `report` is the file that holds the report, once it does; `reported_to` where it is for people, also where that is a stream.
    """

    job: Job
    folder: Folder
    fold: ReportFold
    outputs: Outputs
    output: RunOutput
    stop: Stop
    at_store: AtStore
    warn: Callable[[str], None]
    report: Path | None = None
    reported_to: str | None = None

    def deliver(self, head: Head, trouble: Failure | None) -> Ended:
        """Write all that was asked for, the report last, since it tells how that went."""
        return self._reported(*self._junit_written(*self._logged(head, trouble)))

    def _logged(self, head: Head, trouble: Failure | None) -> tuple[Head, Failure | None]:
        """How the run ends where the log file already takes no more."""
        lost = self.output.lost
        if lost is None:
            return head, trouble
        self.warn(lost.message)
        return undelivered(replace(head, warnings=(*head.warnings, lost.message)), lost, self.stop.signal), trouble or lost

    def told_of_the_log(self, ended: Ended) -> Ended:
        """How the run has ended, once the last lines of the log are known to be written, or not to be."""
        lost = self.output.lost
        if lost is None:
            return ended
        return replace(ended, head=undelivered(ended.head, lost, self.stop.signal), trouble=ended.trouble or lost)

    def _reported(self, head: Head, trouble: Failure | None) -> Ended:
        """Write the report. That it cannot be written is told, and the rest of the outcome with it."""
        report, own = self.outputs.report, self.job.root / OWN_FOLDER / "report.json"
        entries = functools.partial(self.fold.entries, self.stop.signal)
        if report is None and self.job.leaves == "nothing":
            return Ended(head, None, entries, trouble, noted=self.fold.noted, places=self._places)
        stored = None if self.job.store is None else self.job.store.url(f"{OWN_FOLDER}/report.json")
        shown_as = report.shown if report else stored or shown(own)
        ended = Ended(head, shown_as, entries, trouble, noted=self.fold.noted, places=self._places)
        try:
            if report is None:
                if not self.folder.is_there:
                    # The report of another run may be there.
                    raise StorageError(MOVED)
                self._write_own(own, head, entries)
                self.at_store.leave_reports((beside(own), own) if self.outputs.settings.report_format == "jsonl" else (own,))
            elif (listed := self.outputs.entries) is not None:
                lines, name = Lines(entries), listed.name
                listed.write_whole(lambda: lines)
                report.write_whole(lambda: [summary_json(head, name, lines)])
            else:
                # On a stream a CI's runner may look for commands.
                fit = disarmed if report.is_stream else str
                self.write_through(report, lambda: map(fit, iter_json(head, entries())))
        except StorageError as error:
            self.warn(error.failure.message)
            head = undelivered(head, error.failure, self.stop.signal)
            return replace(ended, head=head, trouble=error.failure, has_report=False)
        self.report = own if report is None else report.file
        self.reported_to = well_formed((ended.file or "") if self.report is None else str(self.report))
        return ended

    def _write_own(self, own: Path, head: Head, entries: Callable[[], Iterator[str]]) -> None:
        """Write the report where it is by itself. What lies beside it is of this one, or goes."""
        doing, listed = "cannot write the report", beside(own)
        if self.outputs.settings.report_format == "json":
            write_text(own, iter_json(head, entries()), doing)
            with contextlib.suppress(OSError):
                listed.unlink()
            return
        lines = Lines(entries)
        write_text(listed, lines, doing)
        write_text(own, [summary_json(head, listed.name, lines)], doing)

    def _places(self) -> Places:
        named = ((url, each.id) for each in self.job.downloads for url in {each.url, each.original or each.url})
        return places(self.job.root if self.job.store is None else self.job.store.url(), named)

    def _junit_written(self, head: Head, trouble: Failure | None) -> tuple[Head, Failure | None]:
        """Write the report as JUnit XML where that is wanted; the report itself tells how the run ended if that cannot be."""
        if self.outputs.junit is None:
            return head, trouble
        from marscore.report.junit import iter_junit  # noqa: PLC0415 - only where it is wanted

        entries = functools.partial(self.fold.entries, self.stop.signal)
        try:
            self.write_through(self.outputs.junit, lambda: iter_junit(head, entries(), trouble))
        except StorageError as error:
            self.warn(error.failure.message)
            return undelivered(head, error.failure, self.stop.signal), trouble or error.failure
        return head, trouble

    def write_through(self, output: Output, text: Callable[[], Iterable[str]]) -> None:
        """Write a text to an output.

        Raises:
            StorageError: it cannot be written.
            KeyboardInterrupt: the host's own.
        """
        if not output.is_stream:
            output.write_whole(text)
            return
        self.output.still()
        if self.stop.signal is not None:
            # Who was told to stop, waits for no reader of a pipe.
            output.write_whole(text, "there")
            return
        try:
            with self.stop.interrupting():
                output.write_whole(text)
        except KeyboardInterrupt:
            if self.stop.signal is None:
                # The host's own.
                raise
            raise StorageError(
                Failure("interrupted", f"{output.what} had to be given up: {output.shown} was not read to the end")
            ) from None
