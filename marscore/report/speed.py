"""Bytes a second over the last few seconds of a growing count."""

from __future__ import annotations

from collections import deque

#: Seconds that a speed is averaged over: long enough to read it, short enough to see a stall.
_WINDOW = 5.0
#: Seconds between two samples; events come many times a second.
_STEP = 0.25


class Speed:
    """The speed of one count. Time comes in as an argument, in seconds that never jump."""

    def __init__(self, now: float, count: int = 0) -> None:
        self._samples = deque([(now, count)])

    def is_due(self, now: float) -> bool:
        """Whether a sample that is taken now counts."""
        return now - self._samples[-1][0] >= _STEP

    def sample(self, now: float, count: int) -> float:
        """Take a reading and return the speed."""
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        if self.is_due(now):
            self._samples.append((now, count))
        since, before = self._samples[0]
        return max(0.0, (count - before) / (now - since)) if now - since >= _STEP else 0.0
