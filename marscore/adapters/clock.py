"""Time and chance from the operating system, and how much of it there is."""

from __future__ import annotations

import os
import random
import time


class SystemClock:
    """Implements `ports.Clock`."""

    def __init__(self) -> None:
        # An own generator: a host program that seeds the global one must not put many clients in step.
        self.draw = random.Random().random  # noqa: S311 - jitter, not a secret

    # The functions themselves, since a small file asks for the time a dozen times.
    now = staticmethod(time.time)
    ticks = staticmethod(time.monotonic)
    used = staticmethod(time.process_time)


def cores() -> int:
    """How many processors there are for this process."""
    # The cores that this process may use, not those of the machine: a container often gets fewer.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
