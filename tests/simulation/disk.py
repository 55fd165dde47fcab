"""A disk in memory: what the machine has written, and what of it is certain.

The real adapters run on it: output folder, partial files, journals, renames, flushing. So what is simulated ends at the calls of the
system (`system`). A process that dies leaves all that it wrote; a power cut takes any part of what was not flushed: names one by one, a
rename as one, and of the content any writes, whole or torn, with or without the length.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections import deque
from typing import Protocol

from tests.simulation.world import Process, World

#: Effects of one change of names: path and inode, None for one that goes.
_Effects = tuple[tuple[str, "Inode | None"], ...]


class Inode:
    """A file or a folder. `certain` is what the disk holds for sure, and `pending` what was done since."""

    __slots__ = ("certain", "data", "folder", "hashed", "mode", "mtime_ns", "number", "pending")

    def __init__(self, number: int, folder: bool, mtime_ns: int) -> None:
        self.number = number
        self.folder = folder
        self.mtime_ns = mtime_ns
        self.mode = 0o755
        self.data = bytearray()
        self.certain = b""
        self.pending: list[tuple[int, bytes | None]] = []
        self.hashed: tuple[int, str] | None = None

    @property
    def sha256(self) -> str:
        """The digest of its content; made once, since all that changes it changes its time."""
        if self.hashed is None or self.hashed[0] != self.mtime_ns:
            self.hashed = self.mtime_ns, hashlib.sha256(self.data).hexdigest()
        return self.hashed[1]


class _Change:
    """A change of names, and whether the disk has it for sure."""

    __slots__ = ("certain", "effects")

    def __init__(self, effects: _Effects) -> None:
        self.effects = effects
        self.certain = False


class Meddler(Protocol):
    """A fault of the disk: asked before each call, it may raise OSError or let time pass. Of a write it may take less."""

    def before(self, process: Process, call: str, path: str) -> None: ...

    def room(self, count: int) -> int: ...


class Disk:
    """The machine's disk. `remembers` makes it keep what it needs for a power cut."""

    def __init__(self, world: World, root: str, remembers: bool = True, capacity: int | None = None) -> None:
        self.world = world
        self.root = root
        self.capacity = capacity
        self.remembers = remembers
        self.meddlers: list[Meddler] = []
        self.used = 0
        self._made = 1
        self._times = 0
        top = Inode(1, True, 0)
        self.names: dict[str, Inode] = {root: top}
        self._certain_names: dict[str, Inode] = {root: top}
        self._changes: deque[_Change] = deque()

    # What is there

    def files(self) -> dict[str, Inode]:
        """The files below the root, without what marscore keeps for itself, by their paths."""
        own, prefix = self.root + "/.marscore/", self.root + "/"
        return {
            path[len(prefix) :]: inode
            for path, inode in self.names.items()
            if not inode.folder and path.startswith(prefix) and not path.startswith(own)
        }

    def own_files(self) -> list[str]:
        """The files that marscore keeps for itself."""
        return [path for path, inode in self.names.items() if not inode.folder and path.startswith(self.root + "/.marscore/")]

    # What the system does

    def new(self, path: str, folder: bool) -> Inode:
        self._made += 1
        inode = Inode(self._made, folder, self._time())
        self.change(((path, inode),))
        return inode

    def change(self, change: _Effects) -> None:
        for path, inode in change:
            if inode is None:
                del self.names[path]
            else:
                self.names[path] = inode
        if self.remembers:
            self._changes.append(_Change(change))

    def write(self, inode: Inode, offset: int, data: bytes) -> None:
        content = inode.data
        end = offset + len(data)
        grown = max(0, end - len(content))
        self.used += grown
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset:end] = data
        if self.remembers:
            inode.pending.append((offset, data))
        inode.mtime_ns = self._time()

    def cut(self, inode: Inode, size: int) -> None:
        self.used -= len(inode.data) - size
        if size < len(inode.data):
            del inode.data[size:]
        else:
            inode.data.extend(bytes(size - len(inode.data)))
        if self.remembers:
            inode.pending.append((size, None))
        inode.mtime_ns = self._time()

    def room(self, inode: Inode, offset: int, count: int) -> int:
        """How many of these bytes there is room for.

        Raises:
            OSError: for none.
        """
        for meddler in self.meddlers:
            count = meddler.room(count)
        if self.capacity is None:
            return count
        free = self.capacity - self.used
        beyond = max(0, offset + count - len(inode.data))
        if beyond <= free:
            return count
        fits = count - (beyond - max(0, free))
        if fits <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fits

    def flush(self, inode: Inode, path: str) -> None:
        """Make sure of a file's content, or of a folder's names."""
        if not inode.folder:
            if inode.pending:
                inode.certain, inode.pending = bytes(inode.data), []
            return
        for change in self._changes:
            change.certain = change.certain or any(os.path.dirname(name) == path for name, _ in change.effects)
        # What comes behind one that may be lost, is done behind it.
        while self._changes and self._changes[0].certain:
            _apply(self._certain_names, self._changes.popleft().effects)

    def flush_all(self) -> None:
        """Make sure of everything."""
        self._certain_names, self._changes = dict(self.names), deque()
        for inode in self.names.values():
            if inode.pending:
                inode.certain, inode.pending = bytes(inode.data), []

    # What a power cut leaves

    def lose(self, chance: random.Random) -> None:
        """Go on with what is certain, and any part of the rest."""
        share, names_share = chance.choice((0.0, 0.0, 0.5, 0.9, 1.0)), chance.choice((0.0, 0.5, 1.0, 1.0))
        lengths_stay = chance.random() < 0.5
        names = dict(self._certain_names)
        for change in self._changes:
            if change.certain or chance.random() < names_share:
                _apply(names, change.effects)
        # Of the folders those can be reached whose own folders are there.
        for path in sorted(names, key=len):
            parent = os.path.dirname(path)
            if path != self.root and (parent not in names or not names[parent].folder):
                del names[path]
        for inode in {id(inode): inode for inode in names.values()}.values():
            if inode.pending:
                inode.data = _survived(inode, chance, share, lengths_stay)
                # The worst that a file system does: the times are those of bytes that are lost.
                inode.hashed = None
                inode.certain, inode.pending = bytes(inode.data), []
        self.names, self._certain_names, self._changes = names, dict(names), deque()
        self.used = sum(len(inode.data) for inode in names.values())

    def _time(self) -> int:
        self._times += 1
        return int(self.world.now() * 1e9) + self._times


def _apply(names: dict[str, Inode], change: _Effects) -> None:
    for path, inode in change:
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _survived(inode: Inode, chance: random.Random, share: float, lengths_stay: bool) -> bytearray:
    content = bytearray(inode.certain)
    for offset, data in inode.pending:
        kept = chance.random() < share
        if data is None:
            if kept:
                del content[offset:]
                content.extend(bytes(offset - len(content)))
            continue
        some = data if kept else data[: chance.randrange(len(data) + 1)] if share and chance.random() < share else b""
        end = offset + (len(data) if lengths_stay else len(some))
        if some or lengths_stay:
            content.extend(bytes(max(0, end - len(content))))
        content[offset : offset + len(some)] = some
    return content
