"""How far a worker's files are, in memory that it shares with the parent: written over again and again, read when somebody looks.

    worker --show--> shared memory --read--> progress display

A reading that is being written over just then is passed over; the next comes soon. Where a system shares no memory like this, readings
travel among the events.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from collections.abc import Sequence

from marscore.events import ProgressMade

#: Files of one worker that are told of: no process has more connections.
MOST = 64
#: Checksum of what follows, which tells a whole reading from one that is being written, and the number of files.
_HEAD = struct.Struct("<II")
#: Time, id, bytes done, size (-1: unknown), bytes downloaded, connections at work and done.
_FILE = struct.Struct("<d48sqqqII")
SIZE = _HEAD.size + MOST * _FILE.size


class SharedProgress:
    """The readings of one worker. `handle` is what another process opens it by: a descriptor that it inherits."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._memory = mmap.mmap(handle, SIZE)

    def show(self, readings: Sequence[ProgressMade]) -> None:
        """Put these in place of the last ones."""
        told = [_pack(reading) for reading in readings[:MOST]]
        body = b"".join(told)
        self._memory[: _HEAD.size + len(body)] = _HEAD.pack(zlib.crc32(body), len(told)) + body

    def read(self) -> list[ProgressMade]:
        """The last readings; none while they are being written."""
        checksum, count = _HEAD.unpack(self._memory[: _HEAD.size])
        body = self._memory[_HEAD.size : _HEAD.size + min(count, MOST) * _FILE.size]
        if zlib.crc32(body) != checksum:
            return []
        return [_unpack(fields) for fields in _FILE.iter_unpack(body)]

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        # It is memory: nothing of it could be lost.
        with contextlib.suppress(OSError):
            os.close(self.handle)


def new_shared_progress() -> SharedProgress | None:
    """A shared that children may inherit; None where the system has no memory without a file."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        handle = os.memfd_create("marscore")
    except OSError:
        return None
    try:
        os.truncate(handle, SIZE)
        return SharedProgress(handle)
    except (OSError, ValueError):
        os.close(handle)
        return None


def _pack(reading: ProgressMade) -> bytes:
    size = -1 if reading.size is None else reading.size
    counts = (reading.bytes_done, size, reading.bytes_downloaded, reading.threads_active, reading.threads_finished)
    return _FILE.pack(reading.at, reading.download.encode(), *counts)


def _unpack(fields: tuple[float, bytes, int, int, int, int, int]) -> ProgressMade:
    at, name, done, size, downloaded, active, finished = fields
    return ProgressMade(at, name.rstrip(b"\0").decode(), done, None if size < 0 else size, downloaded, active, finished)
