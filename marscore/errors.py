"""What marscore raises, sorted by what the reader of the message can do about it.

    MarscoreError
    ├── ManifestError    fix the manifest or the command line; holds every problem, each at its place
    ├── OriginError      wait, or change the source; holds the Failure of one try
    ├── IntegrityError   the bytes are not what was promised (checksum, size, changed meanwhile)
    ├── StorageError     free some space, mend permissions, end the other run
    └── Interrupted      run again: what was received is kept

A call in the wrong order is a RuntimeError, not one of these. Each class is built from its `args` alone, so it survives pickle.
"""

from __future__ import annotations

from marscore.frozen import dataclass
from marscore.values import Failure


class MarscoreError(Exception):
    """Base of everything that marscore raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a manifest: where it stands in the text, where in the tree, and what is wrong.

    `line` and `column` count from 1; both are None for a manifest that came as Python objects.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None


class ManifestError(MarscoreError):
    """The manifest or the command line is wrong; nothing was started.

    Args:
        source: what to call the manifest in messages: its path, `-`, or `<dict>`.
        problems: all of them, in the order of the text.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(source, problems)
        self.source = source
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self._line(problem) for problem in self.problems)

    def _line(self, problem: Problem) -> str:
        place = self.source if problem.line is None else f"{self.source}:{problem.line}:{problem.column}"
        return f"{place}: {problem.path}: {problem.message}" if problem.path else f"{place}: {problem.message}"


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


class Interrupted(MarscoreError):  # noqa: N818 - an outcome that the caller asked for, not an error
    """The run was told to stop. `signal` is the number that told it (2 SIGINT, 15 SIGTERM)."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal

    def __str__(self) -> str:
        return f"interrupted by signal {self.signal}; run again to resume"
