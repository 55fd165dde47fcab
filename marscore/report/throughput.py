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

    def add(self, seconds: float, count: int) -> None:
        """So many bytes came up to `seconds` after the beginning; a clock that was set back counts as 0."""
        place = int(max(0.0, seconds) / self.interval_s)
        while place >= MOST:
            self.bytes = [sum(self.bytes[at : at + 2]) for at in range(0, len(self.bytes), 2)]
            self._doublings += 1
            place //= 2
        if place >= len(self.bytes):
            self.bytes += [0] * (place + 1 - len(self.bytes))
        self.bytes[place] += count
