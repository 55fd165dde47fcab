"""What all files of rows have in common: how they are opened, and how values become cells."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import IO

from marscore.adapters.files.regular import demand_regular_file
from marscore.resolve.rows import Cell, RowsError

#: A pipe is opened without waiting for a writer: it is refused, since what is read once cannot be locked or verified.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def opened(path: Path) -> IO[bytes]:
    """A regular file, for reading.

    Raises:
        RowsError: there is none, or it cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            demand_regular_file(os.fstat(descriptor))
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:
        raise RowsError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


class Unchanged:
    """Opens one file, and tells whether it still is what it was when it was opened first: rows of two lists are no list."""

    def __init__(self) -> None:
        self._first: tuple[int, int, int, int] | None = None

    def opened(self, path: Path) -> IO[bytes]:
        """As `opened` alone.

        Raises:
            RowsError: also where the file is another by now.
        """
        file = opened(path)
        try:
            self.check(file)
        except BaseException:
            file.close()
            raise
        return file

    def check(self, file: IO[bytes]) -> None:
        """Look at an open file.

        Raises:
            RowsError: it was written to.
        """
        status = os.fstat(file.fileno())
        found = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._first is None:
            self._first = found
        elif self._first != found:
            raise RowsError("was changed by another program while it was read, so that rows of two lists may be among those so far")


def cell_of(value: object, name: str) -> Cell:
    """A value as the text of a cell; None for nothing.

    Raises:
        ValueError: it is no text, number or boolean.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"has no finite number in {name[:64]!r}")
    if isinstance(value, float) and value.is_integer():
        # A column of whole numbers with gaps is one of floats to many programs.
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"has no text, number or boolean in {name[:64]!r}")
