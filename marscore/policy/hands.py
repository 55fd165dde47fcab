"""How many threads of a process may work at once: as many as help, and no more.

A process that waits for the network gains from another connection. One that has no processor time left does not: its threads would only
take turns, and changing turns costs more than a small file does (measured: 5,000 files of 10 KiB take 1.5 times as long with two threads
as with one, on loopback).
"""

from __future__ import annotations

#: The share of its processor time below which a process is taken to wait for the network, and above which it has too many threads.
WAITING = 0.7
BUSY = 0.95


class Hands:
    """Decides how many threads may work, from how busy the process was since the last look. Starts with one."""

    def __init__(self, most: int, cores: int) -> None:
        self.allowed = 1
        self._most = most
        self._cores = cores
        self._at = 0.0
        self._used = 0.0

    def look(self, ticks: float, used: float, wanted: int, many_files: bool) -> None:
        """Take in the clock and the processor time that the process has used, both in seconds; allow more threads, or fewer.

        Args:
            ticks: now.
            used: processor time so far.
            wanted: how many threads would find something to do.
            many_files: whether whole downloads wait to be begun. Then the work is Python's own, which runs on one core at a time; the
                parts of large files are mostly the system's.
        """
        elapsed, spent = ticks - self._at, used - self._used
        self._at, self._used = ticks, used
        if elapsed <= 0:
            return
        share = spent / elapsed / (1 if many_files else min(self.allowed, self._cores))
        if share < WAITING and wanted > self.allowed:
            self.allowed = min(self._most, self.allowed * 2)
        elif share > BUSY and many_files:
            self.allowed = max(1, self.allowed // 2)
