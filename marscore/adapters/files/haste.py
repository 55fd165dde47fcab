"""How long what can be left to the next run goes on, once a run is to end: half a second.

A folder of a hundred thousand files takes seconds to remove.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from marscore.errors import StorageError
from marscore.values import Failure

#: Seconds that it may go on.
AT_THE_END = 0.5
STOPPED = Failure("interrupted", "the run ended before the archive was unpacked")


class Haste:
    """Says of work in which many steps are short when it has to stop. It belongs to one thread."""

    def __init__(self, wanted: Callable[[], bool], seconds: float = AT_THE_END) -> None:
        """Begin; once `wanted` says no, there are so many seconds left."""
        self.wanted = wanted
        self._seconds = seconds
        self._latest: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        if self._latest is None and not self.wanted():
            self._latest = time.monotonic() + self._seconds
        return self._latest is not None and time.monotonic() >= self._latest

    def check(self) -> None:
        """Raise once no time is left.

        Raises:
            StorageError: of kind `interrupted`.
        """
        if self.is_over:
            raise StorageError(STOPPED)
