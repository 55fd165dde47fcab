"""The output folder: the only code that opens payload files and the partial files behind them.

    <output_dir>/.marscore/partial/KEY.part       bytes at their final offsets      KEY = state.key_of(output path)
    <output_dir>/.marscore/partial/KEY.journal    which pieces of them were written
    <output_dir>/PATH                             appears by one rename, whole and verified

`create` always makes a new inode, so a thread that still writes to the file of an older epoch writes into one that has no name any more.
Nothing is opened through a symbolic link that leads out of the folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from marscore.adapters import positioned
from marscore.adapters.follower import Follower
from marscore.errors import StorageError
from marscore.journal import Header, Journal, Piece, decode, encode_finished, encode_header, encode_piece
from marscore.state import FileIdentity, key_of
from marscore.values import ByteRange, Failure, FailureKind

#: What marscore keeps for itself, under the output folder.
OWN_FOLDER = ".marscore"
_HASH_READ = 1024 * 1024
#: A file of up to this size is not worth a look at the free space before it is written.
_SMALL = 1024 * 1024
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OLD = _NEW & ~(os.O_CREAT | os.O_EXCL)
_KINDS: dict[int, FailureKind] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
}


def storage_error(error: OSError, doing: str) -> StorageError:
    """Name what the operating system said. The message holds no path, since a path may hold what came from the environment."""
    kind = _KINDS.get(error.errno or 0, "path")
    return StorageError(Failure(kind, f"{doing}: {os.strerror(error.errno) if error.errno else error}"))


class _naming:  # noqa: N801 - reads as the statement that it begins; a class, since it is entered for every read and write
    """Names what the system says inside."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise storage_error(error, self._doing) from error


class Folder:
    """Implements `ports.FileStore` on one output folder. With `portable` it uses no POSIX-only call."""

    def __init__(self, root: Path, portable: bool = False) -> None:
        self._root = root
        self._partials = root / OWN_FOLDER / "partial"
        self._io = positioned.choose(portable)
        # Plain strings where a call is made for each of a hundred thousand files: a Path costs as much as the call itself.
        self._prefix = os.path.join(root, "")
        self._partial_prefix = os.path.join(self._partials, "")
        self._known_folders: set[str] = set()
        # Where a journal may be in the way of a new one. What another process leaves meanwhile is seen by `reopen` first.
        self._journals = {self._partial_prefix + key for key in self.partial_keys()}

    def create(self, path: str) -> PartialFile:
        """Begin a partial file, in place of any there was."""
        base = self._partial_prefix + key_of(path)
        self._check_place(path)
        with _naming("cannot create a partial file"):
            return PartialFile(self, base, self._io, self._new_part(base))

    def _new_part(self, base: str) -> int:
        try:
            if base not in self._journals:
                return os.open(_part(base), _NEW, 0o666)
        except FileNotFoundError:
            self._partials.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            pass
        for old in (_journal(base), _part(base)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(old)
        return os.open(_part(base), _NEW, 0o666)

    def prepare(self, path: str) -> None:
        """Refuse a path where no file can be."""
        self._check_place(path)

    def store(self, path: str, data: bytes | memoryview) -> FileIdentity:
        """Put a whole file in place."""
        base = self._partial_prefix + key_of(path)
        target = self.place(path)
        with _naming("cannot write"):
            status = self._written_at_once(base, memoryview(data))
            os.replace(_part(base), target)
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
                os.unlink(_part(base))
            raise
        finally:
            os.close(fd)

    def reopen(self, path: str) -> tuple[PartialFile, Journal] | None:
        """Open what an earlier run left, or None."""
        base = self._partial_prefix + key_of(path)
        try:
            data = Path(_journal(base)).read_bytes()
            self._journals.add(base)
            journal = decode(data)
            if journal is None:
                return None
            if journal.torn:
                # What is appended behind half a line would be lost with it.
                os.truncate(_journal(base), journal.sound)
            return self._open_old(base, path, journal), journal
        except (OSError, StorageError):
            return None

    def _open_old(self, base: str, path: str, journal: Journal) -> PartialFile:
        # A run that was killed between the rename and its claim left the whole file under its name: it is taken back.
        if journal.finished and not os.path.exists(_part(base)):
            target = self.place(path)
            if self.digests(path, ["sha256"])["sha256"] == journal.finished:
                os.replace(target, _part(base))
        log = os.open(_journal(base), _OLD | os.O_APPEND)
        try:
            return PartialFile(self, base, self._io, os.open(_part(base), _OLD), log)
        except OSError:
            os.close(log)
            raise

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the finished file."""
        try:
            return identity_of(os.lstat(self._prefix + path))
        except OSError:
            return None

    def digests(self, path: str, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash a finished file."""
        with _naming("cannot read the file in place"):
            fd = os.open(self.place(path), _OLD & ~os.O_RDWR)
            try:
                return digests_of(self._io(fd), os.fstat(fd).st_size, algorithms)
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
        for old in (_journal(base), _part(base)):
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
            with _naming("cannot make the folder"):
                os.makedirs(folder, exist_ok=True)
            self._known_folders.add(below)
        return target

    def _check_place(self, path: str) -> None:
        # What the system does not even look at here, it would not rename to: said before the first byte rather than after the last.
        with _naming("cannot make the file"), contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(self._prefix + path).st_mode):
                raise StorageError(Failure("path", "a folder stands where the file should be"))
        self.place(path)


