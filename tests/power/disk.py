"""What a disk may hold after a power cut, given what a process did and which of it was flushed.

Bytes of a file are certain after a sync of that file, names of a folder after a sync of that folder, everything after a syncfs. Whatever is
not certain may have been kept or lost, each 4 KiB of a write and each name by itself, in any order; a rename is kept or lost as one. A file
whose bytes were lost may have kept its length, and reads as zeros then. SQLite's own files are subject to the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

_PAGE = 4096

#: Whether an operation that was not flushed was kept all the same.
Kept = Callable[["Operation"], bool]


@dataclass(frozen=True)
class Operation:
    """One thing done. `inode` is that of the file or the folder made; `paths` those whose entry changes, relative to the root."""

    number: int
    kind: Literal["write", "cut", "time", "name", "rename", "remove", "sync", "syncfs"]
    inode: int = 0
    mtime_ns: int = 0
    offset: int = 0
    data: bytes = b""
    paths: tuple[str, ...] = ()
    folder: bool = False

    @property
    def is_of_data(self) -> bool:
        """Whether it is about the content of a file, or when that changed."""
        return self.kind in ("write", "cut", "time")

    @property
    def is_of_names(self) -> bool:
        """Whether it is about the entries of folders."""
        return self.kind in ("name", "rename", "remove")


def read_record(path: Path, root: Path) -> list[Operation]:
    """Read what recorder.c wrote. What is done to a file without a name leaves nothing, and its inode may become another's."""
    reader = _Reader(path.read_bytes(), f"{root}/")
    return [replace(operation, number=number) for number, operation in enumerate(_of_named(reader.operations()))]


def _of_named(operations: Iterable[Operation]) -> Iterator[Operation]:
    inodes: dict[str, int] = {}
    for operation in operations:
        if operation.kind == "name":
            inodes[operation.paths[0]] = operation.inode
        elif operation.kind == "rename":
            source, target = operation.paths
            if source in inodes:
                inodes[target] = inodes.pop(source)
        elif operation.kind == "remove":
            inodes.pop(operation.paths[0], None)
        elif operation.is_of_data and operation.inode not in inodes.values():
            continue
        yield operation


