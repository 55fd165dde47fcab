"""What GitHub Actions is told of a run: annotations among the lines of standard error, and the summary of the job's step.

    GITHUB_ACTIONS, GITHUB_WORKSPACE, GITHUB_STEP_SUMMARY + how the run ended --Github--> `::error …` and Markdown

The runner reads commands from both streams, and standard output carries only what a command was asked to print.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from marscore.cli.exits import complain, tell_runner
from marscore.errors import ManifestError, StorageError

if TYPE_CHECKING:
    from marscore.report.annotations import Annotation
    from marscore.report.ended import Ended
    from marscore.settings import LogChoice, ManifestInput

github_option = click.option(
    "--github/--no-github",
    "github",
    default=None,
    help="Tell GitHub Actions what failed, by annotations at lines of the manifest and a table in the job's summary.  [default: where "
    "GITHUB_ACTIONS is true; without annotations where --log-format json wants nothing else there]",
)


class Github:
    """Tells GitHub of one run, as a context: of an error that ends it early by itself, else of what `ended` is given.

    Args:
        wanted: what the command line says; None: what the environment says.
        log_format: that of the command line. Who wants JSON lines gets annotations among them only where both are asked for.
    """

    def __init__(self, wanted: bool | None, log_format: LogChoice | None = None) -> None:
        self._on = os.environ.get("GITHUB_ACTIONS") == "true" if wanted is None else wanted
        self._annotates = self._on and (wanted is True or log_format != "json")

    def __enter__(self) -> Github:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._on and isinstance(error, ManifestError | StorageError):
            self._of_error(error)

    def _of_error(self, error: ManifestError | StorageError) -> None:
        from marscore.report.annotations import Annotation, of_problems  # noqa: PLC0415 - most runs are not GitHub's
        from marscore.report.step_summary import message_summary, problem_summary  # noqa: PLC0415 - as above

        if isinstance(error, ManifestError):
            self._annotate(of_problems(error.problems, error.source, in_workspace(error.source)))
            _append(lambda room: problem_summary(error.source, error.problems, room))
            return
        message = error.failure.message
        self._annotate([Annotation("error", "marscore", message)])
        _append(lambda room: message_summary(message, room))

    def ended(self, ended: Ended, manifest: ManifestInput) -> None:
        """Tell of a run that is over; the summary for people comes after this, so that it is the last that they read."""
        if not self._on:
            return
        from marscore.manifest.entry_lines import EntryLines  # noqa: PLC0415 - most runs are not GitHub's
        from marscore.report.annotations import MOST, Annotation, ManifestFile, of_failures, of_warnings  # noqa: PLC0415 - as above
        from marscore.report.step_summary import step_summary  # noqa: PLC0415 - as above

        file = None if manifest.text is None else in_workspace(manifest.source)
        lines = EntryLines(manifest.text or "").line_of
        place = ManifestFile(source=manifest.source) if file is None else ManifestFile(file, lines, manifest.source)
        failed = list(ended.failures())
        notes = [note for note in (ended.trouble.message if ended.trouble else None, ended.hook) if note]
        told = [Annotation("error", "marscore", note) for note in notes] + of_failures(failed, place, MOST - len(notes))
        warnings = [(None, warning) for warning in ended.head.warnings if warning not in notes]
        self._annotate(told + of_warnings([*warnings, *ended.noted], place))
        _append(lambda room: step_summary(ended.head, failed, ended.entries(), notes, room))

    def _annotate(self, annotations: Iterable[Annotation]) -> None:
        from marscore.report.annotations import command  # noqa: PLC0415 - as above

        lines = [command(annotation) for annotation in annotations]
        if self._annotates and lines:
            tell_runner(lines)


def in_workspace(source: str) -> str | None:
    """A file as GitHub calls it, relative to the workspace if it is there; None where it is no file."""
    try:
        if source == "-" or not Path(source).is_file():
            return None
        workspace = os.environ.get("GITHUB_WORKSPACE") or "."
        # Not resolved at first, since a link is called what the user calls it, unless only where it leads to is in the workspace.
        for real in (os.path.abspath, os.path.realpath):
            place = Path(real(source))
            if place.is_relative_to(real(workspace)):
                return place.relative_to(real(workspace)).as_posix()
        return place.as_posix()
    except (OSError, ValueError):
        # The current folder is gone, or the name can be none.
        return None


def _append(written: Callable[[int], str]) -> None:
    """Append to the summary of the step what is written for the bytes that it still takes. What keeps us from it is told, and no more."""
    from marscore.report.step_summary import LIMIT  # noqa: PLC0415 - as above

    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        # GitHub makes it; what else may stand there, a pipe without a reader, is not waited for.
        size = Path(place).stat().st_size if Path(place).exists() else 0
        if Path(place).exists() and not stat.S_ISREG(Path(place).stat().st_mode):
            raise OSError("it is no regular file")
        if text := written(LIMIT - size - 1):
            with Path(place).open("ab") as file:
                file.write(b"\n" + text.encode())
    except (OSError, ValueError) as error:
        complain(f"marscore: cannot write the job's summary: {getattr(error, 'strerror', None) or error}")
