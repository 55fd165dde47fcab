"""What all files of rows have in common: how they are opened, and how values become cells."""

from __future__ import annotations

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
    if isinstance(value, float) and value.is_integer():
        # A column of whole numbers with gaps is one of floats to many programs.
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"has no text, number or boolean in {name[:64]!r}")
