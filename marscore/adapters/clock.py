"""Time and chance from the operating system."""

from __future__ import annotations

import random
import time


class SystemClock:
    """Implements `ports.Clock`."""

    def __init__(self) -> None:
        # An own generator: a host program that seeds the global one must not put many clients in step.
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    def now(self) -> float:
        """Unix time."""
        return time.time()

    def ticks(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    def used(self) -> float:
        """Processor time of this process."""
        return time.process_time()

    def draw(self) -> float:
        """A random number in [0, 1)."""
        return self._random.random()