class _InUse:
    """Keeps a partial file open inside; says whether it still is."""

    __slots__ = ("_partial", "_usable")

    def __init__(self, partial: PartialFile) -> None:
        self._partial = partial

    def __enter__(self) -> bool:
        self._usable = self._partial.enter()
        return self._usable

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._usable:
            self._partial.leave()


class PartialFile:
    """Implements `ports.Partial`. Closing waits for calls in other threads, so that none writes to a descriptor that was given away."""

    def __init__(
        self, folder: Folder, base: str, io: type[positioned.Posix] | type[positioned.Seeking], fd: int, journal: int | None = None
    ) -> None:
        self._folder = folder
        self._base = base
        self._fd = fd
        self._io = io(fd)
        self._header: Header | None = None
        self._journal = journal
        self._new = journal is None
        self._whole: bytes | None = None
        self._follower: Follower | None = None
        # What was lent and came back. Appending and popping need no lock.
        self._lendable: list[bytearray] = []
        self._lock = threading.Lock()
        self._users = 0
        self._closing = False
        self._placed = False
        self._reserved = False
        self._allocated = 0

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of `data`; nothing once the file is closed."""
        with _InUse(self) as usable, _naming("cannot write"):
            # A file that comes whole with one write is hashed from memory.
            self._whole = bytes(data) if self._new and not offset and len(data) <= _SMALL else None
            if usable:
                self._write_all(offset, data)
                if self._follower is not None:
                    self._follower.wrote(offset, len(data))

    def lend(self, size: int) -> memoryview:
        """Memory to receive into, used before or new."""
        try:
            return memoryview(self._lendable.pop())
        except IndexError:
            return memoryview(bytearray(size))

    def write_lent(self, offset: int, data: memoryview) -> None:
        """Write all of `data`, and take back the memory that it is in."""
        self._whole = None
        with _InUse(self) as usable, _naming("cannot write"):
            if usable:
                self._write_all(offset, data)
                if self._follower is None or not self._follower.wrote(offset, len(data), data):
                    self._take_back(data)

    def _take_back(self, data: memoryview) -> None:
        assert isinstance(data.obj, bytearray)
        self._lendable.append(data.obj)

    def _write_all(self, offset: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            count = self._io.write(view, offset)
            view, offset = view[count:], offset + count

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes."""
        with _InUse(self) as usable, _naming("cannot read the partial file"):
            return self._io.read(length, offset) if usable else b""

    def reserve(self, size: int) -> None:
        """Make room for `size` bytes, or say at once that the disk has none for the rest of them."""
        if size <= _SMALL or self._reserved:
            return
        self._reserved = True
        with _InUse(self) as usable, _naming("cannot reserve space"):
            if not usable:
                return
            # First of all, so that a file which cannot fit does not take what is left of the disk before it fails.
            missing = size - _allocated(os.fstat(self._fd))
            if missing > shutil.disk_usage(os.path.dirname(self._base)).free:
                raise OSError(errno.ENOSPC, "")
            if self._io.allocate(size):
                self._allocated = size

    def follow(self, algorithms: Sequence[str], proven: Sequence[ByteRange], spare: int = 0) -> None:
        """Hash the file while it is written; `proven` ranges of it are there already."""
        with self._lock:
            if self._follower is not None or self._closing:
                return
            follower = self._follower = Follower(self._read_into, algorithms, spare, self._take_back)
        for span in proven:
            follower.wrote(span.start, len(span))

    def _read_into(self, buffer: memoryview, offset: int) -> int:
        with _InUse(self) as usable:
            try:
                return self._io.read_into(buffer, offset) if usable else 0
            except OSError:
                # Whoever hashes the file anew is told.
                return 0

    def describe(self, header: Header) -> None:
        """Set what the journal will say."""
        with self._lock:
            if self._journal is None:
                self._header = header

    def record(self, piece: Piece) -> None:
        """Append a piece to the journal, which begins with the first."""
        self._append(encode_piece(piece), begin=True)

    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash the first `size` bytes."""
        whole = self._whole
        if whole is not None and len(whole) == size:
            return {name: getattr(hashlib, name)(whole, usedforsecurity=False).hexdigest() for name in algorithms}
        if self._follower is not None and set(algorithms) <= set(self._follower.algorithms):
            followed = self._follower.digests(size)
            if followed is not None:
                return followed
        with _InUse(self) as usable, _naming("cannot read the partial file"):
            return digests_of(self._io, size if usable else 0, algorithms)

    def finish(self, path: str, size: int, digests: Mapping[str, str]) -> FileIdentity:
        """Cut the file to `size`, give it its name and let go of it."""
        with _naming("cannot put the file in place"):
            with _InUse(self) as usable:
                if not usable:
                    raise OSError(errno.EBADF, "")
                status = self._cut(size)
                if self._journal is not None:
                    self._append(encode_finished(digests["sha256"]), begin=False)
                target = self._folder.place(path)
                self.close()
            os.replace(_part(self._base), target)
            self._placed = True
        return identity_of(status)

    def close(self) -> None:
        """Let go of the file once no thread uses it any more."""
        with self._lock:
            self._closing = True
            self._close_if_unused()
        if self._follower is not None:
            self._follower.stop()

    def discard(self) -> None:
        """Let go of the file and remove it, unless it has got its name."""
        self.close()
        if self._placed:
            # The journal says "finished" until the state database has the claim; who records that removes it.
            return
        with _naming("cannot remove a partial file"):
            for old in (_part(self._base), _journal(self._base)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(old)

    def _cut(self, size: int) -> os.stat_result:
        status = os.fstat(self._fd)
        if status.st_size == size and self._allocated <= size:
            return status
        # This frees what was reserved beyond the end as well.
        os.ftruncate(self._fd, size)
        return os.fstat(self._fd)

    def _append(self, line: bytes, begin: bool) -> None:
        with _InUse(self) as usable, _naming("cannot write the journal"):
            if not usable:
                return
            with self._lock:
                if self._journal is None and begin and self._header is not None:
                    self._journal = os.open(_journal(self._base), _NEW | os.O_APPEND, 0o666)
                    # Under the lock, so that no other thread's piece comes before it.
                    _write_line(self._journal, encode_header(self._header))
                journal = self._journal
            if journal is not None:
                _write_line(journal, line)

    def enter(self) -> bool:
        """Keep the file open until `leave`; False if it is being closed."""
        with self._lock:
            if self._closing:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """End what `enter` began; the last one closes a file that is to be closed."""
        with self._lock:
            self._users -= 1
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._closing and not self._users and self._fd >= 0:
            os.close(self._fd)
            if self._journal is not None:
                os.close(self._journal)
            self._fd = -1


def _part(base: str) -> str:
    return base + ".part"


def _journal(base: str) -> str:
    return base + ".journal"


def _write_line(journal: int, line: bytes) -> None:
    if os.write(journal, line) < len(line):
        # Regular files take less than all only where the disk is full.
        raise OSError(errno.ENOSPC, "")


def _allocated(status: os.stat_result) -> int:
    blocks: int = getattr(status, "st_blocks", status.st_size // 512)
    return blocks * 512


def identity_of(status: os.stat_result) -> FileIdentity:
    """What identifies a file, from its stat."""
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder"}
    return FileIdentity(status.st_size, status.st_mtime_ns, status.st_ino, kinds.get(stat.S_IFMT(status.st_mode), "other"))


def digests_of(source: positioned.Positioned, size: int, algorithms: Sequence[str]) -> dict[str, str]:
    """Hash `size` bytes from the start with every algorithm in one pass: algorithm -> lowercase hex."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    buffer = memoryview(bytearray(min(_HASH_READ, size)))
    position = 0
    while position < size and (count := source.read_into(buffer[: size - position], position)):
        for running in hashes.values():
            running.update(buffer[:count])
        position += count
    return {name: running.hexdigest() for name, running in hashes.items()}
