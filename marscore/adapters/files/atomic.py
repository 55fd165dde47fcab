"""Write a file whole or not at all: beside its place, flushed so that a power cut leaves no empty file, and only then renamed."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from marscore.adapters.files.failures import naming

#: Pieces of text that are written together.
_AT_ONCE = 1000
#: Never what is there already, a symbolic link included. Binary, since text would get other ends of lines on Windows.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_text(path: Path, chunks: Iterable[str], doing: str) -> None:
    """Write text in UTF-8 to a file of marscore's own; readers see the old file or the new one. A link in its place is replaced.

    Raises:
        StorageError: it cannot be written; `doing` begins the message.
    """
    with naming(doing):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, chunks, _regular(path))


def replace(place: Path, chunks: Iterable[str], like: os.stat_result | None) -> None:
    """Write text in UTF-8 beside this place and rename it there; nothing is left beside it where that fails.

    Args:
        place: the name that the file gets.
        chunks: the text.
        like: whose mode and owner it gets, as far as the system lets us; without it, what the user's umask gives.
    """
    # A short name of its own, so that it is allowed wherever the file's is.
    temporary = place.with_name(f".marscore-{os.urandom(8).hex()}")
    descriptor = os.open(temporary, _NEW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if like is not None:
                _make_like(descriptor, like)
            for data in encoded(chunks):
                stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def encoded(chunks: Iterable[str]) -> Iterator[bytes]:
    """Text in UTF-8, many pieces at once: one by one, the system would be asked for every 8 KiB."""
    left = iter(chunks)
    while some := list(itertools.islice(left, _AT_ONCE)):
        yield "".join(some).encode()


def _regular(path: Path) -> os.stat_result | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _make_like(descriptor: int, old: os.stat_result) -> None:
    """Give a new and still empty file the owner and the mode of an old one."""
    if hasattr(os, "fchown") and hasattr(os, "fchmod"):
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            # Only the superuser can give files away.
            with contextlib.suppress(OSError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
