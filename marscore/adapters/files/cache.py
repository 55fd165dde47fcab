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
import hashlib
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Literal, TypeAlias

from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import FileIdentity
from marscore.values import Failure

Link: TypeAlias = Literal["auto", "copy", "hard"]
Match: TypeAlias = Literal["url", "digest"]

#: Called now and then while bytes are copied or hashed; what it raises ends that.
Check: TypeAlias = Callable[[], None]

_AT_ONCE = 1024 * 1024
#: Bytes that the kernel copies at a time: some hundredths of a second.
_BY_THE_KERNEL = 32 * 1024 * 1024
#: FICLONE of <linux/fs.h>: _IOW(0x94, 9, int).
_CLONE = 0x40049409
#: What says that this file system, or this pair of them, clones nothing.
_UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.EPERM, errno.ENOSYS, errno.EBADF, errno.ETXTBSY})
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry, by the folder that it is."""

    place: Path

    @property
    def sha256(self) -> str:
        return self.place.name

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def recorded(self) -> Path:
        return self.place / "recorded"


class Cache:
    """The cache in a folder, which need not be there yet. Any number of threads and processes may use it at once."""

    def __init__(self, root: Path, match: Match = "url", link: Link = "auto") -> None:
        """`match` says whether a URL that never brought a digest may have it from here; `link` how files get to their places."""
        self.root = root
        self._match = match
        self._link = link
        self._boot = _boot()
        #: Why it could not be looked into, if so.
        self.trouble: str | None = None

    def holds(self, sha256: str, url_key: str) -> bool:
        """Whether a file of this digest may be had for this URL, as far as names tell."""
        entry = self._entry(sha256)
        try:
            return stat.S_ISREG(os.lstat(entry.data).st_mode) and (self._match == "digest" or _is_there(entry.place / f"url-{url_key}"))
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
        fd = os.open(entry.data, _READ)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            known = self._is_as_recorded(entry, status)
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
            os.close(os.open(entry.place / f"url-{url_key}", _NEW, 0o644))

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
                fd = os.open(self._entry(sha256).data, _READ)
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
                    is_right = stat.S_ISREG(status.st_mode) and _digest(fd) == sha256
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
        by_age: list[tuple[float, int, _Entry]] = []
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

    def _entry(self, sha256: str) -> _Entry:
        return _Entry(self.root / "sha256" / sha256[:2] / sha256)

    def _is_as_recorded(self, entry: _Entry, status: os.stat_result) -> bool:
        """Whether the bytes are those that were hashed: nobody else may have written here, and no power cut can have taken them."""
        if self._boot is None or not hasattr(os, "getuid"):
            return False
        try:
            owners = [(found.st_uid, found.st_mode) for found in (os.lstat(entry.place), os.lstat(entry.recorded), status)]
            text = _text(entry.recorded)
        except (OSError, ValueError):
            return False
        is_ours = all(uid == os.getuid() and not mode & (stat.S_IWGRP | stat.S_IWOTH) for uid, mode in owners)
        return is_ours and text == self._record(status)

    def _record(self, status: os.stat_result) -> str:
        return f"{self._boot} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\n"

    def _copied(self, entry: _Entry, fd: int, place: str, known: bool, check: Check) -> os.stat_result:
        new = os.open(place, _NEW, 0o666)
        try:
            try:
                cloned = self._link == "auto" and _clone(fd, new)
                digest = None
                if not cloned:
                    digest = _copy(fd, new, not known, check)
                elif not known:
                    digest = _digest(new, check)
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

    def _linked(self, entry: _Entry, fd: int, place: str, known: bool, check: Check) -> os.stat_result:
        if not known and _digest(fd, check) != entry.sha256:
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

    def _take_in(self, entry: _Entry, source: str, identity: FileIdentity, check: Check) -> None:
        temporary = self._temporary()
        try:
            old = os.open(source, _READ)
            try:
                _demand_same(os.fstat(old), identity)
                self._fill(temporary, old, entry.sha256, check)
                _demand_same(os.fstat(old), identity)
            finally:
                os.close(old)
            entry.place.parent.mkdir(parents=True, exist_ok=True)
            # Where another has made the same meanwhile, that is it.
            with contextlib.suppress(FileExistsError):
                _rename_new(temporary, entry.place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _fill(self, temporary: Path, old: int, sha256: str, check: Check) -> None:
        new = os.open(temporary / "data", _NEW, 0o600)
        try:
            # Many will believe it: what is in the cache is hashed there.
            if (_digest(new, check) if _clone(old, new) else _copy(old, new, True, check)) != sha256:
                raise StorageError(Failure("path", "the file changed after it was verified"))
            with contextlib.suppress(OSError):
                # By which whoever gets it from here can have the time that its server told.
                os.utime(temporary / "data", ns=(time.time_ns(), os.fstat(old).st_mtime_ns))
            if hasattr(os, "fchmod"):
                os.fchmod(new, 0o444)
            status = os.fstat(new)
        finally:
            os.close(new)
        (temporary / "recorded").write_text(self._record(status), encoding="ascii")

    def _temporary(self) -> Path:
        place = self.root / "tmp" / secrets.token_hex(8)
        place.mkdir(parents=True)
        return place

    def _set_aside(self, entry: _Entry) -> None:
        with contextlib.suppress(OSError):
            (self.root / "damaged").mkdir(parents=True, exist_ok=True)
            entry.place.rename(self.root / "damaged" / f"{entry.sha256}-{secrets.token_hex(4)}")

    def _remove(self, place: Path) -> None:
        # First out of sight, in one step, so that nobody finds half of it.
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        gone = self.root / "tmp" / secrets.token_hex(8)
        place.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _below(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except FileNotFoundError:
        return


def _is_there(place: Path) -> bool:
    try:
        os.lstat(place)
    except FileNotFoundError:
        return False
    return True


def _text(place: Path) -> str:
    """The few bytes of a file of ours; what is no regular file is not waited for."""
    fd = os.open(place, _READ)
    try:
        return os.read(fd, 512).decode("ascii") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    finally:
        os.close(fd)


def _boot() -> str | None:
    """What tells this start of the machine from others; None where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _demand_same(status: os.stat_result, identity: FileIdentity) -> None:
    if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns, status.st_ino) != (
        identity.size,
        identity.mtime_ns,
        identity.inode,
    ):
        raise StorageError(Failure("path", "the file changed after it was verified"))


