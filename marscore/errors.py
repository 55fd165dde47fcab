"""What marscore raises, sorted by what the reader of the message can do about it.

    MarscoreError
    ├── ManifestError    fix the manifest or the command line; holds every problem, each at its place
    ├── OriginError      wait, or change the source; holds the Failure of one try
    ├── IntegrityError   the bytes are not what was promised (checksum, size, changed meanwhile)
    ├── StorageError     free some space, mend permissions, end the other run
    ├── DownloadError    look at what it holds: the downloads of a report that are not in place
    └── Interrupted      run again: what was received is kept

A call in the wrong order is a RuntimeError, not one of these. Each class is built from its `args` alone, so it survives pickle.
"""

from __future__ import annotations

from typing import Any, Protocol

from marscore.frozen import dataclass
from marscore.values import Failure

#: So many downloads are named by the text of a DownloadError.
_SAID = 5


class MarscoreError(Exception):
    """Base of everything that marscore raises on purpose."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A line of a manifest as it may be shown: safe for a terminal, secrets in it replaced, cut where it is long.

    The caret stands under `width` cells of it, after `indent` cells.
    """

    line: int
    text: str
    indent: int = 0
    width: int = 1


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another place that a problem has to do with: what stands there, and where."""

    what: str
    line: int
    column: int
    quote: Quote | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a manifest: where it stands in the text, where in the tree, and what is wrong.

    `line` and `column` count from 1; both are None for a manifest that came as Python objects. `found` says of what kind the value is that
    stands there, `about` what the option is, `allowed` what may stand there, `help` what to write instead; none of them repeats what may be
    secret.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    found: str | None = None
    about: str | None = None
    allowed: str | None = None
    help: str | None = None
    quote: Quote | None = None
    elsewhere: Elsewhere | None = None

    @property
    def notes(self) -> list[str]:
        """What helps, each in a line."""
        notes = [self.about, self.allowed and f"allowed: {self.allowed}", self.help and f"help: {self.help}"]
        return [note for note in notes if note]


class ManifestError(MarscoreError):
    """The manifest or the command line is wrong; nothing was started.

    Its text has a line for each problem, `source:line:column: path: message`, and below it, indented, the quoted line and what helps.

    Args:
        source: what to call the manifest in messages: its path, `-`, or `<dict>`.
        problems: all of them, in the order of the text.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(source, problems)
        self.source = source
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(line for problem in self.problems for line in told(self.source, problem))


def told(source: str, problem: Problem) -> list[str]:
    """The lines that tell of a problem. The first is for programs too; all others begin with a space."""
    place = source if problem.line is None else f"{source}:{problem.line}:{problem.column}"
    lines = [f"{place}: {problem.path}: {problem.message}" if problem.path else f"{place}: {problem.message}"]
    other = problem.elsewhere
    gutter = len(str(max(quote.line for quote in (problem.quote, other and other.quote) if quote))) if problem.quote else 2
    if problem.quote is not None:
        lines += _quoted(problem.quote, gutter, problem.found)
    if other is not None:
        lines.append(f" {' ' * gutter} = {other.what} stands at {source}:{other.line}:{other.column}")
        lines += _quoted(other.quote, gutter, None) if other.quote else []
    return lines + [f" {' ' * gutter} = {note}" for note in problem.notes]


def _quoted(quote: Quote, gutter: int, found: str | None) -> list[str]:
    label = f" {found}" if found else ""
    empty = " " * (gutter + 1)
    return [f"{empty} |", f" {quote.line:>{gutter}} | {quote.text}", f"{empty} | {' ' * quote.indent}{'^' * quote.width}{label}"]


class _FailureError(MarscoreError):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.failure.kind}: {self.failure.message}"


class OriginError(_FailureError):
    """A server, a proxy or the network between did not deliver."""


class IntegrityError(_FailureError):
    """The bytes that came are not the ones that were promised."""


class StorageError(_FailureError):
    """The machine stands in the way: disk full, no permission, a name that cannot be, another run."""


class Unfinished(Protocol):
    """What the report tells of a download that is not in place (`report.model.DownloadReport`)."""

    @property
    def path(self) -> str:
        """The output path."""

    @property
    def url(self) -> str:
        """The URL, without what is secret of it."""

    @property
    def status(self) -> str:
        """`failed`, `interrupted` or `skipped`."""

    @property
    def error(self) -> Any:
        """Why: `kind`, `status` and `message`; None where it was only not begun."""


class DownloadError(MarscoreError):
    """Downloads are not in place.

    Args:
        status: how the run ended, as in its report.
        failed: the report's entries of those downloads, in the manifest's order.
    """

    def __init__(self, status: str, failed: tuple[Unfinished, ...] = ()) -> None:
        super().__init__(status, failed)
        self.status = status
        self.failed = failed

    def __str__(self) -> str:
        if not self.failed:
            return f"the run {self.status}"
        named = [
            f"{each.path}: {each.error.kind}: {each.error.message}" if each.error else f"{each.path}: {each.status}" for each in self.failed
        ]
        count = f"{len(named)} {'download is' if len(named) == 1 else 'downloads are'} not in place"
        more = f"; and {len(named) - _SAID} more" if len(named) > _SAID else ""
        return f"{count}: {'; '.join(named[:_SAID])}{more}"


class Interrupted(MarscoreError):  # noqa: N818 - an outcome that the caller asked for, not an error
    """The run was told to stop. `signal` is the number that told it (2 SIGINT, 15 SIGTERM)."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal

    def __str__(self) -> str:
        return f"interrupted by signal {self.signal}; run again to resume"
