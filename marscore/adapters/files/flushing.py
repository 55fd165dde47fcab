"""Files flushed to the disk by a helper, while the run goes on: the system may take seconds for that."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol


class Flushes(Protocol):
    """What flushes (`folder.Folder`)."""

    def flush(self, paths: Sequence[str]) -> bool:
        """Wait until these files are on the disk; False if the system would not say so."""


class Flushing:
    """Files on their way to the disk: their paths by key; None for one that has gone meanwhile."""

    def __init__(self, folder: Flushes, files: Mapping[str, str | None]) -> None:
        self.files = files
        self._folder = folder
        self._done = False
        self._thread: threading.Thread | None = threading.Thread(target=self._flush, name="marscore-flush", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The system starts no thread: whoever asks for the result waits.
            self._thread = None

    @property
    def is_over(self) -> bool:
        """Whether the result is there without a wait."""
        return self._thread is None or not self._thread.is_alive()

    def result(self) -> bool:
        """Wait until it is over; whether the files are on the disk."""
        if self._thread is None:
            self._flush()
        else:
            self._thread.join()
        return self._done

    def _flush(self) -> None:
        self._done = self._folder.flush([path for path in self.files.values() if path is not None])
