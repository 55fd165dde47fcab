"""Hashes a whole file in one pass, or while it is written: then the digest follows the contiguous front of what is on disk, in a thread.

    wrote(offset, length)... --> front --> read back from the page cache, a MiB at a time --> digests(size)

hashlib releases the interpreter's lock, so hashing costs no time of the thread that receives; and it takes the lock twice for each MiB, not
for each of the small chunks that the bytes came in. Bytes that are written again after they were hashed spoil the digest; then `digests`
gives none, and the file is hashed anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from marscore.adapters.files.positioned import Positioned
from marscore.adapters.files.system import SYSTEM
from marscore.errors import StorageError
from marscore.hashes import new_hash
from marscore.values import Failure

#: One read. The thread wakes when there is this much to hash: fewer, longer turns disturb the receiving thread less.
STEP = 1024 * 1024


class FrontDigest:
    """Follows one file. `read_into(buffer, offset)` reads from it, and returns 0 once the file is closed; `start` is `System.start`."""

    def __init__(
        self,
        read_into: Callable[[memoryview, int], int],
        algorithms: Sequence[str],
        start: Callable[[Callable[[], None], str], None] = SYSTEM.start,
    ) -> None:
        self.algorithms = tuple(algorithms)
        self._read_into = read_into
        self._hashes = [new_hash(name) for name in algorithms]
        self._changed = threading.Condition()
        self._front = 0
        # Written ranges beyond the front, by either end.
        self._end_of: dict[int, int] = {}
        self._start_of: dict[int, int] = {}
        self._hashed = 0
        self._wanted: int | None = None
        self._over = False
        self._start_thread = start
        self._started = False

    def wrote(self, offset: int, length: int) -> None:
        """Take note of bytes that are in the file now."""
        with self._changed:
            if self._over or not length:
                return
            if not self._extend(offset, offset + length):
                self._over = True
            if self._over or self._front - self._hashed >= STEP:
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
        if not self._started and not self._over:
            self._started = True
            try:
                self._start_thread(self._guarded, "marscore-hash")
            except (RuntimeError, MemoryError):
                # The system starts no more threads: the file is hashed when it is whole.
                self._over = True

    def _guarded(self) -> None:
        try:
            self._follow()
        except BaseException:  # noqa: BLE001 - who waits for a digest hears that there is none, and hashes the file itself
            self.stop()

    def _follow(self) -> None:
        buffer = memoryview(bytearray(STEP))
        while length := self._take():
            if not self._read_back(buffer, length):
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
            for running in self._hashes:
                running.update(buffer[:count])
            position += count
        return True

    def _take(self) -> int:
        """Wait for enough to hash, and return how much; 0 when no more will come."""
        with self._changed:
            while not self._over:
                ready = self._front - self._hashed
                if ready >= STEP or (ready and self._front == self._wanted):
                    return min(STEP, ready)
                if self._hashed == self._wanted:
                    return 0
                self._changed.wait()
        return 0


def digests_of_file(
    source: Positioned, size: int, algorithms: Sequence[str], seen: Callable[[int], None] = lambda count: None
) -> dict[str, str]:
    """Hash `size` bytes from the start with every algorithm in one pass: algorithm -> lowercase hex. `seen` is told of each read.

    Raises:
        StorageError: there are not so many.
    """
    hashes = {name: new_hash(name) for name in algorithms}
    buffer = memoryview(bytearray(min(STEP, size)))
    position = 0
    while position < size and (count := source.read_into(buffer[: size - position], position)):
        for running in hashes.values():
            running.update(buffer[:count])
        position += count
        seen(count)
    if position < size:
        raise StorageError(Failure("path", f"the file ends after {position} bytes and should have {size}"))
    return {name: running.hexdigest() for name, running in hashes.items()}
