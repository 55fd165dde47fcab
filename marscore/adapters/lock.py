"""One run per output folder: a lock that the kernel drops when its holder dies, and beside it the holder's pid for messages.

Worker processes outlive a parent that was killed, for as long as they need to record what they have. A second lock, which they inherit,
keeps the next run waiting until the last of them is gone: two runs must never write to one partial file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from marscore.adapters.storage import storage_error
from marscore.errors import StorageError
from marscore.values import Failure

if sys.platform != "win32":
    import fcntl

#: Seconds that workers of a killed run get to leave; they need at most two, unless a disk or a debugger holds them up.
OUTLIVE = 5.0


@contextlib.contextmanager
def hold(own_folder: Path, outlive: float = OUTLIVE) -> Iterator[int | None]:
    """Hold the folder's lock and give the descriptor that worker processes are to inherit; None where a lock cannot be inherited.

    Args:
        own_folder: where the locks are.
        outlive: seconds to wait for the workers of a run that was killed.

    Raises:
        StorageError: another run holds it; the message names its pid. Or the lock cannot be made.
    """
    lock = filelock.FileLock(own_folder / "lock", timeout=0)
    holder = own_folder / "lock.pid"
    _acquire(lock, holder)
    try:
        with _inheritable(own_folder / "lock.workers", outlive) as descriptor:
            with contextlib.suppress(OSError):
                holder.write_text(f"{os.getpid()}\n")
            yield descriptor
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


@contextlib.contextmanager
def _inheritable(path: Path, outlive: float) -> Iterator[int | None]:
    """A flock(2) that belongs to everyone who has the descriptor, and is dropped with the last of them."""
    if sys.platform == "win32":
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(error, "cannot lock the output folder") from error
    locked = False
    try:
        locked = _free(descriptor, outlive)
        yield descriptor if locked else None
    finally:
        if locked:
            # Not left to the last close: a program that forked meanwhile has a copy that is none of a worker.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _free(descriptor: int, outlive: float) -> bool:
    """Wait until no worker of an earlier run is left. False where the file system knows no such locks."""
    until = time.monotonic() + outlive
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StorageError(Failure("path", "workers of an earlier run, which was killed, still hold this output folder")) from None
            time.sleep(0.02)
        except OSError:
            return False
        else:
            return True
