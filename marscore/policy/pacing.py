"""How fast and how many at once: a rate limit, the connections that a host may get, and what counts as too slow.

All take the time as an argument, in seconds on a clock that never jumps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from marscore.frozen import dataclass
from marscore.policy.host_pace import HostPace

#: Seconds over which a connection must be slower than `min_speed` to count as too slow (curl's --speed-time has the same default).
SLOW_WINDOW = 30.0
#: Seconds over which the speed of a connection is measured, to compare it with its siblings'.
PACE_WINDOW = 2.0
#: Seconds that a connection must have lasted for its mean to say something, and for which that is remembered when it has ended.
PACE_LEAST = 0.5
PACE_REMEMBERED = 10.0
#: A connection lags that is slower than this share of the mean of its siblings, of which there must be so many.
LAGGING = 0.3
SIBLINGS = 2
#: Connections of one file that are dialled anew for that. Where so many did not help, it is the path that is slow.
MAX_REDIALS = 8


class TokenBucket:
    """Keeps a stream of bytes at `rate` bytes a second, after a burst of a quarter of a second's worth."""

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        self._level = 0.0
        self._at = now

    @property
    def burst(self) -> int:
        """The most bytes to take at once for an even stream."""
        return max(1024, self.rate // 4)

    def take(self, count: int, now: float) -> float:
        """Take `count` bytes that came and return the seconds to wait before reading on; the debt carries over."""
        self._level = min(float(self.burst), self._level + (now - self._at) * self.rate) - count
        self._at = now
        return max(0.0, -self._level / self.rate)


class HostSlots:
    """Counts the connections to each host, and remembers which hosts asked for a pause and how fast each may be asked."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._used: Counter[str] = Counter()
        self._paused_until: dict[str, float] = {}
        self._paces: dict[str, HostPace] = {}

    @property
    def most_used(self) -> int:
        """The connections to that host which has the most."""
        return max(self._used.values(), default=0)

    def free_at(self, host: str, now: float) -> float | None:
        """When a request to the host may start: `now`, or later for its pause or pace; None while all its connections are in use."""
        return None if self._used[host] >= self.capacity else self._may_be_asked_at(host, now)

    def is_held_back(self, host: str, now: float) -> bool:
        """Whether it may not be asked now, for its pause or pace."""
        return self._may_be_asked_at(host, now) > now

    def acquire(self, host: str, now: float) -> None:
        """Count one more connection, and the request that starts on it."""
        self._used[host] += 1
        if pace := self._paces.get(host):
            pace.start(now)

    def release(self, host: str) -> None:
        """Count one less."""
        self._used[host] -= 1

    def widen(self, capacity: int, now: float) -> None:
        """Change how many connections each host may have. Where they become more, so may the requests."""
        if capacity > self.capacity:
            for pace in self._paces.values():
                pace.search(now)
        self.capacity = capacity

    def pause(self, host: str, until: float, now: float) -> None:
        """Let no request to the host start before `until`; a longer pause stands."""
        self._paused_until[host] = max(until, self._paused_until.get(host, until))
        self.pace(host).pause(now, until)

    def pace(self, host: str) -> HostPace:
        """How fast the host may be asked."""
        pace = self._paces.get(host)
        if pace is None:
            pace = self._paces[host] = HostPace()
        return pace

    def _may_be_asked_at(self, host: str, now: float) -> float:
        pace = self._paces.get(host)
        return max(self._paused_until.get(host, now), now if pace is None else pace.free_at(now))


class SpeedWatch:
    """Tells when a connection was slower than `minimum` bytes a second for a whole window."""

    def __init__(self, minimum: int | None, now: float) -> None:
        self._minimum = minimum
        self._since = now
        self._bytes = 0

    def rested(self, seconds: float) -> None:
        """Leave out so many seconds in which nothing was asked of the server."""
        self._since += seconds

    def too_slow(self, count: int, now: float) -> bool:
        """Take in `count` more bytes and say whether the window that ends now was too slow."""
        self._bytes += count
        if self._minimum is None or now - self._since < SLOW_WINDOW:
            return False
        slow = self._bytes < self._minimum * (now - self._since)
        self._since, self._bytes = now, 0
        return slow


class Pace:
    """The speed of one connection in bytes a second: `speed` is that of its last whole window, None before the first has passed.

    The clock starts at once: a connection that never brings a byte is slow, too.
    """

    __slots__ = ("_began", "_bytes", "_first", "_held", "_since", "_total", "speed")

    def __init__(self, now: float) -> None:
        self.speed: float | None = None
        self._since = now
        self._began = now
        self._first = True
        self._bytes = 0
        self._total = 0
        #: Since when its sender is held back.
        self._held: float | None = None

    def hold(self, now: float) -> None:
        """Leave out the time from now on, in which nothing is wanted of it."""
        self._held = now

    def go_on(self, now: float) -> None:
        """Count the time again."""
        if self._held is not None:
            rested, self._held = now - self._held, None
            self._since += rested
            self._began += rested

    def add(self, count: int, now: float) -> None:
        """Take in `count` more bytes. The first ones are not counted: they may have waited here for long."""
        if self._first:
            self._first, self._since, self._began = False, now, now
        else:
            self._bytes += count
            self._total += count

    def look(self, now: float) -> bool:
        """Say whether a window ends now, whether bytes come or not."""
        if self._held is not None or now - self._since < PACE_WINDOW:
            return False
        self.speed = self._bytes / (now - self._since)
        self._since, self._bytes = now, 0
        return True

    def seconds_for(self, count: int, now: float) -> float:
        """How long so many more bytes take at the speed so far."""
        speed = self.speed if self.speed is not None else self._total / max(1e-6, now - self._began)
        return count / speed if speed > 0 else math.inf

    def mean(self, now: float) -> float | None:
        """The speed since the first bytes; None where that is too short a time to tell."""
        return self._total / (now - self._began) if not self._first and now - self._began >= PACE_LEAST else None


@dataclass(frozen=True, slots=True)
class Lag:
    """A connection that is much slower than its siblings: its speed and their mean, in bytes a second."""

    speed: float
    others: float


def lag_of(speed: float, others: Sequence[float], remaining: int) -> Lag | None:
    """Whether a connection that still has `remaining` bytes to fetch is worth replacing. None: it is not."""
    if len(others) < SIBLINGS or remaining <= speed * PACE_WINDOW:
        return None
    mean = sum(others) / len(others)
    return Lag(speed, mean) if speed < LAGGING * mean else None
