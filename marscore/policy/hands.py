"""How many threads of a process may work at once: as many as help, and no more.

A process that waits for the network gains from another connection. One that has no processor time left does not: its threads would only
take turns, and changing turns costs more than a small file does (measured: 5,000 files of 10 KiB take 1.5 times as long with two threads
as with one, on loopback). In between it is tried: a growth that does not make the whole faster is taken back.
"""

from __future__ import annotations

#: Connections that many files begin with, before anything is known of the network.
FIRST = 4
#: The shares of its processor time below which a process is taken to wait for the network, and above which it has none left.
WAITING = 0.2
BUSY = 0.9
#: How much faster the whole must become for a growth to stay.
WORTHWHILE = 1.15
#: Looks after a growth that did not help until the next is tried.
PATIENCE = 10
#: What a finished file counts for beside its bytes: so many could have come in the time of its request.
FILE_WEIGHT = 64 * 1024


class Hands:
    """Decides how many threads may work. One file begins with one."""

    def __init__(self, most: int, cores: int) -> None:
        self.allowed = 1
        self._begun = False
        self._most = most
        self._cores = cores
        self._last: tuple[float, float, int] | None = None
        self._before: tuple[int, float] | None = None
        self._patience = 0

    def begin(self, files: int) -> None:
        """Take in how many downloads wait at the start: as many as may well be asked for at once."""
        if not self._begun:
            self._begun = True
            self.allowed = max(1, min(files, FIRST, self._most))

    def look(self, now: tuple[float, float, int], wanted: int, many_files: bool) -> None:
        """Allow more threads, or fewer.

        Args:
            now: the clock, the processor time that the process has used, both in seconds, and its progress in bytes.
            wanted: how many threads would find something to do.
            many_files: whether whole downloads wait to be begun. Then the work is Python's own, which runs on one core at a time; the
                parts of large files are mostly the system's.
        """
        last, self._last = self._last, now
        if last is None or now[0] <= last[0]:
            return
        elapsed, spent, came = (new - old for new, old in zip(now, last, strict=True))
        share = spent / elapsed / (1 if many_files else self._cores)
        if share > BUSY:
            self._before = None
            self.allowed = max(1, self.allowed // 2) if many_files else self.allowed
        elif share < WAITING:
            self._before = None
            self._grow(wanted)
        else:
            self._try(came / elapsed, wanted)

    def _try(self, rate: float, wanted: int) -> None:
        if self._before is not None:
            allowed, earlier = self._before
            self._before = None
            if rate < WORTHWHILE * earlier:
                self.allowed, self._patience = allowed, PATIENCE
        self._patience -= 1
        if self._patience <= 0 and wanted > self.allowed:
            self._before = (self.allowed, rate)
            self._grow(wanted)

    def _grow(self, wanted: int) -> None:
        if wanted > self.allowed:
            self.allowed = min(self._most, self.allowed * 2)
