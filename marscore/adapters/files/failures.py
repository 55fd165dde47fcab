"""What the operating system says about files, in the vocabulary of failures."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from marscore.errors import StorageError
from marscore.values import Failure, FailureKind

_KINDS: dict[int, FailureKind] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    # Of this process, or of the machine: another path would not help.
    errno.EMFILE: "resources",
    errno.ENFILE: "resources",
    errno.ENOMEM: "resources",
}


def storage_error(error: OSError, doing: str) -> StorageError:
    """Name what the operating system said. The message holds no path, since a path may hold what came from the environment."""
    kind = _KINDS.get(error.errno or 0, "path")
    return StorageError(Failure(kind, f"{doing}: {os.strerror(error.errno) if error.errno else error}"))


class naming:  # noqa: N801 - reads as the statement that it begins; a class, since it is entered for every read and write
    """Names what the system says inside."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise storage_error(error, self._doing) from error
        if isinstance(error, UnicodeEncodeError):
            # Outside UTF-8 not every name can be one of a file.
            message = f"{self._doing}: the name cannot be written in this system's {error.encoding}"
            raise StorageError(Failure("path", message)) from error
