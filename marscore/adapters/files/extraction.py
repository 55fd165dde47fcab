"""Writes the entries of an archive below an empty folder: names and links proven first, everything counted while it is written.

    archive --archives.read_archive--> entries --resolve.archive_names--> files and folders, then hard links, then symbolic links

Links come last, when nothing more is written: so no file is ever written through one. No call here follows one either.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from collections.abc import Callable
from dataclasses import field
from typing import IO

from marscore.adapters.files.archive_entry import Entry, Kind, TooLargeError
from marscore.adapters.files.archives import read_archive
from marscore.adapters.files.attributes import Give
from marscore.adapters.files.rename import identity_of
from marscore.adapters.files.system import NEW
from marscore.frozen import dataclass
from marscore.resolve.archive_names import EscapeError, Links, Names, Parts, as_written, chosen, folded, mode_of, parts_of, stripped
from marscore.resolve.trees import TreeFile
from marscore.state import Attributes
from marscore.values import format_size

#: Bytes after which what was written is flushed, so that no stop has to wait for more.
_FLUSH_EVERY = 64 * 1024 * 1024
#: Letters of a name from an archive that are shown.
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold at most: entries, bytes, and so many times its own size, where it has more than `floor` bytes."""

    entries: int = 100_000
    bytes: int = 50 * 1024**3
    ratio: int = 200
    floor: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of an archive: without the first `strip` parts of names, and only what these globs name, if there are any."""

    strip: int = 0
    only: tuple[str, ...] = ()


@dataclass(slots=True)
class Extracted:
    """What was written."""

    files: dict[Parts, TreeFile] = field(default_factory=dict)
    links: dict[Parts, str] = field(default_factory=dict)
    folders: set[Parts] = field(default_factory=set)


class Extraction:
    """One archive on its way into a folder. `check` is called often, and may raise to end it."""

    def __init__(self, folder: str, wanted: Wanted, tools: tuple[Give, Limits, Names], check: Callable[[], None]) -> None:
        self._folder = folder
        self._wanted = wanted
        self._give, self._limits, self._names = tools
        self._check = check
        self._found = Extracted()
        self._hard: dict[Parts, Parts] = {}
        #: By the names that they have in the archive.
        self._not_wanted: set[Parts] = set()
        self._entries = self._written = self._decompressed = self._unflushed = 0
        self._most = 0

    def extract(self, archive: IO[bytes], size: int) -> Extracted:
        """Write all that is wanted of an archive of so many bytes.

        Raises:
            ArchiveError: it cannot be read to its end.
            EscapeError: an entry may not be in the folder.
            TooLargeError: it holds more than it may.
            OSError: the system is in the way.
        """
        limits = self._limits
        self._most = min(limits.bytes, max(limits.floor, limits.ratio * size))
        for entry in read_archive(archive, limits.entries, self._watch):
            self._check()
            self._entries += 1
            if self._entries > limits.entries:
                raise TooLargeError(f"has more than {limits.entries:,} entries")
            self._take(entry)
        self._make_links()
        return self._found

    def _watch(self, count: int) -> None:
        """Count what was decompressed, wanted or not."""
        self._check()
        self._decompressed += count
        self._refuse_more(self._decompressed)

    def _refuse_more(self, count: int) -> None:
        # What heads and padding of a tar take is not what its files do.
        if count > self._most + 1024 * self._entries + 64 * 1024:
            limits = self._limits
            what = format_size(limits.bytes) if self._most == limits.bytes else f"{limits.ratio} times its own size"
            raise TooLargeError(f"holds more than {what}")

    def _take(self, entry: Entry) -> None:
        try:
            named = parts_of(entry.name, self._names)
            if entry.kind == "other":
                raise EscapeError("is neither file, folder nor link")
            path = stripped(named, self._wanted.strip)
            if path is not None and (not self._wanted.only or chosen(named, self._wanted.only)):
                self._second_look(entry)
                self._put(entry, path)
            elif entry.kind in ("file", "hardlink"):
                self._not_wanted.add(named)
        except EscapeError as error:
            raise EscapeError(f"{_shown(entry.name)} {error}") from None

    def _second_look(self, entry: Entry) -> None:
        """Let Python's own filter look too, where it has one (PEP 706)."""
        look = getattr(tarfile, "data_filter", None)
        if look is None or entry.member is None or entry.kind in ("symlink", "hardlink"):
            # Those are judged when all are known, and after `strip`.
            return
        try:
            look(entry.member, self._folder)
        except tarfile.TarError as error:
            raise EscapeError(f"is refused: {error}") from None

    def _put(self, entry: Entry, path: Parts) -> None:
        self._make_way(path, entry.kind)
        if entry.kind == "folder":
            self._make_folder(path)
            return
        self._make_folder(path[:-1])
        if entry.kind == "file":
            self._write(entry, path)
        elif self._names == "windows":
            raise EscapeError("is a link, which this system does not have")
        elif entry.kind == "symlink":
            self._found.links[path] = entry.target
        else:
            self._hard[path] = self._linked(parts_of(entry.target, self._names))

    def _linked(self, named: Parts) -> Parts:
        """The file that a hard link leads to, by the name that it has in the archive."""
        target = stripped(named, self._wanted.strip)
        if target is not None and target in self._found.files:
            return target
        if named in self._not_wanted:
            why = "to which strip leaves no name" if target is None else "which only does not name"
            raise EscapeError(f"is a hard link to {_shown('/'.join(named))}, {why}")
        raise EscapeError("is a hard link to what is no file before it")

    def _make_way(self, path: Parts, kind: Kind) -> None:
        """Let the later one of two entries hold, as tar does."""
        found = self._found
        if path in found.folders and kind != "folder":
            raise EscapeError("is a folder in another entry")
        if kind == "folder" and (path in found.files or path in found.links or path in self._hard):
            raise EscapeError("is no folder in another entry")
        if found.files.pop(path, None) is not None:
            os.unlink(self._at(path))
        found.links.pop(path, None)
        self._hard.pop(path, None)

    def _make_folder(self, path: Parts) -> None:
        if not path or path in self._found.folders:
            return
        self._make_folder(path[:-1])
        if path in self._found.files:
            raise EscapeError("lies below a file")
        try:
            os.mkdir(self._at(path))
        except FileExistsError:
            raise EscapeError("differs from another entry in upper and lower case alone, which are one here") from None
        self._found.folders.add(path)

    def _write(self, entry: Entry, path: Parts) -> None:
        place = self._at(path)
        try:
            descriptor = os.open(place, NEW, 0o600)
        except FileExistsError:
            raise EscapeError("differs from another entry in upper and lower case alone, which are one here") from None
        hashed = hashlib.sha256()
        try:
            for chunk in entry.chunks():
                self._check()
                self._written += len(chunk)
                self._refuse_more(self._written)
                hashed.update(chunk)
                self._write_all(descriptor, chunk)
            mtime_ns = _nanoseconds(entry.mtime)
            self._give(descriptor, place, Attributes(mode_of(entry.mode), mtime_ns))
            identity = identity_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        self._found.files[path] = TreeFile("/".join(path), identity, hashed.hexdigest())

    def _write_all(self, descriptor: int, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            left = left[os.write(descriptor, left) :]
        self._unflushed += len(chunk)
        if self._unflushed >= _FLUSH_EVERY:
            self._unflushed = 0
            os.fsync(descriptor)

    def _make_links(self) -> None:
        found = self._found
        # Which names are one is asked of the file system itself.
        key = folded if found.links and self._ignores_case() else as_written
        Links(found.links, key).check([*found.files, *self._hard, *found.folders])
        for path, target in self._hard.items():
            if target not in found.files:
                raise EscapeError(f"{'/'.join(path)} is a hard link to what is no file")
            os.link(self._at(target), self._at(path), follow_symlinks=False)
            file = found.files[target]
            found.files[path] = TreeFile("/".join(path), file.identity, file.sha256)
        for path, leads_to in found.links.items():
            self._check()
            os.symlink(leads_to, self._at(path))

    def _ignores_case(self) -> bool:
        # Beside the folder, whose own names are the archive's.
        probe = f"{self._folder}.Case"
        os.close(os.open(probe, NEW & ~os.O_EXCL, 0o600))
        try:
            return os.path.lexists(f"{self._folder}.case")
        finally:
            os.unlink(probe)

    def _at(self, path: Parts) -> str:
        return os.path.join(self._folder, *path)


def _nanoseconds(mtime: float | None) -> int | None:
    """A time that a file may have; None for what is none, or lies ahead."""
    if mtime is None or not 0 <= mtime <= time.time():
        return None
    return int(mtime * 1_000_000_000)


def _shown(name: str) -> str:
    """A name from an archive, fit to be shown."""
    text = name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}..."
    return text.encode("unicode_escape", "backslashreplace").decode("ascii") if not text.isprintable() else text
