"""What a run leaves its caller with: the head of its report, and the entries for whoever wants to read them.

    Head + entries as text --Ended--> report() | failures()

Of a hundred thousand entries most callers look at none, so none is made a value before somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from marscore.frozen import dataclass
from marscore.report.entry import SUCCESS
from marscore.report.head import Head
from marscore.report.results import Places
from marscore.report.writers import iter_json
from marscore.values import Failure

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from marscore.report.model import DownloadReport, Report


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on the disk of files that were interrupted: of how many, and how many bytes."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over.

    `file` is where its report was written, None: nowhere, or should have been where it `has_report` not; `trouble` is what of the machine
    stood in the way of the run itself, or of its report; `entries` yields the entries' JSON, each time anew; `hook` is what went wrong with
    a program that the manifest has run afterwards; `kept` is what the next run goes on with where this one was interrupted; `places` tells
    where the files are.
    """

    head: Head
    file: str | None
    entries: Callable[[], Iterator[str]]
    trouble: Failure | None = None
    hook: str | None = None
    kept: Kept | None = None
    #: What the log warns of downloads, the first of it: their ids, and sentences.
    noted: Sequence[tuple[str, str]] = ()
    has_report: bool = True
    places: Callable[[], Places] | None = None

    def report(self) -> Report:
        """The whole report."""
        from marscore.report.model import Report  # noqa: PLC0415 - pydantic takes a quarter of a start, and a command asks for no report

        report = Report.model_validate_json("".join(iter_json(self.head, self.entries())))
        report._places = None if self.places is None else self.places()
        return report

    def failures(self) -> Iterator[DownloadReport]:
        """The entries of downloads that failed or were interrupted, one after the other: there may be millions."""
        reader: TypeAdapter[DownloadReport] | None = None
        for entry in self.entries():
            if entry.endswith(SUCCESS):
                continue
            if reader is None:
                from pydantic import TypeAdapter  # noqa: PLC0415 - as above

                from marscore.report.model import DownloadReport  # noqa: PLC0415 - as above

                reader = TypeAdapter(DownloadReport)
            told = reader.validate_json(entry)
            if told.error is not None:
                yield told
