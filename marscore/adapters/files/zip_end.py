"""How many entries a zip has, told from its end alone: zipfile makes a value of a KiB for each before anybody can look."""

from __future__ import annotations

import os
import struct
from typing import IO

_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_END64, _END64_SIZE = b"PK\x06\x06", 56
_LONGEST_COMMENT = 65_535
#: How each entry of the directory begins, without which zipfile takes none.
_ENTRY = b"PK\x01\x02"
#: Bytes of a directory that are read at most; an honest one takes a tenth of a KiB for each entry.
_LARGEST = 256 * 1024 * 1024


def entries_in(file: IO[bytes]) -> int | None:
    """How many entries the directory has at most, whatever its count says (APPNOTE.TXT sections 4.3.12 to 4.3.16).

    None where it is larger than any honest one. Where there is no end, there are none.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _END_SIZE - _LONGEST_COMMENT - _LOCATOR_SIZE)
    tail = _read(file, start, size)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return 0
    directory: int = struct.unpack_from("<L", tail, at + 12)[0]
    locator = at - _LOCATOR_SIZE
    if locator >= 0 and tail.startswith(_LOCATOR, locator):
        record = _read(file, start + locator - _END64_SIZE, start + locator)
        if record.startswith(_END64):
            directory = struct.unpack_from("<Q", record, 40)[0]
    if directory > _LARGEST:
        return None
    end = start + at
    return _read(file, max(0, end - directory - _LOCATOR_SIZE - _END64_SIZE), end).count(_ENTRY)


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    file.seek(max(0, start))
    data = file.read(end - max(0, start))
    file.seek(0)
    return data
