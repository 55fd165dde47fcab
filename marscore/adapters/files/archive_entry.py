"""What an archive says of one entry, and what is said of archives that cannot be read."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Literal, TypeAlias

from marscore.frozen import dataclass

Kind: TypeAlias = Literal["file", "folder", "symlink", "hardlink", "other"]
#: Bytes that are read at a time.
AT_ONCE = 1024 * 1024


class ArchiveError(Exception):
    """It is no archive, a damaged one, or one of a kind that cannot be read; the message is a sentence about "the archive"."""


class TooLargeError(Exception):
    """What is needed to read it is more than any honest archive asks for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an archive says of one entry. `target` is that of a link; `mtime` is Unix time in seconds, `mode` the bits as they stand there.

    `chunks` reads its content, once, before the next entry is asked for. Names of a tar may come twice: the later one holds.
    """

    name: str
    kind: Kind
    mode: int = 0o644
    mtime: float | None = None
    target: str = ""
    chunks: Callable[[], Iterator[bytes]] = field(default=lambda: iter(()))
    #: The tar's own description of it, for the second look of `tarfile.data_filter`.
    member: tarfile.TarInfo | None = None


@contextlib.contextmanager
def naming_damage() -> Iterator[None]:
    """Say of whatever the readers of archives raise that the archive is damaged."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile) as error:
        raise ArchiveError(f"is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"cannot be read: {error}") from error
    except OSError as error:
        if error.errno is None:
            # That of bz2, of which only the text tells.
            raise ArchiveError(f"is damaged: {error}") from error
        raise
    except (ValueError, OverflowError, IndexError, KeyError, struct.error) as error:
        # What tarfile and zipfile say of numbers and names that make no sense.
        raise ArchiveError(f"is damaged: {error}") from error
