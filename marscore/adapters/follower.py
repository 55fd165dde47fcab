"""Hashes a file while it is written: the digest follows the contiguous front of what is on disk, in a thread of its own.

    wrote(offset, length)... --> front --> from memory where it is still there, else read back --> digests(size)

hashlib releases the interpreter's lock, so hashing costs no time of the threads that receive. What was written at the front is hashed from
the memory that it was written from, if its writer passes that on and not much waits yet; all else is read back from the page cache. (1 GiB
over loopback takes a tenth less processor time so than with all of it read back.) Bytes that are written again after they were hashed spoil
the digest; then `digests` gives none, and the file is hashed anew.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Sequence

#: One read. The thread wakes when there is this much to hash: fewer, longer turns disturb the receiving threads less.
STEP = 1024 * 1024


class Follower:
    """Follows one file.

    `read_into(buffer, offset)` reads from it, and returns 0 once the file is closed. At most `spare` pieces of memory are kept; each goes
    back through `give_back` when it is hashed.
    """

    def __init__(
        self,
        read_into: Callable[[memoryview, int], int],
        algorithms: Sequence[str],
        spare: int = 0,
        give_back: Callable[[memoryview], None] = lambda memory: None,
    ) -> None:
        self.algorithms = tuple(algorithms)
        self._read_into = read_into
        self._spare = spare
        self._give_back = give_back
        # Memory with what was written at these offsets, all of them at or beyond what is hashed, ascending.
        self._kept: deque[tuple[int, memoryview]] = deque()
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

    def wrote(self, offset: int, length: int, memory: memoryview | None = None) -> bool:
        """Take note of bytes that are in the file now; returns whether the memory that they are in is kept for a while."""
        with self._changed:
            if self._over or not length:
                return False
            at_front = offset == self._front
            if not self._extend(offset, offset + length):
                self._over = True
            keep = memory is not None and at_front and not self._over and len(self._kept) < self._spare
            if memory is not None and keep:
                self._kept.append((offset, memory))
            if self._over or self._front - self._taken >= STEP:
                self._start()
                self._changed.notify_all()
            return keep

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
            self._kept.clear()
            self._changed.notify_all()

    def _extend(self, start: int, end: int) -> bool:
        """Add a range; False where it is one of bytes that the front has passed, which may be hashed already."""
        # What is written again beyond the front is read back when the front has come there. Of ranges that overlap some ends are
        # forgotten; then the front may stop before the end of the file, but passes nothing that was not written.
        if start < self._front:
            return False
        if start != self._front:
            start = self._start_of.pop(start, start)
            self._end_of[start], self._start_of[end] = end, start
            return True
        self._front = end
        while self._front in self._end_of:
            following = self._end_of.pop(self._front)
            self._start_of.pop(following, None)
            self._front = following
        return True

    def _start(self) -> None:
        if self._thread is None and not self._over:
            self._thread = threading.Thread(target=self._guarded, name="marscore-hash", daemon=True)
            try:
                self._thread.start()
            except (RuntimeError, MemoryError):
                # The system starts no more threads: the file is hashed when it is whole.
                self._over = True
                self._kept.clear()

    def _guarded(self) -> None:
        try:
            self._follow()
        except BaseException:  # noqa: BLE001 - who waits for a digest hears that there is none, and hashes the file itself
            self.stop()

    def _follow(self) -> None:
        buffer = memoryview(bytearray(STEP))
        while (taken := self._take()) is not None:
            memory, length = taken
            if memory is not None:
                self._update(memory)
                self._give_back(memory)
            elif not self._read_back(buffer, length):
                self.stop()
                return
            with self._changed:
                self._hashed += length
                if self._hashed == self._wanted:
                    self._changed.notify_all()

    def _read_back(self, buffer: memoryview, length: int) -> bool:
        position, end = self._hashed, self._hashed + length
        while position < end:
            count = self._read_into(buffer[: end - position], position)
            if not count:
                return False
            self._update(buffer[:count])
            position += count
        return True

    def _update(self, data: memoryview) -> None:
        for running in self._hashes:
            running.update(data)

    def _take(self) -> tuple[memoryview | None, int] | None:
        """Wait for enough to hash, and return its memory, None if it is to be read back, and its length; None when no more will come."""
        with self._changed:
            while not self._over:
                ready = self._front - self._taken
                if ready >= STEP or (ready and self._front == self._wanted):
                    return self._next(ready)
                if self._taken == self._wanted:
                    return None
                self._changed.wait()
        return None

    def _next(self, ready: int) -> tuple[memoryview | None, int]:
        if self._kept and self._kept[0][0] == self._taken:
            memory = self._kept.popleft()[1]
            self._taken += len(memory)
            return memory, len(memory)
        length = min(STEP, ready, self._kept[0][0] - self._taken if self._kept else ready)
        self._taken += length
        return None, length
