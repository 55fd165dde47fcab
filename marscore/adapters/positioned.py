"""Reads and writes at an offset that threads may do at once on one file: pread and pwrite where the system has them.

The portable fallback seeks under a lock. `choose` gives the one to use; tests force the fallback on.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol


class Positioned(Protocol):
    """I/O at offsets on one file descriptor."""

    def write(self, data: bytes | memoryview, offset: int) -> int: ...

    def read(self, length: int, offset: int) -> bytes: ...

    def read_into(self, buffer: memoryview, offset: int) -> int: ...


class Posix:
    """pread(2) and pwrite(2): no shared position, so no lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes | memoryview, offset: int) -> int:
        """Write some of `data` at `offset`; returns how many bytes."""
        return os.pwrite(self._fd, data, offset)

    def read(self, length: int, offset: int) -> bytes:
        """Read up to `length` bytes at `offset`."""
        return os.pread(self._fd, length, offset)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read into `buffer` from `offset`; returns how many bytes."""
        return os.preadv(self._fd, [buffer], offset)


class Seeking:
    """lseek(2), then read or write, under a lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def write(self, data: bytes | memoryview, offset: int) -> int:
        """Write some of `data` at `offset`; returns how many bytes."""
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.write(self._fd, data)

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


def choose(portable: bool = False) -> type[Posix] | type[Seeking]:
    """The fastest that this system has, or the portable one where asked for."""
    return Posix if hasattr(os, "preadv") and not portable else Seeking
