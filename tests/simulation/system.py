"""The `System` by which one process uses the simulated disk: every call may fail, take its time, or be the last that it makes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence

from marscore.adapters.files.system import System
from tests.simulation.disk import Disk, Inode
from tests.simulation.world import Process

_APPEND, _CREATE, _NEW = os.O_APPEND, os.O_CREAT, os.O_EXCL
#: Calls that no lock is held around: in the middle of a helper's work, its loop may go on there.
_INTERRUPTED = frozenset({"pread", "pwritev", "replace", "truncate", "fstat", "lstat"})


class Status:
    """What `os.stat` tells."""

    __slots__ = ("st_blocks", "st_dev", "st_ino", "st_mode", "st_mtime", "st_mtime_ns", "st_size")

    def __init__(self, inode: Inode) -> None:
        self.st_dev = 1
        self.st_ino = inode.number
        self.st_mode = (stat.S_IFDIR if inode.folder else stat.S_IFREG) | inode.mode
        self.st_size = len(inode.data)
        self.st_blocks = -(-self.st_size // 512)
        self.st_mtime_ns = inode.mtime_ns
        self.st_mtime = inode.mtime_ns / 1e9


class SimulatedSystem(System):
    """What `System` is to one process: every call may fail, take its time, or be the last."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process
        self._open: dict[int, tuple[Inode, str, bool]] = {}
        self._next = 3

    @property
    def descriptors(self) -> int:
        """How many files are open."""
        return len(self._open)

    def _enter(self, call: str, path: str) -> None:
        if call in _INTERRUPTED:
            if self._process.helping:
                self._let_others_go_on()
            elif self._process.beside and self._process.world.chance.random() < 0.1:
                # A helper does all that it has to do in the middle of what the loop does.
                self._process.world.chance.choice(self._process.beside)()
        self._process.call()
        for meddler in self._disk.meddlers:
            meddler.before(self._process, call, path)

    def _let_others_go_on(self) -> None:
        """Let some things happen in the middle of what a helper does."""
        process, world = self._process, self._process.world
        if world.chance.random() < 0.5:
            return
        process.helping = False
        until = world.elapsed + world.chance.choice((0.0001, 0.001, 0.05))
        for _ in range(world.chance.choice((1, 3, 20))):
            if not world.step(until):
                break
        process.helping = process.alive

    def _find(self, path: str) -> Inode:
        inode = self._disk.names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return inode

    def open(self, path: object, flags: int, mode: int = 0o777) -> int:  # type: ignore[override]
        name = str(path)
        self._enter("open", name)
        inode = self._disk.names.get(name)
        if inode is None:
            if not flags & _CREATE:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self._find(os.path.dirname(name))
            inode = self._disk.new(name, folder=False)
        elif flags & _NEW:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        descriptor, self._next = self._next, self._next + 1
        self._open[descriptor] = inode, name, bool(flags & _APPEND)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._enter("close", "")
        del self._open[descriptor]

    def write(self, descriptor: int, data: bytes) -> int:  # type: ignore[override]
        inode, name, appends = self._open[descriptor]
        self._enter("write", name)
        offset = len(inode.data) if appends else 0
        count = self._disk.room(inode, offset, len(data))
        self._disk.write(inode, offset, data[:count])
        return count

    def pwritev(self, descriptor: int, chunks: Sequence[bytes | memoryview], offset: int) -> int:
        inode, name, _ = self._open[descriptor]
        self._enter("pwritev", name)
        data = bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)
        count = self._disk.room(inode, offset, len(data))
        self._disk.write(inode, offset, data[:count] if count < len(data) else data)
        return count

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        inode, name, _ = self._open[descriptor]
        self._enter("pread", name)
        return bytes(memoryview(inode.data)[offset : offset + length])

    def fstat(self, descriptor: int) -> Status:  # type: ignore[override]
        inode, name, _ = self._open[descriptor]
        self._enter("fstat", name)
        return Status(inode)

    def lstat(self, path: object) -> Status:  # type: ignore[override]
        self._enter("lstat", str(path))
        return Status(self._find(str(path).rstrip("/")))

    def stat(self, path: object) -> Status:  # type: ignore[override]
        return self.lstat(path)

    def chmod(self, file: int | str, mode: int) -> None:  # type: ignore[override]
        inode, name = self._named(file)
        self._enter("chmod", name)
        inode.mode = mode

    def utime(self, file: int | str, *, ns: tuple[int, int]) -> None:  # type: ignore[override]
        inode, name = self._named(file)
        self._enter("utime", name)
        inode.mtime_ns, inode.hashed = ns[1], None

    def _named(self, file: int | str) -> tuple[Inode, str]:
        return self._open[file][:2] if isinstance(file, int) else (self._find(file), file)

    def unlink(self, path: str) -> None:  # type: ignore[override]
        self._enter("unlink", path)
        inode = self._find(path)
        self._disk.used -= len(inode.data)
        self._disk.change(((path, None),))

    def replace(self, source: str, target: str) -> None:  # type: ignore[override]
        self._enter("replace", target)
        inode, old = self._find(source), self._disk.names.get(target)
        if old is not None:
            if old.folder:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._disk.used -= len(old.data)
        self._find(os.path.dirname(target))
        self._disk.change(((source, None), (target, inode)))

    def truncate(self, path: str, size: int) -> None:  # type: ignore[override]
        self._enter("truncate", path)
        self._disk.cut(self._find(path), size)

    def ftruncate(self, descriptor: int, size: int) -> None:
        inode, name, _ = self._open[descriptor]
        self._enter("truncate", name)
        self._disk.cut(inode, size)

    def fsync(self, descriptor: int) -> None:  # type: ignore[override]
        inode, name, _ = self._open[descriptor]
        self._enter("fsync", name)
        self._disk.flush(inode, name)

    def syncfs(self, descriptor: int) -> bool | None:
        self._enter("syncfs", "")
        self._disk.flush_all()
        return True

    def makedirs(self, path: object, mode: int = 0o777, exist_ok: bool = False) -> None:
        name = str(path).rstrip("/")
        self._enter("mkdir", name)
        missing = []
        while name not in self._disk.names:
            missing.append(name)
            name = os.path.dirname(name)
        if not self._disk.names[name].folder:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        for each in reversed(missing):
            self._disk.new(each, folder=True)

    def rmdir(self, path: object) -> None:  # type: ignore[override]
        name = str(path)
        self._enter("rmdir", name)
        self._find(name)
        if any(os.path.dirname(other) == name for other in self._disk.names):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        self._disk.change(((name, None),))

    def listdir(self, path: object) -> list[str]:  # type: ignore[override]
        name = str(path)
        self._enter("listdir", name)
        self._find(name)
        prefix = name + "/"
        return [other[len(prefix) :] for other in self._disk.names if other.startswith(prefix) and "/" not in other[len(prefix) :]]

    def isdir(self, path: object) -> bool:
        inode = self._disk.names.get(str(path))
        return inode is not None and inode.folder

    def lexists(self, path: object) -> bool:
        self._enter("lstat", str(path))
        return str(path) in self._disk.names

    def realpath(self, path: str) -> str:
        return path.rstrip("/")

    def read_file(self, path: str, most: int = -1) -> bytes:
        self._enter("read", path)
        data = bytes(self._find(path).data)
        return data if most < 0 else data[:most]

    def positioned(self, portable: bool = False) -> Callable[[int], AtOffsets]:  # type: ignore[override]
        return lambda descriptor: AtOffsets(self, descriptor)

    def free(self, folder: str) -> int:
        return 1 << 50 if self._disk.capacity is None else max(0, self._disk.capacity - self._disk.used)

    def start(self, act: Callable[[], None], name: str) -> None:
        """Start no thread: there is but one here, and what is hashed while it is written is hashed when it is whole."""
        raise RuntimeError("can't start new thread")


class LookingSystem(SimulatedSystem):
    """What it is to somebody who only looks: what marscore would put right where it goes on, stays as it is."""

    def truncate(self, path: str, size: int) -> None:  # type: ignore[override]
        """Change nothing."""


class AtOffsets:
    """Implements `positioned.Positioned`."""

    def __init__(self, system: SimulatedSystem, descriptor: int) -> None:
        self._system = system
        self._fd = descriptor

    def write(self, chunks: Sequence[bytes | memoryview], offset: int) -> int:
        return self._system.pwritev(self._fd, chunks, offset)

    def read(self, length: int, offset: int) -> bytes:
        return self._system.pread(self._fd, length, offset)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        data = self._system.pread(self._fd, len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)

    def allocate(self, size: int) -> bool:
        return False
