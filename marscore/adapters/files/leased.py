"""The output folder as a worker of another machine has it: its partial files are in a folder that it was lent (`leases`).

It never makes that folder, so that nothing of it gets a name any more once the run has taken it away. Whatever it places was flushed
before: should its machine be lost afterwards, with what its file system still held, the run has been told of a file that is there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from marscore.adapters.files.failures import storage_error
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.leases import adopt
from marscore.adapters.files.partial import PartialFile
from marscore.adapters.files.system import System
from marscore.errors import StorageError
from marscore.journal import Journal
from marscore.state import key_of
from marscore.values import OWN_FOLDER, Failure


class LeasedSystem(System):
    """The system as such a worker uses it: `own` is the folder that was lent, with a `/` behind it."""

    def __init__(self, own: str) -> None:
        self._own = own

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # type: ignore[override]  # a static method there
        """As `os.makedirs`, but for the folder that was lent: where that is gone, it was taken away."""
        if f"{path}/".startswith(self._own):
            raise FileNotFoundError(errno.ENOENT, "the folder of this worker was taken away")
        os.makedirs(path, exist_ok=exist_ok)  # noqa: PTH103 - as in System

    def replace(self, source: str, target: str) -> None:  # type: ignore[override]  # as above
        """As `os.replace`, of a file that is on the disk by then."""
        # Its mode may be one that lets nobody write.
        file = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        try:
            os.replace(source, target)  # noqa: PTH105 - as above
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            told = "the file's folder is on another file system than the output folder, which workers of other machines do not write to"
            raise StorageError(Failure("path", told)) from error


class LeasedFolder(Folder):
    """Implements `ports.FileStore`. `own` is the folder that was lent, relative to the output folder."""

    def __init__(self, root: Path, own: str, system: Callable[[str], System] = LeasedSystem) -> None:
        super().__init__(root, system=system(f"{root / own}/"), own=own)
        self._mine = Path(root, own, "partial")
        #: Where others left what nobody has open, and where that is which somebody may still write to.
        self._left, self._lost = Path(root, OWN_FOLDER, "partial"), Path(root, own).parent / "lost"

    def reopen(self, path: str) -> tuple[PartialFile, Journal] | None:
        """Open what an earlier run, or a lost worker, left."""
        key = key_of(path)
        try:
            self._take(key)
        except OSError as error:
            if (failed := storage_error(error, "cannot take what was left of the file")).failure.kind == "resources":
                raise failed from error
        return super().reopen(path)

    def _take(self, key: str) -> None:
        mine, left, lost = self._mine / key, self._left / key, self._lost / key
        if os.path.lexists(f"{mine}.journal"):
            return
        if os.path.lexists(f"{lost}.journal"):
            # What is newer.
            adopt(lost, mine)
        elif os.path.lexists(f"{left}.journal"):
            # The journal last: without it, nothing counts.
            for suffix in (".part", ".journal"):
                Path(f"{left}{suffix}").rename(f"{mine}{suffix}")