class _Reader:
    def __init__(self, data: bytes, root: str) -> None:
        self._data = data
        self._at = 0
        self._root = root
        self._count = 0

    def operations(self) -> Iterator[Operation]:
        while self._at < len(self._data):
            kind, _, rest = self._line().partition(" ")
            yield from self._one(kind, rest)

    def _one(self, kind: str, rest: str) -> Iterator[Operation]:  # noqa: C901 - one case for each kind of record
        match kind, rest.split(" ", 1):
            case "write", _:
                inode, mtime, offset, length = map(int, rest.split())
                data, self._at = self._data[self._at : self._at + length], self._at + length
                for page in _pages(data, offset):
                    yield Operation(self._next(), "write", inode, mtime, *page)
            case "cut", _:
                inode, mtime, size = map(int, rest.split())
                yield Operation(self._next(), "cut", inode, mtime, size)
            case "time", _:
                yield Operation(self._next(), "time", *map(int, rest.split()))
            case "sync", _:
                yield Operation(self._next(), "sync", int(rest))
            case "syncfs", _:
                yield Operation(self._next(), "syncfs")
            case "rename", _:
                yield Operation(self._next(), "rename", paths=(self._path(rest), self._path(self._line())))
            case (("open" | "mkdir"), [inode_text, path]):
                yield Operation(self._next(), "name", int(inode_text), paths=(self._path(path),), folder=kind == "mkdir")
            case (("unlink" | "rmdir"), _):
                yield Operation(self._next(), "remove", paths=(self._path(rest),))
            case _:
                raise ValueError(f"no such record: {kind} {rest}")

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at)
        line, self._at = self._data[self._at : end].decode(), end + 1
        return line

    def _path(self, path: str) -> str:
        return path.removeprefix(self._root)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def _pages(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        end = min(len(data), start + _PAGE - (offset + start) % _PAGE)
        yield offset + start, data[start:end]
        start = end


class Disk:
    """A disk under the recorded operations. `settled` of them are certain from the start; `root` is the inode of the folder itself."""

    def __init__(self, operations: Sequence[Operation], root: int, settled: int = 0) -> None:
        self.operations = operations
        self._settled = settled
        self._root = root
        self._effects = self._follow()
        #: Paths with their inodes: one that was removed and made again may have another.
        self._folders = {("", root)} | {(op.paths[0], op.inode) for op in operations if op.folder}

    def _follow(self) -> list[list[tuple[str, int | None]]]:
        """What each operation does to the entries: path -> inode, None for an entry that goes."""
        entries: dict[str, int] = {}
        effects: list[list[tuple[str, int | None]]] = []
        for op in self.operations:
            effect: list[tuple[str, int | None]] = []
            if op.kind == "name":
                effect = [(op.paths[0], op.inode)]
            elif op.kind == "remove":
                effect = [(op.paths[0], None)]
            elif op.kind == "rename":
                effect = [(op.paths[0], None), (op.paths[1], entries[op.paths[0]])]
            for path, inode in effect:
                entries.pop(path, None)
                if inode is not None:
                    entries[path] = inode
            effects.append(effect)
        return effects

    def certain(self, cut: int) -> set[int]:
        """The numbers of the operations before `cut` that the disk has for certain."""
        certain = set(range(min(self._settled, cut)))
        for op in self.operations[self._settled : cut]:
            if op.kind == "syncfs":
                certain |= set(range(op.number))
            elif op.kind == "sync":
                certain |= {o.number for o in self.operations[: op.number] if self._is_flushed_by(o, op.inode)}
        return certain

    def _is_flushed_by(self, op: Operation, inode: int) -> bool:
        if op.is_of_data:
            return op.inode == inode
        return op.is_of_names and any((str(Path(path).parent).removeprefix("."), inode) in self._folders for path in op.paths)

    def after(self, cut: int, kept: Kept, lengths_stay: bool) -> Survivors:
        """What is there after a power cut before the operation `cut`."""
        certain = self.certain(cut)
        survivors = Survivors({}, {}, {})
        for op, effect in zip(self.operations[:cut], self._effects[:cut], strict=True):
            there = op.number in certain or kept(op)
            if op.is_of_names and there:
                survivors.enter(effect)
            elif op.is_of_data:
                survivors.change(op, there, lengths_stay)
        survivors.prune({path for path, inode in survivors.entries.items() if (path, inode) in self._folders})
        return survivors


class Survivors:
    """What the disk holds: entries, contents by inode, and the last known times of change."""

    def __init__(self, entries: dict[str, int], contents: dict[int, bytearray], mtimes: dict[int, int]) -> None:
        self.entries = entries
        self.contents = contents
        self.mtimes = mtimes
        self.folders: set[str] = set()

    def enter(self, effect: list[tuple[str, int | None]]) -> None:
        for path, inode in effect:
            self.entries.pop(path, None)
            if inode is not None:
                self.entries[path] = inode

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

    def prune(self, folders: set[str]) -> None:
        """Of these folders those can be reached whose own folders are there."""
        self.folders = {path for path in folders if {str(parent) for parent in Path(path).parents} - {"."} <= folders}

    def files(self) -> dict[str, bytes]:
        """What can be reached: path -> content. SQLite's shared memory lived in memory, and is none."""
        reached = {}
        for path, inode in self.entries.items():
            parents = {str(parent) for parent in Path(path).parents} - {"."}
            if parents <= self.folders and path not in self.folders and not path.endswith("-shm"):
                reached[path] = bytes(self.contents.get(inode, b""))
        return reached

    def fingerprint(self) -> int:
        """The same for disks between which no program could tell."""
        times = {path: self.mtimes.get(self.entries[path]) for path in self.files()}
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
                inode = self.entries[path]
                (keep / str(inode)).write_bytes(content)
                os.utime(keep / str(inode), ns=(0, self.mtimes.get(inode, 0)))
                target.hardlink_to(keep / str(inode))
