"""Reads archives: tar (plain, gz, bz2, xz, zst) and zip, entry by entry.

    file --read_archive--> Entry, Entry, ... each with its content, a chunk at a time

What is told of an entry is what the archive says, and nothing of it is checked: whoever writes counts, and proves names. What is needed
to read an archive is bounded here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

from marscore.adapters.files.archive_entry import Entry, naming_damage
from marscore.adapters.files.tar_entries import tar_entries
from marscore.adapters.files.zip_entries import zip_entries

#: Bytes by which an archive is known: a block of a tar.
_BEGINNING = 512


def read_archive(file: IO[bytes], most: int, watch: Callable[[int], None]) -> Iterator[Entry]:
    """The entries of an archive, in their order.

    Args:
        file: the archive, which can be read at any place.
        most: entries that it may have, where it says beforehand how many it has.
        watch: is told how many bytes each step of decompressing brought; may raise to end it.

    Raises:
        ArchiveError: it cannot be read; what came before may be right.
        TooLargeError: it has more entries, or larger headers.
        OSError: the system does not read it.
    """
    with naming_damage():
        beginning = file.read(_BEGINNING)
        file.seek(0)
        if beginning[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from zip_entries(file, most)
        else:
            yield from tar_entries(file, beginning, most, watch)
