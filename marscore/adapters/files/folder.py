"""The output folder: the only code that opens payload files and the partial files behind them.

    <output_dir>/.marscore/partial/KEY.part       bytes at their final offsets      KEY = state.key_of(output path)
    <output_dir>/.marscore/partial/KEY.journal    which pieces of them were written
    <output_dir>/PATH                             appears by one rename, whole and verified

`create` always makes a new inode, so a helper that still writes to the file of an older epoch writes into one that has no name any more.
Nothing is opened through a symbolic link that leads out of the folder.

This file is longer than the house's 300 lines, since what may happen to a name in the folder is to be read in one place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from marscore.adapters.files import durability
from marscore.adapters.files.attributes import Give, giver
from marscore.adapters.files.failures import naming, storage_error
from marscore.adapters.files.hashing import digests_of_file
from marscore.adapters.files.leftovers import Leftover, leftovers_in
from marscore.adapters.files.partial import PartialFile, journal_of, part_of
from marscore.adapters.files.positioned import Positioned
from marscore.adapters.files.regular import demand_regular_file
from marscore.adapters.files.rename import Verified, identity_of, rename
from marscore.adapters.files.system import NEW, OLD, SYSTEM, System
from marscore.errors import StorageError
from marscore.journal import Header, Journal, decode, encode_finished, encode_header
from marscore.state import AS_MADE, Attributes, Content, FileIdentity, Measured, key_of
from marscore.values import OWN_FOLDER, Failure

#: What is said where another folder, or none, has the output folder's name.
MOVED = Failure("path", "the output folder was moved or replaced while the run worked")
_FOLDER_IN_THE_WAY = Failure("path", "a folder stands where the file should be")
#: Bytes of a path that no system refuses for its length: Windows takes 260, others a thousand and more.
_SHORT = 240
#: How the name of a journal ends.
_JOURNAL = ".journal"
#: How a file that has to be there is opened to be read.
OLD_READ = OLD & ~os.O_RDWR


class Folder:
    """Implements `ports.FileStore` on one output folder. With `portable` it uses no POSIX-only call.

    `identity` is the device and inode of the folder that the run has locked; None: whichever is there now, if there is one. Should another
    take its name meanwhile, nothing is written, renamed or removed there. `own` is where partial files are, relative to it.
    """

    #: Whether what is put in place is put on condition of what it replaces.
    compares = False

    def __init__(
        self,
        root: Path,
        portable: bool = False,
        identity: tuple[int, int] | None = None,
        system: System = SYSTEM,
        own: str = OWN_FOLDER,
    ) -> None:
        self._root = root
        self._os = system
        self.identity = identity or _identity(system, root)
        self._partials = os.path.join(root, own, "partial")
        self._io: Callable[[int], Positioned] = system.positioned(portable)
        self._give: Give = giver(system, portable)
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
            return self._partial_file(base, self._new_part(base))

    def _partial_file(self, base: str, fd: int, journal: int | None = None) -> PartialFile:
        return PartialFile(base, self.place, (self._os, self._io, self._give), fd, journal)

    def _new_part(self, base: str) -> int:
        try:
            if base not in self._journals:
                return self._os.open(part_of(base), NEW, 0o666)
        except FileNotFoundError:
            self._os.makedirs(self._partials, exist_ok=True)
        except FileExistsError:
            pass
        for old in (journal_of(base), part_of(base)):
            with contextlib.suppress(FileNotFoundError):
                self._os.unlink(old)
        return self._os.open(part_of(base), NEW, 0o666)

    def prepare(self, path: str) -> None:
        """Refuse a path that the system does not take."""
        # Each takes one as short as this; to ask it for each of many small files costs as much as their sha256.
        if len(path) > self._short or not path.isascii():
            self._check_place(path)

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Put a whole file in place."""
        base = self._partial_prefix + key_of(path)
        target = self.place(path)
        with naming("cannot write"):
            status = self._written_at_once(base, memoryview(content.data), attributes)
            try:
                if status.st_size != len(content.data):
                    raise StorageError(Failure("path", f"{len(content.data)} bytes were written, and the file has {status.st_size}"))
                return rename(part_of(base), target, Verified(status, content.digests["sha256"], attributes), system=self._os)
            except (OSError, StorageError):
                with contextlib.suppress(OSError):
                    self._os.unlink(part_of(base))
                if self._os.isdir(target):
                    raise StorageError(_FOLDER_IN_THE_WAY) from None
                raise

    def bring(self, path: str, make: Callable[[str], tuple[os.stat_result, Attributes]], sha256: str) -> FileIdentity:
        """Put in place what `make` puts, under the name that it is given, beside the partial files; whatever was left of it goes.

        It gets the attributes that `make` says.

        Raises:
            StorageError: as for `store`. What `make` raises is raised, and nothing is left of it.
        """
        base = self._partial_prefix + key_of(path)
        target = self.place(path)
        self._os.makedirs(self._partials, exist_ok=True)
        for old in (journal_of(base), part_of(base)):
            with contextlib.suppress(FileNotFoundError):
                self._os.unlink(old)
        try:
            status, attributes = make(part_of(base))
            self._give(None, part_of(base), attributes)
            return rename(part_of(base), target, Verified(status, sha256, attributes), system=self._os)
        except BaseException:
            with contextlib.suppress(OSError):
                self._os.unlink(part_of(base))
            raise

    def _written_at_once(self, base: str, data: memoryview, attributes: Attributes) -> os.stat_result:
        fd = self._new_part(base)
        try:
            write, offset = self._io(fd).write, 0
            while offset < len(data):
                offset += write([data[offset:]], offset)
            self._give(fd, part_of(base), attributes)
            return self._os.fstat(fd)
        except OSError:
            with contextlib.suppress(OSError):
                self._os.unlink(part_of(base))
            raise
        finally:
            self._os.close(fd)

    def reopen(self, path: str) -> tuple[PartialFile, Journal] | None:
        """Open what an earlier run left, or None. Where the system gives too little to look, that says nothing of what is there."""
        base = self._partial_prefix + key_of(path)
        try:
            data = self._os.read_file(journal_of(base))
            self._journals.add(base)
            journal = decode(data)
            if journal is None:
                return None
            if journal.torn:
                # What is appended behind half a line would be lost with it.
                self._os.truncate(journal_of(base), journal.sound)
            partial = self._open_old(base)
            partial.header = journal.header
            return partial, journal
        except OSError as error:
            if (failed := storage_error(error, "cannot look at the partial file")).failure.kind == "resources":
                raise failed from error
            return None
        except StorageError:
            return None

    def finished(self, path: str) -> Journal | None:
        """The journal of a file that got its name in a run which could not claim it any more; None where there is none."""
        base = self._partial_prefix + key_of(path)
        try:
            journal = None if self._os.lexists(part_of(base)) else decode(self._os.read_file(journal_of(base)))
        except OSError:
            return None
        return journal if journal and journal.finished else None

    def left(self, path: str) -> tuple[Journal, int] | None:
        """The journal of what an earlier run left of a file, and how long that is, not proven; None where there is none."""
        base = self._partial_prefix + key_of(path)
        try:
            journal, length = decode(self._os.read_file(journal_of(base))), self._os.lstat(part_of(base)).st_size
        except OSError:
            return None
        return None if journal is None else (journal, length)

    def note_finished(self, path: str, header: Header, sha256: str) -> None:
        """Leave a journal for `finished`, of a file that came without one; where that cannot be written, there is none."""
        if not self.is_there:
            return
        journal = journal_of(self._partial_prefix + key_of(path))
        with contextlib.suppress(OSError):
            self._os.makedirs(self._partials, exist_ok=True)
            file = self._os.open(journal, NEW, 0o666)
            try:
                self._os.write(file, encode_header(header) + encode_finished(sha256))
            finally:
                self._os.close(file)

    def _open_old(self, base: str) -> PartialFile:
        log = self._os.open(journal_of(base), OLD | os.O_APPEND)
        try:
            return self._partial_file(base, self._opened(part_of(base)), log)
        except OSError:
            self._os.close(log)
            raise

    def _opened(self, part: str) -> int:
        flags = OLD | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = self._os.open(part, flags)
        except PermissionError:
            if not self._os.lstat(part).st_mode & stat.S_IRUSR:
                raise
            # A run that gave it a mode without the right to write, for its place, was ended before it got there.
            self._os.chmod(part, 0o600)
            descriptor = self._os.open(part, flags)
        try:
            demand_regular_file(self._os.fstat(descriptor))
        except OSError:
            self._os.close(descriptor)
            raise
        return descriptor

    def set_mode(self, path: str, mode: int) -> bool:
        """Give the finished file at `path` these permission bits; False where it has them.

        Raises:
            StorageError: the system does not let us.
        """
        with naming("cannot set the mode of the file in place"):
            target = self.place(path)
            status = self._os.lstat(target)
            # Windows knows but one of them: whether it may be written.
            told = 0o777 if os.name == "posix" else stat.S_IWRITE
            if not stat.S_ISREG(status.st_mode) or (status.st_mode ^ mode) & told == 0:
                return False
            self._give(None, target, Attributes(mode))
            return True

    def remove(self, path: str, identity: FileIdentity) -> None:
        """Remove the finished file at `path`, if it is this one.

        Raises:
            StorageError: the system does not let us.
        """
        with naming("cannot remove the archive that was unpacked"):
            if self.is_there and self.identify(path) == identity:
                self._os.unlink(self._prefix + path)

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the finished file."""
        try:
            return identity_of(self._os.lstat(self._prefix + path))
        except (OSError, UnicodeEncodeError):
            return None

    def looker(self, paths: Sequence[str]) -> Callable[[str], FileIdentity | None]:
        """What `identify` says, for one look at each of many paths."""
        # In a folder that is not there is no file to ask the system about: a first run makes one look for each folder.
        there: dict[str, bool] = {}
        identify = self.identify

        def look(path: str) -> FileIdentity | None:
            parent = path.rpartition("/")[0]
            known = there.get(parent)
            if known is None:
                known = there[parent] = identify(parent) is not None
            return identify(path) if known else None

        return look

    def measure(self, path: str, algorithms: Sequence[str], seen: Callable[[int], None] = lambda count: None) -> Measured:
        """Hash a finished file. `seen` is told how many bytes each read brought, and may raise to end it."""
        with naming("cannot read the file in place"):
            fd = self._os.open(self.place(path), OLD_READ)
            try:
                before = identity_of(self._os.fstat(fd))
                digests = digests_of_file(self._io(fd), before.size, algorithms, seen)
                if identity_of(self._os.fstat(fd)) != before:
                    raise StorageError(Failure("path", "the file in place changed while it was read"))
                return Measured(before, digests)
            finally:
                self._os.close(fd)

    def partial_keys(self) -> set[str]:
        """The keys of all partial files that a run left here."""
        try:
            return {name[: -len(_JOURNAL)] for name in self._os.listdir(self._partials) if name.endswith(_JOURNAL)}
        except OSError:
            return set()

    @property
    def is_there(self) -> bool:
        """Whether the folder still has its name."""
        return self.identity is None or _identity(self._os, self._root) == self.identity

    def leftovers(self) -> dict[str, Leftover]:
        """What runs left here of files on their way, by key."""
        return leftovers_in(self._os, self._partials) if self.is_there else {}

    def forget_partial(self, path: str) -> None:
        """Remove what is left of a partial file whose finished file is claimed."""
        self.remove_left([key_of(path)])

    def remove_left(self, keys: Iterable[str]) -> None:
        """Remove what is left under these keys."""
        if not self.is_there:
            return
        for key in keys:
            base = self._partial_prefix + key
            for old in (journal_of(base), part_of(base)):
                with contextlib.suppress(OSError):
                    self._os.unlink(old)

    def flush(self, paths: Sequence[str]) -> bool:
        """Wait until these finished files are on the disk. False if the system would not say so."""
        return durability.flush(self._root, paths, self._os)

    def leave_empty(self) -> None:
        """Remove the folder of the partial files where none is left in it."""
        if self.is_there:
            with contextlib.suppress(OSError):
                self._os.rmdir(self._partials)

    def place(self, path: str) -> str:
        """The final path of a download, with its folder made.

        Raises:
            StorageError: the folder cannot be made, or a symbolic link leads out of the output folder.
        """
        if not self.is_there:
            raise StorageError(MOVED)
        target = self._prefix + path
        below = path.rpartition("/")[0]
        if below not in self._known_folders:
            folder = os.path.dirname(target)
            # Looked at before a folder is made, which may be one outside. realpath takes a loop of links; Path.resolve does not.
            if not Path(self._os.realpath(folder)).is_relative_to(self._os.realpath(self._prefix)):
                raise StorageError(Failure("path", "a symbolic link leads out of the output folder"))
            with naming("cannot make the folder"):
                self._os.makedirs(folder, exist_ok=True)
            self._known_folders.add(below)
        return target

    def _check_place(self, path: str) -> None:
        # What the system does not even look at here, it would not rename to: said before the first byte rather than after the last.
        with naming("cannot make the file"), contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(self._os.lstat(self._prefix + path).st_mode):
                raise StorageError(_FOLDER_IN_THE_WAY)
        self.place(path)


def _identity(system: System, folder: Path) -> tuple[int, int] | None:
    try:
        status = system.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
