"""A verified file gets its name by one rename; what is renamed is measured just before and just after.

Where a file system is mounted below the output folder, its files cannot be renamed from the folder of partial files: then the file is
copied beside its place under a name of its own, hashed on the way, flushed, and renamed there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable

from marscore.adapters.files.attributes import giver
from marscore.adapters.files.system import NEW, OLD, SYSTEM, System
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.state import AS_MADE, Attributes, FileIdentity
from marscore.values import Failure

_AT_ONCE = 1024 * 1024
#: What the system says where two names are on different file systems.
_ELSEWHERE = errno.EXDEV


@dataclass(frozen=True, slots=True)
class Verified:
    """A file that has been verified: what was measured of it, its digest, and the attributes that it was given."""

    status: os.stat_result
    sha256: str
    attributes: Attributes = AS_MADE


def rename(
    source: str,
    target: str,
    verified: Verified,
    wanted: Callable[[], bool] = lambda: True,
    system: System = SYSTEM,
) -> FileIdentity:
    """Give a file its name, in place of whatever has it; returns what identifies it there.

    Args:
        source: where the file is; its last part names it alone.
        target: its final name, whose folder is there.
        verified: the file that has been verified.
        wanted: says whether it is still to get its name; a copy takes its time.
        system: what is asked to.

    Raises:
        OSError: the system renames it not.
        StorageError: another file was under one of the names, the copy came out otherwise, or it is not wanted any more.
    """
    _check(wanted)
    status = verified.status
    if not _is_same(system.lstat(source), status):
        raise StorageError(Failure("path", "another file took the place of the partial file"))
    try:
        system.replace(source, target)
    except OSError as error:
        if error.errno != _ELSEWHERE:
            raise
        status = _copied_beside(source, target, verified, wanted)
        system.unlink(source)
    there = system.lstat(target)
    if not _is_same(there, status):
        raise StorageError(Failure("path", "another file took the place of the finished one"))
    return identity_of(there)


def identity_of(status: os.stat_result) -> FileIdentity:
    """What identifies a file, from its stat."""
    mode = status.st_mode
    kind = "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"
    return FileIdentity(status.st_size, status.st_mtime_ns, status.st_ino, kind)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino, one.st_size) == (other.st_dev, other.st_ino, other.st_size)


def _check(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise StorageError(Failure("interrupted", "the run ended before the file got its name"))


def _copied_beside(source: str, target: str, verified: Verified, wanted: Callable[[], bool]) -> os.stat_result:
    """Copy a file to the file system of its target, and rename it there."""
    # The same name each time, so that what a killed run left is replaced by the next; short, as the target's may be the longest there is.
    beside = os.path.join(os.path.dirname(target), f".marscore-{os.path.basename(source)}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    try:
        status = _copied(source, beside, verified, wanted)
        _check(wanted)
        os.replace(beside, target)
        return status
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _copied(source: str, copy: str, verified: Verified, wanted: Callable[[], bool]) -> os.stat_result:
    hashed = hashlib.sha256()
    with os.fdopen(os.open(source, OLD & ~os.O_RDWR), "rb") as old, os.fdopen(os.open(copy, NEW, 0o666), "wb") as new:
        while data := old.read(_AT_ONCE):
            _check(wanted)
            hashed.update(data)
            new.write(data)
        new.flush()
        wanted_of = verified.attributes
        mtime_ns = verified.status.st_mtime_ns if wanted_of.mtime_ns is None else wanted_of.mtime_ns
        giver(SYSTEM)(new.fileno(), copy, Attributes(wanted_of.mode, mtime_ns))
        os.fsync(new.fileno())
        if hashed.hexdigest() != verified.sha256:
            raise StorageError(Failure("path", "the partial file changed after it was verified"))
        return os.fstat(new.fileno())
