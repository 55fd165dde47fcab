"""How many threads of a process may work at once: as many as help, and no more.

    many files    the process waits -> more; has no processor time left -> fewer; in between it is tried, and taken back if it did not help
    one file      its connections wait for their bytes -> more; they are busy writing them -> no more

Many files: a process that waits for the network gains from another connection. One that has no processor time left does not: its threads
would only take turns, and changing turns costs more than a small file does (measured: 5,000 files of 10 KiB take 1.5 times as long with two
threads as with one, on loopback).

The parts of a large file: processor time does not tell, since other programs may have taken it. But a connection whose bytes take as long
to write as to come is not helped by others, which would wait for the same file and processor, and leave less of it to hash from memory.
"""

from __future__ import annotations

from typing import NamedTuple

#: Connections that many files begin with, before anything is known of the network.
FIRST = 4
#: The shares of its processor time below which a process is taken to wait for the network, and above which it has none left.
WAITING = 0.5
BUSY = 0.9
#: The share of their time that connections of a large file spend on bytes that have come, above which others are of no use. (Over loopback
#: it is 0.3 to 0.5; at 8 MiB/s 0.01.)
FULL = 0.2
#: Bytes a second of one connection from which on it is uncertain whether another would bring more, so that it is tried.
FAST = 100 * 1024 * 1024
#: Seconds over which connections are looked at, at least, and over which one more for a large file is tried.
GLANCE = 0.04
TRIAL = 0.25
#: Below this share the process, or the connection, does next to nothing but wait: then all that are wanted are allowed at once.
IDLE = 0.1
#: How much faster the whole must become for a growth to stay.
WORTHWHILE = 1.15
#: Looks after a growth that did not help until the next is tried.
PATIENCE = 10
#: What a finished file counts for beside its bytes: so many could have come in the time of its request.
FILE_WEIGHT = 64 * 1024


class Reading(NamedTuple):
    """Counters of a process: the clock, the processor time used, bytes that came, and what its connections did with their time.

    All but `came` are in seconds; `receiving` and `writing` are summed over the threads, up to this moment.
    """

    ticks: float
    used: float
    came: int
    receiving: float = 0.0
    writing: float = 0.0


class Hands:
    """Decides how many threads may work. One file begins with one."""

    def __init__(self, most: int, cores: int) -> None:
        self.allowed = 1
        self._begun = False
        self._most = most
        self._cores = cores
        self._last: Reading | None = None
        self._judged: Reading | None = None
        self._before: tuple[int, float] | None = None
        self._patience = 0

    def begin(self, files: int) -> None:
        """Take in how many downloads wait at the start: as many as may well be asked for at once."""
        if not self._begun:
            self._begun = True
            self.allowed = max(1, min(files, FIRST, self._most))

    def look(self, now: Reading, wanted: int, many_files: bool) -> None:
        """Allow more threads, or fewer.

        Args:
            now: the counters.
            wanted: how many threads would find something to do.
            many_files: whether whole downloads wait to be begun. Then the work is Python's own, which runs on one core at a time; the
                parts of large files are mostly the system's.
        """
        last = self._last = self._last or now
        if not many_files:
            self._last = now
            self._look_at_parts(now, wanted)
            return
        elapsed = now.ticks - last.ticks
        if elapsed < GLANCE:
            # Of so little time it is chance how much of it was processor time.
            return
        self._last = now
        self._look_at_files((now.used - last.used) / elapsed, (now.came - last.came) / elapsed, wanted)

    def _look_at_files(self, used: float, rate: float, wanted: int) -> None:
        if used > BUSY:
            self._before = None
            self.allowed = max(1, self.allowed // 2)
        elif used < WAITING:
            self._before = None
            self._grow(wanted, self._most if used < IDLE else 2)
        else:
            self._try(rate, wanted)

    def _look_at_parts(self, now: Reading, wanted: int) -> None:
        last = self._judged = self._judged or now
        elapsed, came = now.ticks - last.ticks, now.came - last.came
        both = now.receiving - last.receiving + now.writing - last.writing
        if now.came <= 0 or both <= 0 or elapsed < GLANCE:
            # That says nothing yet.
            return
        share = (now.writing - last.writing) / both
        if came / both < FAST:
            self._before = None
            if share < FULL and now.used - last.used < BUSY * self._cores * elapsed:
                self._grow(wanted, self._most if share < IDLE else 2)
        elif elapsed < TRIAL:
            return
        elif share < FULL or self._before is not None:
            self._try(came / elapsed, wanted)
        self._judged = now

    def _try(self, rate: float, wanted: int) -> None:
        if self._before is not None:
            allowed, earlier = self._before
            self._before = None
            if rate < WORTHWHILE * earlier:
                self.allowed, self._patience = allowed, PATIENCE
        self._patience -= 1
        if self._patience <= 0 and wanted > self.allowed:
            self._before = (self.allowed, rate)
            self._grow(wanted, 2)

    def _grow(self, wanted: int, times: int) -> None:
        if wanted > self.allowed:
            self.allowed = min(self._most, max(wanted, self.allowed * 2), self.allowed * times)
