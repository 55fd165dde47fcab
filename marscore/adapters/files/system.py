"""The calls by which payload files, partial files and journals are made: the system's own, or those of a file system that a simulation has.

Nothing is decided here. Whoever gets a `System` calls nothing of `os` that touches a disk by itself, so that a simulated one can fail,
fill, tear what is written and lose what was not flushed.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable

from marscore.adapters.files import positioned
from marscore.adapters.files.regular import read_file

#: How a file is opened that must not be there, and one that must be.
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
OLD = NEW & ~(os.O_CREAT | os.O_EXCL)


class System:
    """The system that this process runs on. Methods without a docstring are those of `os` and `os.path`."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    write = staticmethod(os.write)
    fstat = staticmethod(os.fstat)
    lstat = staticmethod(os.lstat)
    stat = staticmethod(os.stat)
    unlink = staticmethod(os.unlink)
    #: Both take a descriptor in the place of a path, where the system does.
    chmod = staticmethod(os.chmod)
    utime = staticmethod(os.utime)
    replace = staticmethod(os.replace)
    truncate = staticmethod(os.truncate)
    # Windows has it too.
    ftruncate = staticmethod(os.ftruncate)
    fsync = staticmethod(os.fsync)
    makedirs = staticmethod(os.makedirs)
    rmdir = staticmethod(os.rmdir)
    listdir = staticmethod(os.listdir)
    isdir = staticmethod(os.path.isdir)
    lexists = staticmethod(os.path.lexists)
    #: The content of a regular file.
    read_file = staticmethod(read_file)
    #: What reads and writes at offsets.
    positioned = staticmethod(positioned.choose)

    def realpath(self, path: str) -> str:
        """A path without symbolic links."""
        return os.path.realpath(path)

    def free(self, folder: str) -> int:
        """How many bytes there is room for in a folder."""
        return shutil.disk_usage(folder).free

    def start(self, act: Callable[[], None], name: str) -> None:
        """Do something in a thread of its own.

        Raises:
            RuntimeError, MemoryError: the system starts none.
        """
        threading.Thread(target=act, name=name, daemon=True).start()

    def syncfs(self, descriptor: int) -> bool | None:
        """Flush the whole file system that something is on: whether it is; None where the system has no such call."""
        import ctypes  # noqa: PLC0415 - only for many files

        call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform.startswith("linux") else None
        return None if call is None else not call(descriptor)


SYSTEM = System()
