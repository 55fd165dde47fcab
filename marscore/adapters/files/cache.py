"""A cache of finished files by their sha256, shared by runs, processes and manifests at once.

    <cache>/sha256/ab/<64 hex>/data         the bytes, read-only
                              /recorded     how the cache found them when it wrote them: boot, size, mtime, ctime, inode
                              /url-<key>    a URL that brought them, as its key (`state.key_of`)
    <cache>/tmp/, <cache>/damaged/          entries on their way in and out; what did not hash to its name

An entry is made in `tmp` and renamed whole, so that a crash at any moment leaves none or all of it, and two that make the same leave one.
It is believed without a look at its bytes only where size, times and inode are those that the cache recorded itself, since this machine was
started and in files of this user's own: what others may have written, and what a power cut may have taken, is hashed. What is wrong is set
aside, and counts as not there. Where the cache cannot be written it is read, and nothing is said.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Literal, TypeAlias

from marscore.adapters.files.cache_entry import READ, Entry, boot_id, record_of
from marscore.adapters.files.copying import Check, clone, copy, digest_of
from marscore.adapters.files.rename import identity_of
from marscore.adapters.files.system import NEW
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import FileIdentity
from marscore.values import Failure

Link: TypeAlias = Literal["auto", "copy", "hard"]
Match: TypeAlias = Literal["url", "digest"]

#: Seconds after which what is left in `tmp` is nobody's any more.
_STALE = 86_400.0


class DamagedError(Exception):
    """An entry's bytes are not those of its name. It is set aside."""


@dataclass(slots=True)
class Stats:
    """What a cache holds, and what a look at all of it found."""

    entries: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)


