"""Time, what is going to happen when, the processes that live in it, and the story of it all.

Everything that takes its time is an event on one heap: the answer of a server, the turn of a loop, the work of a helper, a signal. Whoever
waits (the supervisor for its inbox) lets the world go on, one event after the other. So one thread plays all, and a seed decides of the
order.
"""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Callable
from itertools import count

#: Unix time at which the world begins.
BEGIN = 1_700_000_000.0
#: Events of a run after which it counts as one that goes on for ever.
MOST_STEPS = 60_000
#: Seconds of a run after which it counts as hung.
MOST_SECONDS = 600.0


class DiedError(BaseException):
    """A process is no more: whatever it calls raises this, until nothing of it is left on the stack."""


class HungError(Exception):
    """A run does not end."""


def chance_of(seed: int, purpose: str) -> random.Random:
    """Random numbers for one purpose, so that one more or less of another changes none of them."""
    return random.Random(seed * 4_294_967_311 + zlib.crc32(purpose.encode()))


class World:
    """What happens, in order. `tells` makes it keep its story."""

    def __init__(self, seed: int, tells: bool = False) -> None:
        self.seed = seed
        self.elapsed = 0.0
        self.chance = chance_of(seed, "world")
        self.story: list[str] | None = [] if tells else None
        self.steps = 0
        self._began_at = self._set = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    # Time

    def now(self) -> float:
        """Unix time, as this machine's clock has it; servers have their own."""
        return BEGIN + self._set + self.elapsed

    def set_time(self, seconds: float) -> None:
        """Let the time of day jump."""
        self._set += seconds

    def ticks(self) -> float:
        """Seconds since it all began."""
        return self.elapsed

    def take(self, seconds: float) -> None:
        """Let time pass in the middle of something."""
        self.elapsed += seconds

    def at(self, delay: float, act: Callable[[], None]) -> None:
        """Have something happen after a delay."""
        heapq.heappush(self._events, (self.elapsed + max(0.0, delay), next(self._numbers), act))

    def begin_run(self) -> None:
        """Count the steps and seconds of a run from here on; what was to happen in the one before does not."""
        self._events.clear()
        self.steps = 0
        self._began_at = self.elapsed

    def step(self, until: float) -> bool:
        """Let the next thing happen that is due until then, in ticks; False: nothing was, and it is then.

        Raises:
            HungError: the run goes on for too long.
        """
        self.steps += 1
        if self.steps > MOST_STEPS or self.elapsed - self._began_at > MOST_SECONDS:
            raise HungError(f"the run does not end ({self.steps} steps, {self.elapsed - self._began_at:.1f} s)")
        if not self._events or self._events[0][0] > until:
            if until == float("inf"):
                raise HungError("nothing will ever happen again")
            self.elapsed = max(self.elapsed, until)
            return False
        due, _, act = heapq.heappop(self._events)
        self.elapsed = max(self.elapsed, due)
        act()
        return True

    # Story

    def tell(self, who: str, what: str, *values: object) -> None:
        """Add a line to the story."""
        if self.story is not None:
            self.story.append(f"{self.elapsed:9.4f}  {who:<8} {what % values if values else what}")


class Process:
    """One of the machine's processes. What it asks of the world it asks through `call`, at each of which it may die."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.calls = 0
        #: With which call it dies.
        self.dies_at: int | None = None
        #: With which call a signal comes, and what takes it.
        self.signalled_at: int | None = None
        self.on_signal: Callable[[], None] = lambda: None
        #: Whether a helper of it is at work, which others may interrupt; and what helpers may do in the middle of what its loop does.
        self.helping = False
        self.beside: list[Callable[[], None]] = []
        #: Seconds of processor time.
        self.busy = 0.0
        #: What is told when it dies.
        self.on_death: Callable[[], None] = lambda: None

    def call(self) -> None:
        """Ask something of the world.

        Raises:
            DiedError: this was the last thing.
        """
        if not self.alive:
            raise DiedError(self.name)
        self.calls += 1
        if self.calls == self.signalled_at:
            self.on_signal()
        if self.calls == self.dies_at:
            self.world.tell(self.name, "is killed")
            self.die()
            raise DiedError(self.name)

    def die(self) -> None:
        """End here and now."""
        if self.alive:
            self.alive = False
            self.on_death()


class Clock:
    """Implements `ports.Clock` for one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.now = process.world.now
        self.ticks = process.world.ticks
        self.draw = process.world.chance.random

    def used(self) -> float:
        """Processor time."""
        return self._process.busy
