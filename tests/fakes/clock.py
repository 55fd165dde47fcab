"""A clock that a test turns by hand."""

from __future__ import annotations


class FakeClock:
    """Implements `ports.Clock`."""

    def __init__(self, unix: float = 1_700_000_000.0, draw: float = 0.5, busy: float = 0.0) -> None:
        self.unix = unix
        self.elapsed = 0.0
        self.chance = draw
        self.busy = busy

    def now(self) -> float:
        """Unix time as set."""
        return self.unix + self.elapsed

    def ticks(self) -> float:
        """Seconds turned so far."""
        return self.elapsed

    def used(self) -> float:
        """A fixed share of the time."""
        return self.elapsed * self.busy

    def draw(self) -> float:
        """The chance as set."""
        return self.chance
