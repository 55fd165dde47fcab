"""One run per output folder: a lock that the kernel drops when its holder dies, and beside it the holder's pid for messages.

Worker processes outlive a parent that was killed, for as long as they need to record what they have. A second lock, which they inherit,
keeps the next run waiting until the last of them is gone: two runs must never write to one partial file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from marscore.adapters.files.failures import storage_error
from marscore.adapters.files.regular import demand_files
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.values import Failure

if sys.platform != "win32":
    import fcntl

#: Seconds that workers of a killed run get to leave; they need at most two, unless a disk or a debugger holds them up.
OUTLIVE = 5.0
#: Seconds that a worker process which was told to leave gets before it is ended.
LEAVE = 1.0


@dataclass(slots=True)
class Held:
    """A folder's lock, held. `descriptor` is what worker processes are to inherit; None where a lock cannot be inherited.

    While `has_workers`, some of them may still write: then the lock is left to the last of them.
    """

    descriptor: int | None
    has_workers: bool = False


@contextlib.contextmanager
def hold(own_folder: Path, outlive: float = OUTLIVE) -> Iterator[Held]:
    """Hold the folder's lock.

    Args:
        own_folder: where the locks are.
        outlive: seconds to wait for what is left of a run that was killed: its workers, or one that it was just about to start.

    Raises:
        StorageError: another run holds it; the message names its pid. Or the lock cannot be made, or something else stands in its place.
    """
    holder, workers = own_folder / "lock.pid", own_folder / "lock.workers"
    demand_files("cannot lock the output folder", own_folder / "lock", holder, workers)
    lock = filelock.FileLock(own_folder / "lock", timeout=0)
    _acquire(lock, holder, outlive)
    try:
        with _inheritable(workers, outlive) as held:
            with contextlib.suppress(OSError):
                holder.write_text(f"{os.getpid()}\n")
            yield held
    finally:
        # Only who holds the lock may touch the pid: it is the holder's.
        with contextlib.suppress(OSError):
            holder.unlink()
        _let_go(lock.release)


def _acquire(lock: filelock.BaseFileLock, holder: Path, outlive: float) -> None:
    until = time.monotonic() + outlive
    while True:
        try:
            lock.acquire()
        except filelock.Timeout:
            pid = _pid(holder)
            # A run that is killed while it starts a worker leaves it a copy of the lock, for the moment between fork and exec.
            if not _is_dead(pid) or time.monotonic() >= until:
                named = "" if pid is None else f" (pid {pid})"
                raise StorageError(Failure("path", f"another run holds this output folder{named}")) from None
            time.sleep(0.02)
        except OSError as error:
            raise storage_error(error, "cannot lock the output folder") from error
        except NotImplementedError as error:
            # filelock's word for a flock(2) that answers ENOSYS.
            raise StorageError(Failure("path", "cannot lock the output folder: its file system knows no locks")) from error
        else:
            return


def _pid(holder: Path) -> int | None:
    try:
        return int(holder.read_text())
    except (OSError, ValueError):
        return None


def _is_dead(pid: int | None) -> bool:
    # On Windows there is no harmless signal to ask with, and no fork either.
    if pid is None or pid <= 0 or os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@contextlib.contextmanager
def _inheritable(path: Path, outlive: float) -> Iterator[Held]:
    """A flock(2) that belongs to everyone who has the descriptor, and is dropped with the last of them."""
    if sys.platform == "win32":
        yield Held(None)
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(error, "cannot lock the output folder") from error
    held = Held(None)
    try:
        if _free(descriptor, outlive):
            held.descriptor = descriptor
        yield held
    finally:
        if held.descriptor is not None and not held.has_workers:
            # Not left to the last close: a program that forked meanwhile has a copy that is none of a worker.
            _let_go(lambda: fcntl.flock(descriptor, fcntl.LOCK_UN))
        _let_go(lambda: os.close(descriptor))


def _let_go(act: Callable[[], None]) -> None:
    """Give something back to a system that may refuse it, as network file systems do: what is held ends with this process anyway."""
    with contextlib.suppress(OSError):
        act()


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
