"""Refuses what stands in the place of a file of marscore's own and is none.

To open a pipe is to wait for whoever is to write to it, and a device may do anything, so it is looked at before it is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from marscore.adapters.files.failures import naming
from marscore.errors import StorageError
from marscore.values import Failure

#: A pipe is opened without waiting for a writer, since what is looked at may be another by then.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def demand_files(doing: str, *paths: Path) -> None:
    """Let each be a regular file, behind any symbolic links, or missing.

    Raises:
        StorageError: one is something else; `doing` begins the message.
    """
    for path in paths:
        _demand("a file", doing, path)


def demand_folder(doing: str, path: Path) -> None:
    """Let it be a folder, or missing.

    Raises:
        StorageError: it is something else; `doing` begins the message.
    """
    _demand("a folder", doing, path)


def read_file(path: str, most: int = -1) -> bytes:
    """The content of a regular file, up to `most` bytes of it where that is not negative.

    Raises:
        OSError: it is something else, or cannot be read.
    """
    descriptor = os.open(path, _READ)
    with os.fdopen(descriptor, "rb") as file:
        demand_regular_file(os.fstat(descriptor))
        return file.read(most)


def demand_regular_file(status: os.stat_result) -> None:
    """Raise OSError unless this is the status of a regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _demand(wanted: str, doing: str, path: Path) -> None:
    try:
        with naming(doing):
            mode = path.stat().st_mode
    except StorageError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return
        raise
    found = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    if found != wanted:
        raise StorageError(Failure("path", f"{doing}: {path.name} is {found} and should be {wanted}"))
