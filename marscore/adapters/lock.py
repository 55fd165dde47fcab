"""One run per output folder: a lock that the kernel drops when its holder dies, and beside it the holder's pid for messages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from marscore.adapters.files import storage_error
from marscore.errors import StorageError
from marscore.values import Failure


@contextlib.contextmanager
def hold(own_folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        StorageError: another run holds it; the message names its pid. Or the lock cannot be made.
    """
    lock = filelock.FileLock(own_folder / "lock", timeout=0)
    holder = own_folder / "lock.pid"
    _acquire(lock, holder)
    try:
        with contextlib.suppress(OSError):
            holder.write_text(f"{os.getpid()}\n")
        yield
    finally:
        # Only who holds the lock may touch the pid: it is the holder's.
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _acquire(lock: filelock.BaseFileLock, holder: Path) -> None:
    try:
        lock.acquire()
    except filelock.Timeout:
        raise StorageError(Failure("path", f"another run holds this output folder{_named(holder)}")) from None
    except OSError as error:
        raise storage_error(error, "cannot lock the output folder") from error


def _named(holder: Path) -> str:
    try:
        return f" (pid {int(holder.read_text())})"
    except (OSError, ValueError):
        return ""
