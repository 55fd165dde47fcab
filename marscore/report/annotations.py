"""Failures and warnings as GitHub's annotations: commands to the runner, each a line.

    failures + warnings + lines of the manifest --annotate--> Annotation... --command--> `::error file=…,line=…,title=…::message`

GitHub shows ten errors and ten warnings of a step and drops the rest, so where there are more, failures that have kind, status and host
in common share one. Texts come redacted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from marscore.frozen import dataclass
from marscore.policy.remedies import remedy
from marscore.report.failed import alone_or_by_cause, host_of, remedy_of

if TYPE_CHECKING:
    from marscore.errors import Problem
    from marscore.report.model import DownloadReport

#: Annotations of one level that GitHub shows of a step.
MOST = 10
#: Files that one annotation names.
_NAMED = 5
#: The title of what is about no one file or key.
_NAME = "marscore"

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is told, and where: `file` is relative to the workspace, `line` and `column` count from 1."""

    level: Level
    title: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """The manifest as the workspace knows it, and the line of each download by its id; no file, no lines."""

    file: str | None = None
    line_of: Callable[[str], int | None] = lambda _download: None
    #: What the report calls it.
    source: str = ""


def command(annotation: Annotation) -> str:
    """The annotation as a command to the runner, which is one line whatever the texts are."""
    place = {"file": annotation.file, "line": annotation.line, "col": annotation.column} if annotation.file else {}
    properties = {**place, "title": annotation.title}
    told = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value is not None)
    return f"::{annotation.level} {told}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def of_failures(failed: Sequence[DownloadReport], manifest: ManifestFile, most: int = MOST) -> list[Annotation]:
    """At most so many errors for downloads that failed, and one warning for all that were interrupted."""
    broken = [entry for entry in failed if entry.status == "failed"]
    stopped = len(failed) - len(broken)
    groups = alone_or_by_cause(broken, most)
    shown, rest = (groups, []) if len(groups) <= most else (groups[: most - 1], groups[most - 1 :])
    told = [_of_one(group[0], manifest) if len(group) == 1 else _of_many(group, manifest) for group in shown]
    if rest:
        count = sum(map(len, rest))
        told.append(Annotation("error", f"{count} more downloads failed", "The job's summary and the report name them.", manifest.file))
    if stopped:
        what = "1 download was interrupted" if stopped == 1 else f"{stopped} downloads were interrupted"
        told.append(Annotation("warning", what, f"To do: {remedy('interrupted')}.", manifest.file))
    return told


def of_warnings(warnings: Sequence[tuple[str | None, str]], manifest: ManifestFile) -> list[Annotation]:
    """At most ten warnings, of pairs of a download's id, or None, and a sentence; where there are more, one for each sentence."""
    if len(warnings) > MOST:
        counts = Counter(message for _, message in warnings)
        first: dict[str, str | None] = {}
        for download, message in warnings:
            first.setdefault(message, download)
        warnings = [(first[message], message if count == 1 else f"{message} ({count} times)") for message, count in counts.items()]
    shown = warnings if len(warnings) <= MOST else warnings[: MOST - 1]
    told = [Annotation("warning", _NAME, message, manifest.file, manifest.line_of(download or "")) for download, message in shown]
    if len(shown) < len(warnings):
        told.append(Annotation("warning", _NAME, "More warnings are in the log.", manifest.file))
    return told


def of_problems(problems: Sequence[Problem], source: str, file: str | None, level: Level = "error", most: int = MOST) -> list[Annotation]:
    """At most so many for what is wrong with a manifest, which messages call `source` where it is no file of the workspace."""
    lead = "" if file else f"{source}: "
    shown = problems if len(problems) <= most else problems[: most - 1]
    told = [Annotation(level, each.path or _NAME, lead + _with_advice(each, source), file, each.line, each.column) for each in shown]
    if len(shown) < len(problems):
        told.append(Annotation(level, _NAME, f"{len(problems) - len(shown)} more problems are in the log.", file))
    return told


def _with_advice(problem: Problem, source: str) -> str:
    """What is wrong, and below it what helps."""
    other = problem.elsewhere
    place = [] if other is None else [f"{other.what} stands at {source}:{other.line}:{other.column}"]
    return "\n".join([problem.message, *place, *problem.notes])


def _of_one(entry: DownloadReport, manifest: ManifestFile) -> Annotation:
    assert entry.error is not None, "what failed has an error"
    message = f"{entry.error.message}\n{entry.source or entry.url}\nTo do: {remedy_of(entry.error, manifest.source)}."
    return Annotation("error", f"{entry.path} failed: {entry.error.kind}", message, manifest.file, manifest.line_of(entry.id))


def _of_many(group: Sequence[DownloadReport], manifest: ManifestFile) -> Annotation:
    first = group[0]
    assert first.error is not None, "what failed has an error"
    named = "\n".join(entry.path for entry in group[:_NAMED])
    more = f"\nand {len(group) - _NAMED} more" if len(group) > _NAMED else ""
    host = host_of(first)
    title = f"{len(group)} downloads{f' from {host}' if host else ''} failed: {first.error.kind}"
    return Annotation(
        "error",
        title,
        f"{first.error.message}\n{named}{more}\nTo do: {remedy_of(first.error, manifest.source)}.",
        manifest.file,
        manifest.line_of(first.id),
    )
