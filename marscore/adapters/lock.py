"""One run per output folder: a lock that the kernel drops when its holder dies, and beside it the holder's pid for messages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from marscore.errors import StorageError
from marscore.values import Failure


@contextlib.contextmanager
def hold(own_folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        StorageError: another run holds it; the message names its pid.
    """
    lock = filelock.FileLock(own_folder / "lock", timeout=0)
    holder = own_folder / "lock.pid"
    try:
        lock.acquire()
    except filelock.Timeout:
        raise StorageError(Failure("path", f"another run holds this output folder{_named(holder)}")) from None
    try:
        holder.write_text(f"{os.getpid()}\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _named(holder: Path) -> str:
    try:
        return f" (pid {int(holder.read_text())})"
    except (OSError, ValueError):
        return ""
