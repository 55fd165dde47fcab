"""The records of what was unpacked, on the disk, and whether it still stands as they say.

    <output_dir>/.marscore/unpacked/KEY        what is in a folder       KEY = state.key_of(the folder's path)
    <output_dir>/.marscore/unpack/KEY.new      the same of one that is just about to be put there, and does not count yet

A file is known by size, time and inode; one of which only time or inode is another (a copied folder, a restored cache) by its content.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.measuring import Question, measure_all
from marscore.adapters.files.regular import read_file
from marscore.adapters.files.rename import identity_of
from marscore.errors import StorageError
from marscore.resolve.trees import Tree, decode, encode
from marscore.resolve.unpacking import FoundTree
from marscore.state import Claim, FileIdentity, Measured, key_of
from marscore.values import OWN_FOLDER

#: Whether a record of files that were copied or touched is brought up to date once they were proven.
Changes: TypeAlias = Literal["written", "none"]


class TreeRecords:
    """The records in an output folder."""

    def __init__(self, root: Path, changes: Changes = "written") -> None:
        self._root = root
        self._changes = changes
        self.staging = root / OWN_FOLDER / "unpack"
        self._standing = root / OWN_FOLDER / "unpacked"

    def staging_of(self, into: str) -> Path:
        """Where a folder is made that is to be put there."""
        return self.staging / key_of(into)

    def of(self, into: str) -> Tree | None:
        """What is recorded of a folder, whether it stands so or not; None where nothing is."""
        tree = _read(self._standing / key_of(into))
        return tree if tree is not None and tree.into == into else None

    def begun(self, into: str) -> Tree | None:
        """What was about to be put there by a run that was killed."""
        return _read(self._begun(into))

    def all(self) -> Iterator[Tree]:
        """Every record."""
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self._standing)):
                if (tree := _read(self._standing / name)) is not None:
                    yield tree

    def begin(self, tree: Tree) -> None:
        """Note what is about to be put in place.

        Raises:
            StorageError: it cannot be written.
        """
        _write(self._begun(tree.into), encode(tree))

    def finish(self, tree: Tree) -> None:
        """Let what was noted last count."""
        self._standing.mkdir(parents=True, exist_ok=True)
        self._begun(tree.into).replace(self._standing / key_of(tree.into))

    def doubt(self, into: str) -> None:
        """Let a record count no more, but for whose files these are."""
        with contextlib.suppress(FileNotFoundError), naming("cannot put the record of what was unpacked aside"):
            self.staging.mkdir(parents=True, exist_ok=True)
            (self._standing / key_of(into)).replace(self._begun(into))

    def _begun(self, into: str) -> Path:
        return self.staging / f"{key_of(into)}.new"

    def look(self, into: str, claim: Claim | None, check: Callable[[], None] = lambda: None) -> FoundTree:
        """Whether a folder stands as it is recorded; files that were copied or touched are hashed."""
        tree = self.of(into)
        if tree is None or os.path.lexists(self._begun(into)):
            return FoundTree("none" if tree is None else "changed", tree, claim)
        folder = self._root / into
        if not _links_stand(folder, tree):
            return FoundTree("changed", tree, claim)
        # As texts: there may be a hundred thousand.
        beginning = os.path.join(folder, "")
        found = [_identity(beginning + file.path) for file in tree.files]
        check()
        moved = [number for number, (file, there) in enumerate(zip(tree.files, found, strict=True)) if there != file.identity]
        if any(found[number] is None or found[number].size != tree.files[number].identity.size for number in moved):  # type: ignore[union-attr]
            return FoundTree("changed", tree, claim)
        if moved:
            return self._proven(tree, moved, claim, check)
        return FoundTree("whole", tree, claim)

    def _proven(self, tree: Tree, moved: list[int], claim: Claim | None, check: Callable[[], None]) -> FoundTree:
        files = list(tree.files)
        asked = [Question(f"{tree.into}/{files[number].path}", ("sha256",)) for number in moved]
        for number, answer in zip(moved, measure_all(Folder(self._root), asked, lambda files, count: check()), strict=True):
            if not isinstance(answer, Measured) or answer.digests["sha256"] != files[number].sha256:
                return FoundTree("changed", tree, claim)
            files[number] = replace(files[number], identity=answer.identity)
        known = replace(tree, files=tuple(files))
        if self._changes == "written":
            with contextlib.suppress(StorageError):
                _write(self._standing / key_of(tree.into), encode(known))
        return FoundTree("whole", known, claim)


def _links_stand(folder: Path, tree: Tree) -> bool:
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return False
        if any(os.readlink(folder / path) != target for path, target in tree.links):
            return False
        return all(stat.S_ISDIR((folder / path).lstat().st_mode) for path in tree.folders)
    except OSError:
        return False


def _identity(path: str) -> FileIdentity | None:
    try:
        return identity_of(os.lstat(path))
    except OSError:
        return None


def _read(path: Path) -> Tree | None:
    try:
        return decode(read_file(str(path)))
    except OSError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Write a file of ours whole, flushed, or not at all."""
    with naming("cannot write the record of what was unpacked"):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.tmp")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
