"""Time and chance from the operating system."""

from __future__ import annotations

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
