"""The output folder: the only code that opens payload files and the partial files behind them.

    <output_dir>/.marscore/partial/KEY.part       bytes at their final offsets      KEY = state.key_of(output path)
    <output_dir>/.marscore/partial/KEY.journal    which pieces of them were written
    <output_dir>/PATH                             appears by one rename, whole and verified

`create` always makes a new inode, so a thread that still writes to the file of an older epoch writes into one that has no name any more.
Nothing is opened through a symbolic link that leads out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from marscore.adapters import positioned
from marscore.adapters.partial import NEW, OLD, PartialFile, digests_of_file, identity_of, journal_of, part_of
from marscore.adapters.storage import naming
from marscore.errors import StorageError
from marscore.journal import Journal, decode
from marscore.state import FileIdentity, key_of
from marscore.values import Failure

#: What marscore keeps for itself, under the output folder.
OWN_FOLDER = ".marscore"
_FOLDER_IN_THE_WAY = Failure("path", "a folder stands where the file should be")
#: Bytes of a path that no system refuses for its length: Windows takes 260, others a thousand and more.
_SHORT = 240


class Folder:
    """Implements `ports.FileStore` on one output folder. With `portable` it uses no POSIX-only call."""

    def __init__(self, root: Path, portable: bool = False) -> None:
        self._root = root
        self._partials = root / OWN_FOLDER / "partial"
        self._io = positioned.choose(portable)
        # Plain strings where a call is made for each of a hundred thousand files: a Path costs as much as the call itself.
        self._prefix = os.path.join(root, "")
        self._partial_prefix = os.path.join(self._partials, "")
        self._short = _SHORT - len(os.fsencode(self._prefix))
        self._known_folders: set[str] = set()
        # Where a journal may be in the way of a new one. What another process leaves meanwhile is seen by `reopen` first.
        self._journals = {self._partial_prefix + key for key in self.partial_keys()}

    def create(self, path: str) -> PartialFile:
        """Begin a partial file, in place of any there was."""
        base = self._partial_prefix + key_of(path)
        self._check_place(path)
        with naming("cannot create a partial file"):
            return PartialFile(base, self.place, self._io, self._new_part(base))

    def _new_part(self, base: str) -> int:
        try:
            if base not in self._journals:
                return os.open(part_of(base), NEW, 0o666)
        except FileNotFoundError:
            self._partials.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            pass
        for old in (journal_of(base), part_of(base)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(old)
        return os.open(part_of(base), NEW, 0o666)

    def prepare(self, path: str) -> None:
        """Refuse a path that the system does not take."""
        # Each takes one as short as this; to ask it for each of many small files costs as much as their sha256.
        if len(path) > self._short or not path.isascii():
            self._check_place(path)

    def store(self, path: str, data: bytes | memoryview) -> FileIdentity:
        """Put a whole file in place."""
        base = self._partial_prefix + key_of(path)
        target = self.place(path)
        with naming("cannot write"):
            status = self._written_at_once(base, memoryview(data))
            try:
                os.replace(part_of(base), target)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(part_of(base))
                if os.path.isdir(target):
                    raise StorageError(_FOLDER_IN_THE_WAY) from None
                raise
        return identity_of(status)

    def _written_at_once(self, base: str, data: memoryview) -> os.stat_result:
        fd = self._new_part(base)
        try:
            write, offset = self._io(fd).write, 0
            while offset < len(data):
                offset += write(data[offset:], offset)
            return os.fstat(fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part_of(base))
            raise
        finally:
            os.close(fd)

    def reopen(self, path: str) -> tuple[PartialFile, Journal] | None:
        """Open what an earlier run left, or None."""
        base = self._partial_prefix + key_of(path)
        try:
            data = Path(journal_of(base)).read_bytes()
            self._journals.add(base)
            journal = decode(data)
            if journal is None:
                return None
            if journal.torn:
                # What is appended behind half a line would be lost with it.
                os.truncate(journal_of(base), journal.sound)
            return self._open_old(base, path, journal), journal
        except (OSError, StorageError):
            return None

    def _open_old(self, base: str, path: str, journal: Journal) -> PartialFile:
        # A run that was killed between the rename and its claim left the whole file under its name: it is taken back.
        if journal.finished and not os.path.exists(part_of(base)):
            target = self.place(path)
            if self.digests(path, ["sha256"])["sha256"] == journal.finished:
                os.replace(target, part_of(base))
        log = os.open(journal_of(base), OLD | os.O_APPEND)
        try:
            return PartialFile(base, self.place, self._io, os.open(part_of(base), OLD), log)
        except OSError:
            os.close(log)
            raise

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the finished file."""
        try:
            return identity_of(os.lstat(self._prefix + path))
        except (OSError, UnicodeEncodeError):
            return None

    def digests(self, path: str, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash a finished file."""
        with naming("cannot read the file in place"):
            fd = os.open(self.place(path), OLD & ~os.O_RDWR)
            try:
                return digests_of_file(self._io(fd), os.fstat(fd).st_size, algorithms)
            finally:
                os.close(fd)

    def partial_keys(self) -> set[str]:
        """The keys of all partial files that a run left here."""
        try:
            return {entry.stem for entry in self._partials.iterdir() if entry.suffix == ".journal"}
        except OSError:
            return set()

    def forget_partial(self, path: str) -> None:
        """Remove what is left of a partial file whose finished file is claimed."""
        base = self._partial_prefix + key_of(path)
        for old in (journal_of(base), part_of(base)):
            with contextlib.suppress(OSError):
                os.unlink(old)

    def sweep(self) -> None:
        """Remove every partial file; for a run that has all its downloads in place."""
        shutil.rmtree(self._partials, ignore_errors=True)

    def place(self, path: str) -> str:
        """The final path of a download, with its folder made.

        Raises:
            StorageError: the folder cannot be made, or a symbolic link leads out of the output folder.
        """
        target = self._prefix + path
        below = path.rpartition("/")[0]
        if below not in self._known_folders:
            folder = os.path.dirname(target)
            # Looked at before a folder is made, which may be one outside. realpath takes a loop of links; Path.resolve does not.
            if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self._root)):
                raise StorageError(Failure("path", "a symbolic link leads out of the output folder"))
            with naming("cannot make the folder"):
                os.makedirs(folder, exist_ok=True)
            self._known_folders.add(below)
        return target

    def _check_place(self, path: str) -> None:
        # What the system does not even look at here, it would not rename to: said before the first byte rather than after the last.
        with naming("cannot make the file"), contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(self._prefix + path).st_mode):
                raise StorageError(_FOLDER_IN_THE_WAY)
        self.place(path)
