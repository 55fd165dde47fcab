"""A file to which lines are appended, each of them whole or not at all."""

from __future__ import annotations

import errno
import threading

from marscore.adapters.files.system import System


class Appended:
    """Takes over a descriptor that was opened to append. `first` is what has to stand before the first line; it is written with that."""

    def __init__(self, system: System, fd: int, first: bytes = b"") -> None:
        self._os = system
        self._fd = fd
        self._first = first
        self._half = 0
        # Two that append at once would cut off each other's lines.
        self._lock = threading.Lock()

    def append(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OSError: it is not there, though a part of it may be until the next one comes or whoever reads it cuts that off.
        """
        with self._lock:
            if self._half:
                # What stands behind half a line is lost with it.
                self._os.ftruncate(self._fd, self._os.fstat(self._fd).st_size - self._half)
                self._half = 0
            data = self._first + line
            written = self._os.write(self._fd, data)
            if written < len(data):
                self._half = written
                # Regular files take less than all only where the disk is full.
                raise OSError(errno.ENOSPC, "")
            self._first = b""

    def close(self) -> None:
        """Close the file."""
        self._os.close(self._fd)
