"""Folders of partial files that are lent to workers of other machines, and taken away from those that are lost.

    <output_dir>/.marscore/workers/RUN/token          what a worker reads to prove that it sees this folder
    <output_dir>/.marscore/workers/RUN/seen.K         what it writes, to prove that it is seen
    <output_dir>/.marscore/workers/RUN/N/partial/     the partial files of the run's Nth worker, and of no other
    <output_dir>/.marscore/workers/RUN/lost/          what was taken from workers of which nobody knows whether they still write

A worker that cannot be reached may be dead, or cut off and at work; it may come back when another has its downloads. No clock and no
promise tells one from the other, the file system does: what it may write to is one folder, which only the run makes. Once that folder
is empty and removed (`take_away`), nothing has a name in it that could be renamed to a place, and nothing can be made in it, also by
whoever still holds it by a handle, as clients of NFS do. What it has open, it may go on writing: so its successor takes a copy of that
(`leased`), a file of its own, and proves the pieces there. A worker that is known to be dead (its process was waited for) leaves files
that the next one simply gets (`give_back`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from marscore.adapters.files.copying import clone, copy
from marscore.adapters.files.failures import naming
from marscore.adapters.files.regular import read_file
from marscore.errors import StorageError
from marscore.values import OWN_FOLDER, Failure

_WORKERS = "workers"
_PARTIAL = "partial"
_LOST = "lost"
_JOURNAL = ".journal"
_PART = ".part"
#: Times that a folder is emptied in which files are made meanwhile; then something else than a worker is at it.
_TRIES = 1000
_DOING = "cannot take the folder of a lost worker away"


class Leases:
    """The folders that one run lends. Not to be used by two threads for one number at once."""

    def __init__(self, root: Path, run_id: str) -> None:
        """Make the place for them.

        Raises:
            StorageError: it cannot be made.
        """
        self.token = secrets.token_hex(16)
        #: Where it is, relative to the output folder.
        self.place = f"{OWN_FOLDER}/{_WORKERS}/{run_id}"
        self._root = root
        self._folder = root / self.place
        with naming("cannot make a folder for the workers"):
            (self._folder / _LOST).mkdir(parents=True)
            (self._folder / "token").write_text(self.token)

    def lend(self, number: int) -> str:
        """Make a folder for a worker; returns where it is, relative to the output folder.

        Raises:
            StorageError: it cannot be made.
        """
        with naming("cannot make a folder for a worker"):
            (self._folder / str(number) / _PARTIAL).mkdir(parents=True)
        return f"{self.place}/{number}"

    def has_seen(self, proof: str) -> bool:
        """Whether the file of this name was written by somebody who read the token; it is removed."""
        path = self._folder / proof
        try:
            found = read_file(os.fspath(path))
            path.unlink()
        except OSError:
            return False
        return found == self.token.encode()

    def give_back(self, number: int) -> None:
        """Put what a dead worker left where the next one, or the next run, looks for it.

        Raises:
            StorageError: it cannot be.
        """
        own = self._folder / str(number) / _PARTIAL
        with naming("cannot keep what a worker left"):
            _moved(own, self._root / OWN_FOLDER / _PARTIAL)
            own.rmdir()
            own.parent.rmdir()

    def take_away(self, number: int) -> None:
        """Let a worker that may still write get no name for anything from now on.

        Raises:
            StorageError: that cannot be had. Nobody may take over what it had then.
        """
        _take_away(self._folder, str(number))

    def close(self, all_in_place: bool) -> None:
        """Remove all of it, once no worker has a folder any more. What is lost, and still wanted, is left to `recover`."""
        with contextlib.suppress(OSError):
            lost = self._folder / _LOST
            for name in os.listdir(lost) if all_in_place else ():  # noqa: PTH208 - names
                (lost / name).unlink()
            lost.rmdir()
            for name in os.listdir(self._folder):  # noqa: PTH208 - names
                (self._folder / name).unlink()
            self._folder.rmdir()
            self._folder.parent.rmdir()


def recover(root: Path) -> None:
    """Take away what runs lent that were ended before they could, and keep what they lost for this one; under the folder's lock.

    Raises:
        StorageError: it cannot be taken away.
    """
    workers = root / OWN_FOLDER / _WORKERS
    if not os.path.lexists(workers):
        return
    for folder in [each for each in workers.iterdir() if each.is_dir()]:
        for name in os.listdir(folder):  # noqa: PTH208 - names
            if name.partition(".")[0].isdecimal():
                _take_away(folder, name.partition(".")[0])
        with naming("cannot keep what lost workers left"):
            _keep(folder / _LOST, root / OWN_FOLDER / _PARTIAL)
            for name in os.listdir(folder):  # noqa: PTH208 - names
                (folder / name).unlink()
            folder.rmdir()
    with contextlib.suppress(OSError):
        workers.rmdir()


def _take_away(folder: Path, number: str) -> None:
    own, gone, lost = folder / number, folder / f"{number}.gone", folder / _LOST
    with naming(_DOING):
        lost.mkdir(exist_ok=True)
        # At once for all that go by its name; then for those that hold it.
        with contextlib.suppress(FileNotFoundError):
            own.rename(gone)
        partial = gone / _PARTIAL
        for _ in range(_TRIES):
            if not os.path.lexists(partial):
                break
            _moved(partial, lost)
            with contextlib.suppress(OSError):
                partial.rmdir()
        if os.path.lexists(partial):
            raise StorageError(Failure("path", f"{_DOING}: something is made in it again and again"))
        with contextlib.suppress(FileNotFoundError):
            gone.rmdir()


def _moved(source: Path, target: Path) -> None:
    """Move partial files, each behind what was there under its name. A journal comes after its part: without it, nothing counts."""
    names = set(os.listdir(source))  # noqa: PTH208 - names
    if names:
        target.mkdir(exist_ok=True)
    for name in sorted(names, key=lambda name: name.endswith(_JOURNAL)):
        key = name.partition(".")[0]
        if f"{key}{_JOURNAL}" not in names:
            # A part without a journal is of no use to anybody. What is open may still be written to, without a name.
            _unlink(source / name)
            continue
        if not name.endswith(_JOURNAL) or f"{key}{_PART}" not in names:
            _unlink(target / f"{key}{_JOURNAL}")
            _unlink(target / f"{key}{_PART}")
        with contextlib.suppress(FileNotFoundError):
            (source / name).rename(target / name)


def _keep(lost: Path, target: Path) -> None:
    for name in os.listdir(lost) if lost.is_dir() else ():  # noqa: PTH208 - names
        if name.endswith(_JOURNAL):
            target.mkdir(exist_ok=True)
            # On a full disk it is fetched again, which needs no more room than this.
            with contextlib.suppress(OSError):
                adopt(lost / name[: -len(_JOURNAL)], target / name[: -len(_JOURNAL)])
    if lost.is_dir():
        for name in os.listdir(lost):  # noqa: PTH208 - names
            (lost / name).unlink()
        lost.rmdir()


def adopt(lost: Path, own: Path) -> None:
    """Make a copy of a partial file to which somebody may still write, with its journal; what was lost goes.

    The journal is read first: what it tells of was written before.
    """
    journal = read_file(f"{lost}{_JOURNAL}")
    for old in (Path(f"{own}{_JOURNAL}"), Path(f"{own}{_PART}")):
        _unlink(old)
    if os.path.lexists(f"{lost}{_PART}"):
        _copied(f"{lost}{_PART}", f"{own}{_PART}")
    Path(f"{own}{_JOURNAL}").write_bytes(journal)
    _unlink(Path(f"{lost}{_JOURNAL}"))
    _unlink(Path(f"{lost}{_PART}"))


def _copied(source: str, target: str) -> None:
    old = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        new = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            if not clone(old, new):
                copy(old, new, hashed=False, check=lambda: None)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
