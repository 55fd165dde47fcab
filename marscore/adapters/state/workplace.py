"""Where a run keeps what it needs while it works, if nothing of that is to stay: a folder of its own, which goes once all is whole.

    <output_dir>/.marscore/get/lock     held while folders are made, emptied or removed; goes with the last of them
    <output_dir>/.marscore/get/N/       one run's: lock, state database, partial files, and `files`, the keys of what it fetches

Several runs may work in one output folder, each in its own N, as long as they fetch different files. What a run that ended too early left
of a file is moved to the next one that fetches this file; what is of other files stays for theirs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from marscore.adapters.files.failures import naming, storage_error
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.put_away import remove_tree
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.state.lock import Held, hold
from marscore.adapters.state.store import SqliteState, claims_at, forget_at
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import row_of
from marscore.values import OWN_FOLDER, Failure

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_DOING = "cannot make a folder to work in"
#: Seconds that others may take to look for a folder: one that meets the workers of a run that was killed waits for them.
_PATIENCE = 15.0
_PAUSE = 0.01


@dataclass(slots=True)
class Workplace:
    """A run's folder, below the output folder, and its lock. `all_in_place` is for the run to say: what is known of its files goes then."""

    own: str
    lock: Held
    all_in_place: bool = False


@contextlib.contextmanager
def workplace(root: Path, keys: Collection[str]) -> Iterator[Workplace]:
    """A folder to work in, with what earlier runs left of these files; afterwards, what nobody needs is removed.

    Args:
        root: the output folder; it is made if it is not there.
        keys: those of the files' paths (`state.key_of`).

    Raises:
        StorageError: another run fetches one of these files, and the message names its pid; or the system lets no folder be made.
    """
    places = root / OWN_FOLDER / "get"
    demand_folder(_DOING, places)
    with contextlib.ExitStack() as held:
        with _gate(places):
            place = _begun(root, places, frozenset(keys), held)
        try:
            yield place
        finally:
            with contextlib.suppress(OSError, StorageError, sqlite3.DatabaseError), _gate(places):
                held.close()
                _end(root, place, frozenset(keys) if place.all_in_place else frozenset())
            held.close()


def _begun(root: Path, places: Path, keys: frozenset[str], held: contextlib.ExitStack) -> Workplace:
    """Make a folder, hold it, and move what is left of these files there."""
    with naming(_DOING):
        left = list(_left(places, keys))
        number = next(number for number in range(1, len(os.listdir(places)) + 2) if not (places / str(number)).exists())  # noqa: PTH208
        own = places / str(number)
        own.mkdir()
        (own / "files").write_text("\n".join(keys))
    lock = held.enter_context(hold(own))
    for other in left:
        with contextlib.suppress(OSError, StorageError, sqlite3.DatabaseError), hold(other):
            _move(root, other, own, keys)
            _remove_if_empty(root, other)
    return Workplace(own.relative_to(root).as_posix(), lock)


def _left(places: Path, keys: frozenset[str]) -> Iterator[Path]:
    """The folders of runs that are over.

    Raises:
        StorageError: one that is not, fetches one of these files.
    """
    for place in sorted(places.iterdir()):
        if not place.is_dir() or not place.name.isdecimal():
            continue
        try:
            with hold(place):
                pass
        except StorageError as error:
            if keys & _keys_in(place):
                raise _taken(place, error) from None
        else:
            yield place


def _taken(place: Path, error: StorageError) -> StorageError:
    try:
        pid = f" (pid {int((place / 'lock.pid').read_text())})"
    except (OSError, ValueError):
        pid = ""
    if error.failure.kind != "path":
        return error
    return StorageError(Failure("path", f"another run{pid} is fetching the same file to the same place"))


def _keys_in(place: Path) -> frozenset[str]:
    try:
        return frozenset((place / "files").read_text().split())
    except OSError:
        return frozenset()


def _move(root: Path, other: Path, own: Path, keys: frozenset[str]) -> None:
    """Move partial files and claims of these files from one folder to another."""
    for key in _folder(root, other).partial_keys() & keys:
        (own / "partial").mkdir(exist_ok=True)
        # The journal last: without it, nothing counts.
        for suffix in (".part", ".journal"):
            with contextlib.suppress(FileNotFoundError):
                (other / "partial" / (key + suffix)).rename(own / "partial" / (key + suffix))
    claims = claims_at(other / "state.db").claims
    mine = [row_of(claim) for key in keys if (claim := claims.get(key))]
    if mine:
        with contextlib.closing(SqliteState(own / "state.db")) as state:
            state.record(mine)
        forget_at(other / "state.db", keys)


def _end(root: Path, place: Workplace, done: frozenset[str]) -> None:
    """Forget the files that are in place for good, and remove the folder unless something else is left there."""
    own = root / place.own
    if place.lock.has_workers:
        # Some may still write there. What they leave, the next run finds.
        return
    if not _remove_if_empty(root, own, done) and done:
        forget_at(own / "state.db", done)


def _remove_if_empty(root: Path, place: Path, done: frozenset[str] = frozenset()) -> bool:
    """Remove a folder in which nothing is left but of files that are `done`."""
    # A part without a journal is of no use to anybody.
    if _folder(root, place).partial_keys() or claims_at(place / "state.db").claims.keys() - done:
        return False
    remove_tree(place, lambda: True)
    return True


def _folder(root: Path, place: Path) -> Folder:
    return Folder(root, own=place.relative_to(root).as_posix())


@contextlib.contextmanager
def _gate(places: Path) -> Iterator[None]:
    """One process at a time; whoever leaves last, removes what is empty.

    Raises:
        StorageError: others take too long, or the system lets no lock be made.
    """
    until = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as held:
        while True:
            with naming(_DOING):
                places.mkdir(parents=True, exist_ok=True)
            lock = _Lock(places / "lock", until)
            if lock.is_there:
                held.callback(lock.close)
                break
            # Its holder has removed it meanwhile, and there may be another by now.
            lock.close()
        yield
        with contextlib.suppress(OSError):
            if os.listdir(places) == ["lock"]:  # noqa: PTH208 - compared as names
                lock.remove()
                places.rmdir()
                places.parent.rmdir()


class _Lock:
    """A file that is locked; the lock goes with the process."""

    def __init__(self, path: Path, until: float) -> None:
        """Wait for it.

        Raises:
            StorageError: not until that time, or the system makes none.
        """
        self._path = path
        self.is_there = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except FileNotFoundError:
            self._file = -1
            return
        except OSError as error:
            raise storage_error(error, _DOING) from error
        try:
            self._acquire(until)
            self.is_there = self._has_its_name()
        except BaseException:
            self.close()
            raise

    def remove(self) -> None:
        """Remove it while it is held; on Windows an open file has to be closed before."""
        if sys.platform == "win32":
            self.close()
        self._path.unlink()

    def close(self) -> None:
        """Let it go."""
        if self._file != -1:
            os.close(self._file)
            self._file = -1

    def _has_its_name(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _acquire(self, until: float) -> None:
        while not self._acquired():
            if time.monotonic() >= until:
                raise StorageError(Failure("path", f"{_DOING}: another run is at it, and does not come to an end"))
            time.sleep(_PAUSE)

    def _acquired(self) -> bool:
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._file, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            # Windows says the latter.
            return False
        except OSError as error:
            raise storage_error(error, _DOING) from error
        return True
