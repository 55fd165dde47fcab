"""Hashes a file while it is written: the digest follows the contiguous front of what is on disk, in a thread of its own.

    wrote(offset, length)... --> front --> read back from the page cache, up to the front --> digests(size)

hashlib releases the interpreter's lock, so hashing costs no time of the threads that receive. What is hashed is what a reader of the file
would get, not what a connection brought. Bytes that are written again after they were hashed spoil the digest; then `digests` gives none,
and the file is hashed anew.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

#: One read. The thread wakes when there is this much to hash: fewer, longer turns disturb the receiving threads less.
STEP = 1024 * 1024


class Follower:
    """Follows one file. `read_into(buffer, offset)` reads from it; it returns 0 once the file is closed."""

    def __init__(self, read_into: Callable[[memoryview, int], int], algorithms: Sequence[str]) -> None:
        self.algorithms = tuple(algorithms)
        self._read_into = read_into
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
        self._changed = threading.Condition()
        self._front = 0
        # Written ranges beyond the front, by either end.
        self._end_of: dict[int, int] = {}
        self._start_of: dict[int, int] = {}
        self._taken = 0
        self._hashed = 0
        self._wanted: int | None = None
        self._over = False
        self._thread: threading.Thread | None = None

    def wrote(self, offset: int, length: int) -> None:
        """Take note of bytes that are in the file now."""
        with self._changed:
            if self._over or not length:
                return
            if offset < self._taken or not self._extend(offset, offset + length):
                self._over = True
            if self._over or self._front - self._taken >= STEP:
                self._start()
                self._changed.notify_all()

    def digests(self, size: int) -> dict[str, str] | None:
        """Wait until all `size` bytes are hashed: algorithm -> lowercase hex. None where the file has to be hashed anew."""
        with self._changed:
            self._wanted = size
            self._start()
            self._changed.notify_all()
            while not self._over and self._front == size and self._hashed < size:
                self._changed.wait()
            if self._over or self._front != size or self._hashed != size:
                return None
            return {name: running.hexdigest() for name, running in zip(self.algorithms, self._hashes, strict=True)}

    def stop(self) -> None:
        """Hash no more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _extend(self, start: int, end: int) -> bool:
        """Add a range; False where it overlaps another that was written before."""
        if start < self._front or start in self._end_of or end in self._start_of:
            return False
        if start != self._front:
            start = self._start_of.pop(start, start)
            self._end_of[start], self._start_of[end] = end, start
            return True
        self._front = end
        while self._front in self._end_of:
            following = self._end_of.pop(self._front)
            del self._start_of[following]
            self._front = following
        return True

    def _start(self) -> None:
        if self._thread is None and not self._over:
            self._thread = threading.Thread(target=self._follow, name="marscore-hash", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        buffer = memoryview(bytearray(STEP))
        while (length := self._take()) is not None:
            position = self._hashed
            while position < self._taken:
                count = self._read_into(buffer[: self._taken - position], position)
                if not count:
                    self.stop()
                    return
                for running in self._hashes:
                    running.update(buffer[:count])
                position += count
            with self._changed:
                self._hashed += length
                self._changed.notify_all()

    def _take(self) -> int | None:
        """Wait for enough to hash, and say how much to; None when there will be no more."""
        with self._changed:
            while not self._over:
                length = min(STEP, self._front - self._taken)
                if length == STEP or (length and self._front == self._wanted):
                    self._taken += length
                    return length
                if self._taken == self._wanted:
                    return None
                self._changed.wait()
        return None
