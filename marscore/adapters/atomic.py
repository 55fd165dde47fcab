"""Write a file whole or not at all: beside its place, flushed so that a power cut leaves no empty file, and only then renamed."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from marscore.adapters.storage import storage_error

#: Pieces of text that are written together.
_AT_ONCE = 1000


def write_text(path: Path, chunks: Iterable[str], doing: str) -> None:
    """Write text in UTF-8; readers see the old file or the new one.

    Raises:
        StorageError: it cannot be written; `doing` begins the message.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                left = iter(chunks)
                # Many at once: a text file would ask the system for every 8 KiB.
                while some := list(itertools.islice(left, _AT_ONCE)):
                    stream.write("".join(some).encode())
                stream.flush()
                os.fsync(stream.fileno())
            # mkstemp makes files for their owner alone; a report is as readable as any file the user makes.
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise storage_error(error, doing) from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
