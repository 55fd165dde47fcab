"""What a disk may hold after a power cut, given what a process did and which of it was flushed.

Bytes of a file are certain after a sync of that file, names of a folder after a sync of that folder, everything after a syncfs. Whatever is
not certain may have been kept or lost, each 4 KiB of a write and each name by itself, in any order; a rename is kept or lost as one, and
what moves a folder that was moved before is kept only together with that. A file whose bytes were lost may have kept its length, and reads
as zeros then. SQLite's own files are subject to the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

_PAGE = 4096
#: The number of the recorded folder itself.
ROOT = 0

#: Whether an operation that was not flushed was kept all the same.
Kept = Callable[["Operation"], bool]
#: A name in a folder, by the folder's number, and what has it from then on: the number of a file or a folder, or nothing.
Entry: TypeAlias = tuple[int, str]
Effect: TypeAlias = tuple[Entry, int | None]


@dataclass(frozen=True)
class Operation:
    """One thing done. `inode` is that of the file, or the number of the folder; `paths` those that it was done to, relative to the root.

    `effects` are what it does to names. A folder's number is below 1 and never another's, since a system gives inodes again.
    """

    number: int
    kind: Literal["write", "cut", "time", "name", "rename", "remove", "sync", "syncfs"]
    inode: int = 0
    mtime_ns: int = 0
    offset: int = 0
    data: bytes = b""
    paths: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def is_of_data(self) -> bool:
        """Whether it is about the content of a file, or when that changed."""
        return self.kind in ("write", "cut", "time")

    @property
    def is_of_names(self) -> bool:
        """Whether it is about the entries of folders."""
        return self.kind in ("name", "rename", "remove")

    @property
    def moves_a_folder(self) -> bool:
        """Whether a folder gets a name by it."""
        return any(inode is not None and inode <= ROOT for _, inode in self.effects)


def read_record(path: Path, root: Path) -> list[Operation]:
    """Read what recorder.c wrote. What is done to a file without a name leaves nothing, and its inode may become another's."""
    reader = _Reader(path.read_bytes(), f"{root}/", _Names(root.stat().st_ino))
    return [replace(operation, number=number) for number, operation in enumerate(reader.operations())]


class _Names:
    """Who has which name while the record is read."""

    def __init__(self, root: int) -> None:
        self._entries: dict[Entry, int] = {}
        #: Inodes of the folders that are there -> their numbers.
        self._folders = {root: ROOT}
        self._made = 0

    def find(self, path: str) -> Entry:
        """The entry that a path is."""
        *above, name = path.split("/")
        folder = ROOT
        for each in above:
            folder = self._entries[folder, each]
        return folder, name

    def has(self, inode: int) -> bool:
        """Whether a file has a name."""
        return inode in self._entries.values()

    def folder(self, inode: int) -> int | None:
        """The number of the folder that has this inode now, if there is one."""
        return self._folders.get(inode)

    def of(self, path: str) -> int | None:
        """What has a name now."""
        return self._entries.get(self.find(path))

    def make_folder(self, inode: int) -> int:
        """Number a new folder."""
        self._made -= 1
        self._folders[inode] = self._made
        return self._made

    def changed(self, *effects: Effect) -> tuple[Effect, ...]:
        """Let these take place, and return them."""
        for entry, inode in effects:
            self._entries.pop(entry, None)
            if inode is not None:
                self._entries[entry] = inode
        there = {ROOT, *self._entries.values()}
        self._folders = {held: number for held, number in self._folders.items() if number in there}
        return effects


class _Reader:
    def __init__(self, data: bytes, root: str, names: _Names) -> None:
        self._data = data
        self._at = 0
        self._root = root
        self._names = names

    def operations(self) -> Iterator[Operation]:
        while self._at < len(self._data):
            kind, _, rest = self._line().partition(" ")
            yield from self._of_data(kind, rest) if kind in ("write", "cut", "time") else self._of_names(kind, rest)

    def _of_data(self, kind: str, rest: str) -> Iterator[Operation]:
        inode, mtime, *more = map(int, rest.split())
        data = b""
        if kind == "write":
            data, self._at = self._data[self._at : self._at + more[1]], self._at + more[1]
        if not self._names.has(inode):
            return
        if kind == "write":
            for page in _pages(data, more[0]):
                yield Operation(0, "write", inode, mtime, *page)
        elif kind == "cut":
            yield Operation(0, "cut", inode, mtime, more[0])
        else:
            yield Operation(0, "time", inode, mtime)

    def _of_names(self, kind: str, rest: str) -> Iterator[Operation]:
        names = self._names
        match kind, rest.split(" ", 1):
            case "sync", _:
                folder = names.folder(int(rest))
                yield Operation(0, "sync", int(rest) if folder is None else folder)
            case "syncfs", _:
                yield Operation(0, "syncfs")
            case (("rename" | "exchange"), _):
                source, target = self._path(rest), self._path(self._line())
                moved, replaced = names.of(source), names.of(target) if kind == "exchange" else None
                effects = names.changed((names.find(source), replaced), (names.find(target), moved))
                yield Operation(0, "rename", paths=(source, target), effects=effects)
            case (("open" | "link" | "mkdir"), [inode_text, path]):
                inode, path = int(inode_text), self._path(path)
                inode = names.make_folder(inode) if kind == "mkdir" else inode
                yield Operation(0, "name", inode, paths=(path,), effects=names.changed((names.find(path), inode)))
            case (("unlink" | "rmdir"), _):
                path = self._path(rest)
                yield Operation(0, "remove", paths=(path,), effects=names.changed((names.find(path), None)))
            case _:
                raise ValueError(f"no such record: {kind} {rest}")

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at)
        line, self._at = self._data[self._at : end].decode(), end + 1
        return line

    def _path(self, path: str) -> str:
        return path.removeprefix(self._root)


