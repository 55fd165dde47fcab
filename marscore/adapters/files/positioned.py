"""Reads and writes at an offset that threads may do at once on one file: preadv and pwritev where the system has them.

The portable fallback seeks under a lock. `choose` gives the one to use; tests force the fallback on.

Space is reserved with Linux's fallocate(2), and the file's length stays what was written. posix_fallocate(3) is not used: where a file
system has no such call, glibc writes a zero into each block instead, while other threads write there too. Nothing is reserved in memory:
tmpfs fetches every page at once, 0.25 s for 1 GiB in which nothing is received, and has no layout that could gain by it. (On ext4 the
same takes 1 ms, and writing costs what it did before.)
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

#: FALLOC_FL_KEEP_SIZE of <linux/falloc.h>.
_KEEP_SIZE = 1
#: TMPFS_MAGIC and RAMFS_MAGIC of <linux/magic.h>.
_IN_MEMORY = {0x01021994, 0x858458F6}
#: What says that this system, or this file system, reserves no space: not that there is none.
_UNABLE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.ESPIPE}


class Positioned(Protocol):
    """I/O at offsets on one file descriptor."""

    def write(self, chunks: Sequence[bytes | memoryview], offset: int) -> int: ...

    def read(self, length: int, offset: int) -> bytes: ...

    def read_into(self, buffer: memoryview, offset: int) -> int: ...

    def allocate(self, size: int) -> bool: ...


class Posix:
    """preadv(2) and pwritev(2): no shared position, so no lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, chunks: Sequence[bytes | memoryview], offset: int) -> int:
        """Write some of the chunks from `offset` on; returns how many bytes."""
        return os.pwritev(self._fd, chunks, offset)

    def read(self, length: int, offset: int) -> bytes:
        """Read up to `length` bytes at `offset`."""
        return os.pread(self._fd, length, offset)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read into `buffer` from `offset`; returns how many bytes."""
        return os.preadv(self._fd, [buffer], offset)

    def allocate(self, size: int) -> bool:
        """Reserve space for `size` bytes; False where the system has no means to."""
        call = None if _in_memory(self._fd) else _call("fallocate")
        while call is not None and call(self._fd, _KEEP_SIZE, 0, size):
            code = ctypes.get_errno()
            if code in _UNABLE:
                return False
            if code != errno.EINTR:
                raise OSError(code, "")
        return call is not None


class Seeking:
    """lseek(2), then read or write, under a lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def write(self, chunks: Sequence[bytes | memoryview], offset: int) -> int:
        """Write some of the chunks from `offset` on; returns how many bytes."""
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.write(self._fd, b"".join(chunks))

    def read(self, length: int, offset: int) -> bytes:
        """Read up to `length` bytes at `offset`."""
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read into `buffer` from `offset`; returns how many bytes."""
        data = self.read(len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def allocate(self, size: int) -> bool:
        """Reserve nothing."""
        return False


@cache
def _call(name: str) -> Any:
    """A call of Linux that Python has no name for; None where there is none.

    glibc's names with 64 fit every size of off_t. musl, whose off_t always has 64 bits, has only the names without.
    """
    library = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
    call = getattr(library, f"{name}64", None) or getattr(library, name, None)
    if call is not None and name == "fallocate":
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return call


def _in_memory(fd: int) -> bool:
    # struct statfs begins with the type, a word wide; what follows is at most 120 bytes long.
    status = (ctypes.c_ulong * 64)()
    call = _call("fstatfs")
    return call is not None and not call(fd, status) and status[0] in _IN_MEMORY


def choose(portable: bool = False) -> type[Posix] | type[Seeking]:
    """The fastest that this system has, or the portable one where asked for."""
    return Posix if hasattr(os, "pwritev") and not portable else Seeking