def _rename_new(source: Path, target: Path) -> None:
    """Rename a folder to a name that nobody has yet.

    Raises:
        FileExistsError: somebody has it.
    """
    try:
        source.rename(target)
    except OSError as error:
        # An entry is no empty folder, so rename(2) replaces none.
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) or (error.errno == errno.EACCES and target.exists()):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        raise


def _clone(old: int, new: int) -> bool:
    """Let a new file share the blocks of an old one; False where that is not to be had."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl  # noqa: PLC0415 - Linux has it

    try:
        fcntl.ioctl(new, _CLONE, old)
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise
    return True


def _copy(old: int, new: int, hashed: bool, check: Check) -> str | None:
    """Copy a whole file; returns the sha256 of what was copied, if that is wanted."""
    os.lseek(old, 0, os.SEEK_SET)
    if not hashed and hasattr(os, "copy_file_range") and _copied_by_the_kernel(old, new, check):
        return None
    running = hashlib.sha256()
    os.lseek(old, 0, os.SEEK_SET)
    os.lseek(new, 0, os.SEEK_SET)
    os.ftruncate(new, 0)
    while data := os.read(old, _AT_ONCE):
        check()
        running.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(new, view) :]
    return running.hexdigest()


def _copied_by_the_kernel(old: int, new: int, check: Check) -> bool:
    left = os.fstat(old).st_size
    try:
        while left and (count := os.copy_file_range(old, new, min(left, _BY_THE_KERNEL))):
            check()
            left -= count
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise
    return not left


def _digest(fd: int, check: Check = lambda: None) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    running = hashlib.sha256()
    while data := os.read(fd, _AT_ONCE):
        check()
        running.update(data)
    return running.hexdigest()
