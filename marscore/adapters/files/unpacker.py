"""Unpacks archives that are in place: into a folder of marscore's own first, then, whole and flushed, to its place by one rename.

    archive --extraction--> .marscore/unpack/KEY --record begun--> exchanged with what is at `into` --> record counts
                                                                   what was there: ours goes, whatever else is there stays

Whose files are at the place, the records say (`tree_records`): those of earlier runs are replaced, also where they were changed. What no
run unpacked there is linked into the new folder first, so that it is in both at any moment; where it has a name that the archive needs, the
download fails. A run that is killed leaves a record that is begun and does not count: the next one unpacks again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from marscore.adapters.files import durability
from marscore.adapters.files.archive_entry import ArchiveError, TooLargeError
from marscore.adapters.files.attributes import giver
from marscore.adapters.files.exchange import Exchange
from marscore.adapters.files.extraction import Extracted, Extraction, Limits, Wanted
from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import OLD_READ, Folder
from marscore.adapters.files.haste import STOPPED, Haste
from marscore.adapters.files.put_away import remove_tree
from marscore.adapters.files.rename import identity_of
from marscore.adapters.files.system import SYSTEM
from marscore.adapters.files.tree_records import TreeRecords
from marscore.errors import StorageError
from marscore.ports import Unpacking
from marscore.resolve.archive_names import EscapeError, Names
from marscore.resolve.trees import Tree
from marscore.values import Failure, Unpacked


class Unpacker:
    """Implements `ports.Unpacker` on one output folder. `names` "windows" takes no links and fewer names, as that system does."""

    def __init__(
        self,
        root: Path,
        identity: tuple[int, int] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        names: Names = "posix" if os.name == "posix" else "windows",
    ) -> None:
        self._root = root
        self._folder = Folder(root, identity=identity)
        self._records = TreeRecords(root)
        self._limits = limits
        self._names = names

    def unpack(self, asked: Unpacking, wanted: Callable[[], bool]) -> Unpacked:
        """Unpack an archive, in place of what an earlier run unpacked there."""

        def check() -> None:
            if not wanted():
                raise StorageError(STOPPED)

        try:
            with naming("cannot unpack"):
                return self._unpack(asked, check, wanted)
        except EscapeError as error:
            raise StorageError(Failure("path", f"in the archive, {error}")) from None
        except TooLargeError as error:
            raise StorageError(Failure("too_large", f"the archive {error}")) from None
        except ArchiveError as error:
            if not asked.is_proven:
                # Nobody said that this is what the file should be: the next run fetches it again.
                self._folder.forget_partial(asked.path)
            raise StorageError(Failure("archive", f"the archive {error}")) from None

    def _unpack(self, asked: Unpacking, check: Callable[[], None], wanted: Callable[[], bool]) -> Unpacked:
        place = Path(self._folder.place(asked.into))
        staging = self._records.staging_of(asked.into)
        swap = Exchange(self._records, asked.into, place, Haste(wanted))
        swap.recover()
        try:
            remove_tree(staging, wanted)
            check()
            staging.mkdir(parents=True)
            found = self._extracted(asked, str(staging), check)
            tree = _tree_of(asked, found)
            check()
            carried = swap.carry_strangers()
            _flush(staging, found, carried, check)
            check()
            swap.put(tree)
        except BaseException:
            remove_tree(staging, wanted)
            raise
        return tree.told

    def _extracted(self, asked: Unpacking, staging: str, check: Callable[[], None]) -> Extracted:
        with _opened(self._folder.place(asked.path)) as archive:
            self._demand_same(asked, archive)
            tools = (giver(SYSTEM, self._names == "windows"), self._limits, self._names)
            found = Extraction(staging, Wanted(asked.strip, asked.only), tools, check).extract(archive, asked.archive.identity.size)
            self._demand_same(asked, archive)
        return found

    def _demand_same(self, asked: Unpacking, archive: IO[bytes]) -> None:
        if identity_of(os.fstat(archive.fileno())) != asked.archive.identity:
            raise StorageError(Failure("path", "the archive changed after it was verified"))


def _opened(path: str) -> IO[bytes]:
    return os.fdopen(os.open(path, OLD_READ), "rb")


def _tree_of(asked: Unpacking, found: Extracted) -> Tree:
    files = tuple(found.files[path] for path in sorted(found.files))
    links = tuple(("/".join(path), found.links[path]) for path in sorted(found.links))
    folders = tuple("/".join(path) for path in sorted(found.folders))
    return Tree(asked.into, asked.path, asked.archive, asked.strip, asked.only, files, links, folders, asked.stays)


def _flush(staging: Path, found: Extracted, carried: Sequence[str], check: Callable[[], None]) -> None:
    """Make sure of all files before any record speaks of them, and of the names of what was carried before it loses its old ones."""
    paths = [file.path for file in found.files.values()]
    check()
    if not durability.flush(staging, paths or [""], names=carried):
        raise StorageError(Failure("path", "what was unpacked could not be flushed to the disk"))
