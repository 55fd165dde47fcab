"""The paths of millions of downloads, of which no more is kept than that they are taken: a hash of 64 bits each.

Two paths with one hash count as one: the later download fails then, by name, and no file is harmed. Of ten million downloads that happens
in one run of a hundred thousand; the hashes are other ones in each process.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from marscore.manifest.output import collision_key
from marscore.resolve.paths import Taken

#: A table is made twice as large when so much of it is in use.
_FULL = 0.75
#: Folders of which it is remembered by name that they are known.
_RECENT = 50_000
_OTHER = "another download"


class HashSet:
    """Whole numbers of 64 bits but 0, in eleven to twenty-two bytes each. Of two that differ in the last bit alone it holds one."""

    def __init__(self) -> None:
        self._slots = 1 << 12
        self._table = array("q", bytes(8 * self._slots))
        self._count = 0

    def find(self, value: int) -> int:
        """This one or the other of its pair, whichever is there; 0: neither."""
        table, mask, either = self._table, self._slots - 1, value | 1
        at = (value >> 1) & mask
        while (known := table[at]) and known | 1 != either:
            at = (at + 1) & mask
        return known

    def add(self, value: int) -> int:
        """Add one where `find` finds neither; returns what that finds."""
        table, mask, either = self._table, self._slots - 1, value | 1
        at = (value >> 1) & mask
        while known := table[at]:
            if known | 1 == either:
                return known
            at = (at + 1) & mask
        table[at] = value
        self._count += 1
        if self._count > _FULL * self._slots:
            self._grow()
        return 0

    def _grow(self) -> None:
        old, self._slots = self._table, 2 * self._slots
        table, mask = array("q", bytes(8 * self._slots)), self._slots - 1
        for value in old:
            if value:
                at = (value >> 1) & mask
                while table[at]:
                    at = (at + 1) & mask
                table[at] = value
        self._table = table


class HashedOutputs:
    """Remembers which paths are taken, as `paths.Outputs` does, and not by which download. Nothing is unpacked here.

    `named` are paths that something else is written to, and what that is.
    """

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = {collision_key(path): what for path, what in named.items()}
        self._known = HashSet()
        self._recent: set[str] = set()

    def claim(self, path: str, owner: str) -> Taken | None:
        """Take a path for a download; None, or what stands in the way."""
        key = collision_key(path)
        if key in self._named:
            return Taken(f"the same file as {self._named[key]}", _OTHER)
        parent = key.rpartition("/")[0]
        if parent and parent not in self._recent and self._is_below_a_file(parent):
            return Taken(f"inside of what is a file of {_OTHER}", _OTHER)
        file = _hash_of(key) | 1
        if there := self._known.add(file):
            return Taken(f"the same file as {_OTHER}" if there == file else f"a file where {_OTHER} needs a folder", _OTHER)
        if parent and parent not in self._recent:
            self._take_folders(parent)
        return None

    def claim_tree(self, into: str, owner: str) -> Taken | None:
        """Nothing is unpacked of lists that are read while the run goes on."""
        raise AssertionError("such a list is read before the run begins")

    def _is_below_a_file(self, folder: str) -> bool:
        while folder:
            if there := self._known.find(_hash_of(folder)):
                # A folder was looked at when it became one, and no file can have taken its place since.
                return there & 1 == 1
            folder = folder.rpartition("/")[0]
        return False

    def _take_folders(self, folder: str) -> None:
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent.add(folder)
        while folder and not self._known.add(_hash_of(folder)):
            folder = folder.rpartition("/")[0]


def _hash_of(key: str) -> int:
    """An even number; the odd one beside it is that of a file."""
    return (hash(key) & ~1) or 2
