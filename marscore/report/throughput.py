"""Bytes by time over a run, in a bounded number of samples however long it takes.

seconds + bytes --add--> Throughput --> interval_s, bytes of each interval
"""

from __future__ import annotations

#: Seconds of a sample at first, as long as they may be fewer than so many. Then every two become one.
INTERVAL, MOST = 0.1, 512


class Throughput:
    """Adds up what came in each interval since a run began."""

    def __init__(self) -> None:
        self._doublings = 0
        self.bytes: list[int] = []

    @property
    def interval_s(self) -> float:
        """Seconds of one sample."""
        return float(INTERVAL * 2**self._doublings)

    def add(self, since: float, until: float, count: int) -> None:
        """So many bytes came between these seconds after the beginning, evenly; a clock that was set back counts as 0."""
        until = max(0.0, until)
        since = max(0.0, min(since, until))
        self._reach(until)
        step = self.interval_s
        first, last = int(since / step), int(until / step)
        told = 0
        for place in range(first, last):
            # What came up to the end of this sample, so that the rest is whatever is left.
            reached = int(count * ((place + 1) * step - since) / (until - since))
            self.bytes[place] += reached - told
            told = reached
        self.bytes[last] += count - told

    def _reach(self, seconds: float) -> None:
        """Have a sample for these seconds."""
        while seconds / self.interval_s >= MOST:
            self.bytes = [sum(self.bytes[at : at + 2]) for at in range(0, len(self.bytes), 2)]
            self._doublings += 1
        self.bytes += [0] * (int(seconds / self.interval_s) + 1 - len(self.bytes))
