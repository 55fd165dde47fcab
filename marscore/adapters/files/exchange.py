"""A folder that was unpacked takes the place of another: in one step, and of what was there nothing goes that marscore did not unpack.

staging <--links to what nobody of ours put there-- place      staging <--exchanged--> place      what was ours of the old one goes

A run that is to end leaves of that what takes too long (`haste`): nothing counts then, and the next run goes on.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from pathlib import Path

from marscore.adapters.files.below import below
from marscore.adapters.files.folder import OLD_READ
from marscore.adapters.files.haste import Haste
from marscore.adapters.files.tree_records import TreeRecords
from marscore.errors import StorageError
from marscore.resolve.trees import Tree
from marscore.values import Failure

#: RENAME_EXCHANGE of <linux/fs.h>, and AT_FDCWD of <fcntl.h>.
_EXCHANGE, _HERE = 2, -100
#: The number of renameat2(2), where the C library has no name for it (musl, up to 1.2.5), for processes of 64 bits.
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
_AT_ONCE = 1024 * 1024


class Exchange:
    """A new folder in the place of an old one, whose foreign files stay."""

    def __init__(self, records: TreeRecords, into: str, place: Path, haste: Haste) -> None:
        self._records = records
        self._place = place
        self._haste = haste
        self._staging = staging = records.staging_of(into)
        self._old = staging.with_name(f"{staging.name}.old")
        trees = [tree for tree in (records.of(into), records.begun(into)) if tree is not None]
        #: What runs have unpacked there: files and links, and folders.
        self._ours = {path for tree in trees for path in (*(file.path for file in tree.files), *(path for path, _ in tree.links))}
        self._our_folders = {folder for tree in trees for folder in tree.folders}

    def recover(self) -> None:
        """Put in order what a run left that was killed while it exchanged the folders.

        Raises:
            StorageError: this run is to end, too.
        """
        if not os.path.lexists(self._old):
            return
        if os.path.lexists(self._place):
            self._clear_old()
        else:
            self._old.rename(self._place)

    def carry_strangers(self) -> list[str]:
        """Link what no run unpacked at the place into the new folder.

        Returns:
            Each of these, and the folders made for them: entries that have to be on the disk before the old ones go.

        Raises:
            StorageError: it has a name that the archive needs, or is nothing that could be linked; or the run is to end.
        """
        try:
            mode = self._place.lstat().st_mode
        except FileNotFoundError:
            return []
        if not stat.S_ISDIR(mode):
            raise StorageError(Failure("path", "something that is not a folder stands where the archive is to be unpacked"))
        carried = []
        for path, is_folder in below(self._place):
            self._haste.check()
            if is_folder:
                self._carry_folder(path)
            elif path not in self._ours:
                self._carry(path)
            if path not in self._ours and path not in self._our_folders:
                carried.append(path)
        return carried

    def _carry_folder(self, path: str) -> None:
        new = self._staging / path
        if os.path.lexists(new) or path in self._our_folders:
            if os.path.lexists(new) and not stat.S_ISDIR(new.lstat().st_mode):
                self._refuse_if_held(path)
            return
        new.mkdir(parents=True, exist_ok=True)

    def _refuse_if_held(self, path: str) -> None:
        """A folder of ours may become a file, if nobody else has something in it."""
        if path not in self._our_folders:
            raise _in_the_way(path)

    def _carry(self, path: str) -> None:
        old, new = self._place / path, self._staging / path
        if os.path.lexists(new):
            if not _is_alike(old, new):
                raise _in_the_way(path)
            return
        mode = old.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise _in_the_way(path)
        try:
            new.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _in_the_way(path) from None
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(old), new)  # noqa: PTH115, PTH211 - as it is written, not as a path
            return
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV):
                raise
            shutil.copy2(old, new, follow_symlinks=False)

    def put(self, tree: Tree) -> None:
        """Exchange the folders, remove what was ours of the old one, and let the new record count.

        Each step is on the disk before the next one: of an old folder without its record nobody would know any more what was ours.

        Raises:
            StorageError: the run is to end, and all of the old one could not be removed: the new record does not count.
        """
        self._records.begin(tree)
        _fsync_folder(self._staging.parent)
        if not os.path.lexists(self._place):
            self._staging.rename(self._place)
        elif _exchanged(str(self._staging), str(self._place)):
            self._staging.rename(self._old)
        else:
            self._place.rename(self._old)
            try:
                self._staging.rename(self._place)
            except OSError:
                self._old.rename(self._place)
                raise
        _fsync_folder(self._place.parent)
        self._clear_old()
        _fsync_folder(self._staging.parent)
        self._records.finish(tree)

    def _clear_old(self) -> None:
        """Remove the old folder: what is ours, or is in the new one too. What came there meanwhile, goes along."""
        if not os.path.lexists(self._old):
            return
        # All of it is looked for before any of it goes.
        found = []
        for entry in below(self._old):
            self._haste.check()
            found.append(entry)
        folders = [""]
        for path, is_folder in found:
            self._haste.check()
            if is_folder:
                folders.append(path)
                continue
            old, new = self._old / path, self._place / path
            if path in self._ours or _is_alike(old, new):
                old.unlink()
            elif not os.path.lexists(new):
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
        for path in reversed(folders):
            self._haste.check()
            with contextlib.suppress(OSError):
                # One that still holds something stays, and is nobody's loss.
                (self._old / path).rmdir()


def _in_the_way(path: str) -> StorageError:
    message = f"{path}, which the archive would replace or cannot go along, was not unpacked by marscore: move it away, or unpack elsewhere"
    return StorageError(Failure("path", message))


def _is_alike(one: Path, other: Path) -> bool:
    """Whether both are the same file, or have the same content."""
    try:
        first, second = one.lstat(), other.lstat()
        if (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino):
            return True
        if stat.S_ISLNK(first.st_mode) and stat.S_ISLNK(second.st_mode):
            return one.readlink() == other.readlink()
        if not (stat.S_ISREG(first.st_mode) and stat.S_ISREG(second.st_mode)) or first.st_size != second.st_size:
            return False
        return _digest(one) == _digest(other)
    except OSError:
        return False


def _digest(path: Path) -> bytes:
    running = hashlib.sha256()
    with os.fdopen(os.open(path, OLD_READ), "rb") as file:
        while data := file.read(_AT_ONCE):
            running.update(data)
    return running.digest()


def _exchanged(one: str, other: str) -> bool:
    """Exchange two names in one step; False where this system, or this file system, has no such call."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # noqa: PLC0415 - only where a folder is replaced

    library = ctypes.CDLL(None, use_errno=True)
    here, how = ctypes.c_long(_HERE), ctypes.c_long(_EXCHANGE)
    names = (here, os.fsencode(one), here, os.fsencode(other), how)
    if hasattr(library, "renameat2"):
        return bool(library.renameat2(*names) == 0)
    number = _RENAMEAT2.get(os.uname().machine) if sys.maxsize > 2**32 else None
    return number is not None and bool(library.syscall(ctypes.c_long(number), *names) == 0)


def _fsync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
