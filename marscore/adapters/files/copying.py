"""A whole file's bytes, copied from one descriptor to another: by sharing blocks, by the kernel, or by hand and hashed on the way."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from typing import TypeAlias

#: Called now and then while bytes are copied or hashed; what it raises ends that.
Check: TypeAlias = Callable[[], None]

_AT_ONCE = 1024 * 1024
#: Bytes that the kernel copies at a time: some hundredths of a second.
_BY_THE_KERNEL = 32 * 1024 * 1024
#: FICLONE of <linux/fs.h>: _IOW(0x94, 9, int).
_CLONE = 0x40049409
#: What says that this file system, or this pair of them, clones nothing.
_UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.EPERM, errno.ENOSYS, errno.EBADF, errno.ETXTBSY})


def clone(old: int, new: int) -> bool:
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


def copy(old: int, new: int, hashed: bool, check: Check) -> str | None:
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


def digest_of(fd: int, check: Check = lambda: None) -> str:
    """The sha256 of a whole file in hex."""
    os.lseek(fd, 0, os.SEEK_SET)
    running = hashlib.sha256()
    while data := os.read(fd, _AT_ONCE):
        check()
        running.update(data)
    return running.hexdigest()