def _pages(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        end = min(len(data), start + _PAGE - (offset + start) % _PAGE)
        yield offset + start, data[start:end]
        start = end


class Disk:
    """A disk under the recorded operations. `settled` of them are certain from the start."""

    def __init__(self, operations: Sequence[Operation], settled: int = 0) -> None:
        self.operations = operations
        self._settled = settled
        self._needs = self._follow()

    def _follow(self) -> list[set[int]]:
        """The earlier operations that each one needs: those that last gave a folder the names that it is moved from or to."""
        last: dict[Entry, int] = {}
        needs: list[set[int]] = []
        for op in self.operations:
            needs.append({last[entry] for entry, _ in op.effects if entry in last} if op.moves_a_folder else set())
            last.update({entry: op.number for entry, _ in op.effects})
        return needs

    def certain(self, cut: int) -> set[int]:
        """The numbers of the operations before `cut` that the disk has for certain."""
        certain = set(range(min(self._settled, cut)))
        for op in self.operations[self._settled : cut]:
            if op.kind == "syncfs":
                certain |= set(range(op.number))
            elif op.kind == "sync":
                certain |= {o.number for o in self.operations[: op.number] if _is_flushed_by(o, op.inode)}
        return certain

    def after(self, cut: int, kept: Kept, lengths_stay: bool) -> Survivors:
        """What is there after a power cut before the operation `cut`."""
        there = self.certain(cut)
        survivors = Survivors({}, {}, {})
        for op in self.operations[:cut]:
            if op.number not in there and self._needs[op.number] <= there and kept(op):
                there.add(op.number)
            if op.is_of_names and op.number in there:
                survivors.enter(op.effects)
            elif op.is_of_data:
                survivors.change(op, op.number in there, lengths_stay)
        survivors.reach()
        return survivors


def _is_flushed_by(op: Operation, inode: int) -> bool:
    if op.is_of_data:
        return op.inode == inode
    return any(folder == inode for (folder, _), _ in op.effects)


class Survivors:
    """What the disk holds: entries, contents by inode, and the last known times of change."""

    def __init__(self, entries: dict[Entry, int], contents: dict[int, bytearray], mtimes: dict[int, int]) -> None:
        self.entries = entries
        self.contents = contents
        self.mtimes = mtimes
        self.folders: set[str] = set()
        #: Files that can be reached: path -> inode.
        self.inodes: dict[str, int] = {}

    def enter(self, effects: Sequence[Effect]) -> None:
        for entry, inode in effects:
            self.entries.pop(entry, None)
            if inode is not None:
                self.entries[entry] = inode

    def change(self, op: Operation, there: bool, length_stays: bool) -> None:
        content = self.contents.setdefault(op.inode, bytearray())
        # The worst that a file system does: the times are those of bytes that are lost.
        self.mtimes[op.inode] = op.mtime_ns
        end = op.offset + len(op.data)
        if op.kind == "cut" and (there or length_stays):
            del content[op.offset :]
        if there or length_stays:
            content.extend(bytes(max(0, end - len(content))))
        if there and op.kind == "write":
            content[op.offset : end] = op.data

    def reach(self) -> None:
        """Go through the folders from the root on. SQLite's shared memory lived in memory, and is none."""
        below: dict[int, list[tuple[str, int]]] = {}
        for (folder, name), inode in self.entries.items():
            below.setdefault(folder, []).append((name, inode))
        ahead = [("", ROOT)]
        while ahead:
            above, folder = ahead.pop()
            for name, inode in below.get(folder, ()):
                if inode < ROOT:
                    self.folders.add(above + name)
                    ahead.append((f"{above}{name}/", inode))
                elif not name.endswith("-shm"):
                    self.inodes[above + name] = inode

    def files(self) -> dict[str, bytes]:
        """What can be reached: path -> content."""
        return {path: bytes(self.contents.get(inode, b"")) for path, inode in self.inodes.items()}

    def fingerprint(self) -> int:
        """The same for disks between which no program could tell."""
        times = {path: self.mtimes.get(inode) for path, inode in self.inodes.items()}
        return hash((frozenset(self.files().items()), frozenset(times.items()), frozenset(self.folders)))

    def restore(self, folder: Path, keep: Path) -> None:
        """Build the folder, its files under the inode numbers that they had."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in sorted(self.folders):
            (folder / path).mkdir(parents=True, exist_ok=True)
        for path, content in self.files().items():
            target = folder / path
            if target.name.startswith("state.db"):
                # Copied, since SQLite frowns on a database with two names.
                target.write_bytes(content)
            else:
                kept = keep / str(self.inodes[path])
                kept.chmod(0o644)
                kept.write_bytes(content)
                os.utime(kept, ns=(0, self.mtimes.get(self.inodes[path], 0)))
                target.hardlink_to(kept)