class Cache:
    """The cache in a folder, which need not be there yet. Any number of threads and processes may use it at once."""

    def __init__(self, root: Path, match: Match = "url", link: Link = "auto") -> None:
        """`match` says whether a URL that never brought a digest may have it from here; `link` how files get to their places."""
        self.root = root
        self._match = match
        self._link = link
        self._boot = boot_id()
        #: Why it could not be looked into, if so.
        self.trouble: str | None = None

    def holds(self, sha256: str, url_key: str) -> bool:
        """Whether a file of this digest may be had for this URL, as far as names tell."""
        entry = self._entry(sha256)
        try:
            if self._match == "url":
                os.lstat(entry.place / f"url-{url_key}")
            return stat.S_ISREG(os.lstat(entry.data).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError) as error:
            self.trouble = getattr(error, "strerror", None) or str(error)
            return False

    def bring(self, sha256: str, place: str, check: Check = lambda: None, link: Link | None = None) -> os.stat_result:
        """Put the file of this digest at a place where nothing is; returns what it is there. `check` may raise to end it.

        `link` is how, where that is not to be as it is for all.

        Raises:
            FileNotFoundError: there is none any more.
            DamagedError: its bytes are others. Nothing is left at the place.
            OSError: it cannot be read, or not put there.
        """
        entry = self._entry(sha256)
        fd = os.open(entry.data, READ)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            known = entry.is_as_recorded(self._boot, status)
            brought = (self._linked if (link or self._link) == "hard" else self._copied)(entry, fd, place, known, check)
        finally:
            os.close(fd)
        with contextlib.suppress(OSError):
            # What was used last is what is kept longest.
            os.utime(entry.recorded)
        return brought

    def keep(self, source: str, identity: FileIdentity, sha256: str, url_key: str, check: Check = lambda: None) -> None:
        """Take a file in that was verified when it was finished, if it is still the same; note of an entry that the URL brought it.

        Raises:
            OSError: it cannot be read, or the cache not be written.
        """
        entry = self._entry(sha256)
        if not entry.data.exists():
            self._take_in(entry, source, identity, check)
        # It may have been removed again meanwhile.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.close(os.open(entry.place / f"url-{url_key}", NEW, 0o644))

    def mtime_ns(self, sha256: str) -> int | None:
        """The modification time that the file had which went in, in Unix nanoseconds; None where it cannot be told."""
        try:
            return os.lstat(self._entry(sha256).data).st_mtime_ns
        except OSError:
            return None

    def entries(self) -> Iterator[str]:
        """The digests of all entries, in no order.

        Raises:
            OSError: it cannot be looked into.
        """
        for folder in _below(self.root / "sha256"):
            yield from (entry.name for entry in _below(folder))

    def stats(self) -> Stats:
        """How many entries there are, of how many bytes together."""
        found = Stats()
        for sha256 in self.entries():
            with contextlib.suppress(OSError):
                found.bytes += self._entry(sha256).data.stat().st_size
                found.entries += 1
        return found

    def verify(self, seen: Callable[[int], None] = lambda count: None) -> Stats:
        """Hash every entry, and set aside what is not what its name says. `seen` is told of each file's bytes."""
        found = Stats()
        for sha256 in list(self.entries()):
            try:
                fd = os.open(self._entry(sha256).data, READ)
            except FileNotFoundError:
                continue
            except OSError as error:
                # A link is none of ours; what cannot be read cannot be said to be right.
                if error.errno != errno.ELOOP:
                    raise
                size, is_right = 0, False
            else:
                try:
                    status = os.fstat(fd)
                    size = status.st_size
                    is_right = stat.S_ISREG(status.st_mode) and digest_of(fd) == sha256
                finally:
                    os.close(fd)
            found.entries += 1
            found.bytes += size
            seen(size)
            if not is_right:
                found.damaged.append(sha256)
                self._set_aside(self._entry(sha256))
        return found

    def prune(self, max_size: int | None, unused_since: float | None, now: float) -> Stats:
        """Remove what was not used since a Unix time, then what was used longest ago until no more than `max_size` bytes are left.

        Returns:
            What was removed.
        """
        removed, kept = Stats(), 0
        by_age: list[tuple[float, int, Entry]] = []
        for sha256 in self.entries():
            entry = self._entry(sha256)
            with contextlib.suppress(OSError):
                by_age.append((entry.recorded.stat().st_mtime, entry.data.stat().st_size, entry))
        for used, size, entry in sorted(by_age, key=lambda each: -each[0]):
            kept += size
            is_old = unused_since is not None and used < unused_since
            if is_old or (max_size is not None and kept > max_size):
                kept -= size
                with contextlib.suppress(OSError):
                    self._remove(entry.place)
                    removed.entries += 1
                    removed.bytes += size
        for left in _below(self.root / "tmp"):
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < now - _STALE:
                    shutil.rmtree(left, ignore_errors=True)
        return removed

    # One entry

    def _entry(self, sha256: str) -> Entry:
        return Entry(self.root / "sha256" / sha256[:2] / sha256)

    def _copied(self, entry: Entry, fd: int, place: str, known: bool, check: Check) -> os.stat_result:
        new = os.open(place, NEW, 0o666)
        try:
            try:
                cloned = self._link == "auto" and clone(fd, new)
                digest = None
                if not cloned:
                    digest = copy(fd, new, not known, check)
                elif not known:
                    digest = digest_of(new, check)
                if digest not in (None, entry.sha256):
                    self._set_aside(entry)
                    raise DamagedError
                return os.fstat(new)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(place).unlink()
                raise
        finally:
            os.close(new)

    def _linked(self, entry: Entry, fd: int, place: str, known: bool, check: Check) -> os.stat_result:
        if not known and digest_of(fd, check) != entry.sha256:
            self._set_aside(entry)
            raise DamagedError
        try:
            os.link(entry.data, place, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                raise
            # Another file system, or one that links nothing.
            return self._copied(entry, fd, place, known, check)
        return os.lstat(place)

    def _take_in(self, entry: Entry, source: str, identity: FileIdentity, check: Check) -> None:
        temporary = self._temporary()
        try:
            old = os.open(source, READ)
            try:
                _demand_same(os.fstat(old), identity)
                self._fill(temporary, old, entry.sha256, check)
                _demand_same(os.fstat(old), identity)
            finally:
                os.close(old)
            entry.put(temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _fill(self, temporary: Path, old: int, sha256: str, check: Check) -> None:
        new = os.open(temporary / "data", NEW, 0o600)
        try:
            # Many will believe it: what is in the cache is hashed there.
            if (digest_of(new, check) if clone(old, new) else copy(old, new, True, check)) != sha256:
                raise StorageError(Failure("path", "the file changed after it was verified"))
            with contextlib.suppress(OSError):
                # By which whoever gets it from here can have the time that its server told.
                os.utime(temporary / "data", ns=(time.time_ns(), os.fstat(old).st_mtime_ns))
            if hasattr(os, "fchmod"):
                os.fchmod(new, 0o444)
            status = os.fstat(new)
        finally:
            os.close(new)
        (temporary / "recorded").write_text(record_of(self._boot, status), encoding="ascii")

    def _temporary(self) -> Path:
        place = self.root / "tmp" / secrets.token_hex(8)
        place.mkdir(parents=True)
        return place

    def _set_aside(self, entry: Entry) -> None:
        with contextlib.suppress(OSError):
            (self.root / "damaged").mkdir(parents=True, exist_ok=True)
            entry.place.rename(self.root / "damaged" / f"{entry.sha256}-{secrets.token_hex(4)}")

    def _remove(self, place: Path) -> None:
        # First out of sight, in one step, so that nobody finds half of it.
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        gone = self.root / "tmp" / secrets.token_hex(8)
        place.rename(gone)
        # Whoever found it by its old name a moment ago may note a URL in it while it is emptied.
        for _ in range(3):
            shutil.rmtree(gone, ignore_errors=True)
            if not gone.exists():
                break


def _below(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except FileNotFoundError:
        return


def _demand_same(status: os.stat_result, identity: FileIdentity) -> None:
    if not stat.S_ISREG(status.st_mode) or identity_of(status) != identity:
        raise StorageError(Failure("path", "the file changed after it was verified"))
