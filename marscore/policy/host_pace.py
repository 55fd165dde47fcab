"""How fast a host may be asked: without a limit, until it refuses what comes too fast.

    answers --accepted, refused--> rate (requests a second) --free_at--> when the next request may start

A few refusals among many answers say nothing of a pace, and a host that does nothing but refuse has none: what it says then is about the
files, whose retries deal with it. Where a host that answers otherwise refuses a good part of what it is asked, the rate falls to a little
less than what it accepted of late, since that is what it allows, however it counts: by a leaky bucket, by connections, by minutes. At
first its limit is not known: the rate begins low, doubles several times a second, and is cut where that is too much. From then on it grows
slowly, and ever faster the longer nothing speaks against it. The models are TCP's slow start, and its increase by little and decrease by a
factor (RFC 5681), and the adaptive throttling of "Handling Overload", Site Reliability Engineering, 2016.

Times are seconds on a clock that never jumps.
"""

from __future__ import annotations

import math
from collections import deque

#: So many refusals in a second, and so large a share of the answers, are about the pace. Where each of them asks for a pause, one is.
REFUSALS, SHARE = 3, 0.1
EXPLICIT_REFUSALS, EXPLICIT_SHARE = 1, 0.01
#: Seconds from one cut to the next: what is refused meanwhile was asked for before the first.
BETWEEN_CUTS = 0.5
#: The part of what was accepted at which a host is asked next, so that what it holds back of the rest comes to its end.
CUT = 0.93
SEARCH_CUT = 0.9
#: The part of the rate that is left where too little was accepted to tell (that of CUBIC, RFC 9438).
DECREASE = 0.7
#: The part of what was accepted at which the search for a limit begins: a host accepts more at first. In requests a second, at least.
FIRST_CUT, FIRST_RATE = 1 / 8, 10.0
#: Seconds in which the rate doubles while the limit is not known.
DOUBLING = 0.2
#: By how much a known rate grows in a second, for each second since it was cut. Where a refusal means a pause, it stays for a while first.
GROWTH, HOLD = 0.1, 10.0
#: A rate is never lower: many limits are of so many a minute, and its end should not be missed. Where it is higher than the other, it is none.
SLOWEST, FASTEST = 0.2, 20_000.0
#: Seconds for which an answer shows that a host answers otherwise; one that has a pace is asked for longer than a minute whether it does.
ANSWERED_LATELY, STARVED = 10.0, 75.0
#: Answers are counted in steps of so many seconds. What is said of late goes back so many of them, while the limit is searched for and
#: later, or as many as it takes for `_ENOUGH` answers.
_STEP = 0.1
_SEARCHED, _KNOWN, _LONGEST = 4, 10, 100
_ENOUGH = 10


class HostPace:
    """Of one host, as one process sees it. `rate` is in requests a second; None: as many as there are connections for."""

    __slots__ = ("_answered", "_cut", "_cut_at", "_measured", "_explicit", "_frozen", "_grown", "_next", "_paused_until", "_rested", "_searching", "_steps", "rate")

    def __init__(self) -> None:
        self.rate: float | None = None
        #: Steps of time in which something was answered: its number, how much was accepted and how much refused.
        self._steps: deque[list[int]] = deque(maxlen=_LONGEST)
        #: When it last answered with anything but a refusal.
        self._answered: float | None = None
        #: When the rate was last cut, from when on its growth is still to be counted, and when the next request may start.
        self._cut = self._cut_at = self._grown = self._next = 0.0
        self._measured = 1.0
        #: Whether the limit is not known, and whether the host names pauses where it refuses.
        self._searching, self._explicit = True, False
        #: Pauses do not count as time: what it was when the last one began, its end, and how long all were.
        self._frozen = self._paused_until = self._rested = 0.0

    def free_at(self, now: float) -> float:
        """When the next request may start: `now` or later."""
        return now if self.rate is None or self._next <= now else self._next

    def start(self, now: float) -> None:
        """Take note that a request starts."""
        if self.rate is not None:
            self._next = max(now, self._next) + 1 / self.rate

    def pause(self, now: float, until: float) -> None:
        """Take note that the host asked for a pause."""
        if until > max(now, self._paused_until):
            self._explicit = True
            self._frozen = self._time(now)
            self._paused_until, self._rested = until, until - self._frozen

    def accepted(self, now: float) -> None:
        """Take note of an answer that is no refusal."""
        self._answered = now
        own = self._time(now)
        self._step(own)[1] += 1
        if self.rate is not None:
            self._grow(own, now < self._paused_until)

    def refused(self, now: float, explicit: bool) -> bool:
        """Take note of a refusal, which names a pause or does not; returns whether the rate was cut for it."""
        patience = ANSWERED_LATELY if self.rate is None else STARVED
        if self._answered is None or now - self._answered > patience:
            self.rate = None
            return False
        self._explicit = explicit
        self._step(self._time(now))[2] += 1
        return self._is_about_the_pace(self._time(now)) and self._cut_to(now, True)

    def cut(self, now: float) -> bool:
        return self._cut_to(now, False)

    def _cut_to(self, now: float, here: bool) -> bool:
        """Lower the rate, for what is refused here or to another process; returns whether it was not only just done."""
        own = self._time(now)
        accepted, _, seconds = self._lately(own)
        was_searching = self._searching and self.rate is not None
        if self._answered is None:
            # It answers others.
            self._answered = now
        if self.rate is None:
            self.rate, self._searching = max(FIRST_RATE, FIRST_CUT * accepted / seconds), True
        elif now < self._paused_until or now - self._cut_at < BETWEEN_CUTS:
            return False
        elif not accepted:
            self.rate, self._searching = max(SLOWEST, self.rate / 4), True
        elif self._searching or accepted >= (_ENOUGH if self._explicit else 1):
            most = FASTEST if self._searching else self.rate
            self.rate, self._searching = max(SLOWEST, (SEARCH_CUT if was_searching else CUT) * min(most, accepted / seconds)), False
        else:
            # So few may be what a bucket had room for after the pause.
            self.rate = max(SLOWEST, DECREASE * self.rate)
        self._cut, self._cut_at, self._grown = own, now, own
        self._measured = seconds if here and was_searching and not self._searching else math.inf
        self._next = now + 1 / self.rate
        return True

    def _is_about_the_pace(self, own: float) -> bool:
        accepted, refused, _ = self._lately(own)
        least, share = (EXPLICIT_REFUSALS, EXPLICIT_SHARE) if self._explicit else (REFUSALS, SHARE)
        return refused >= max(least, share * (accepted + refused))

    def _lately(self, own: float) -> tuple[int, int, float]:
        """How much was accepted and refused of late, at the present rate, and in how many seconds."""
        is_known = self.rate is not None
        span = _STEP * (_SEARCHED if is_known and self._searching else _KNOWN)
        least = max(self._cut, own - _LONGEST * _STEP) if is_known else own - span
        accepted = refused = 0
        since = own
        for step, good, bad in reversed(self._steps):
            if (step + 1) * _STEP <= least or (own - since >= span and accepted + refused >= _ENOUGH):
                break
            accepted, refused, since = accepted + good, refused + bad, max(least, step * _STEP)
        return accepted, refused, max(own - since, min(span, own - least), _STEP)

    def _grow(self, own: float, is_paused: bool) -> None:
        """Let the rate grow with what is accepted, so that it does not while nothing is asked."""
        seconds, self._grown = own - self._grown, own
        assert self.rate is not None
        if is_paused and own - self._cut < BETWEEN_CUTS and not self._searching:
            self.rate += SEARCH_CUT / self._measured
        if self._searching:
            self.rate *= 2 ** (min(seconds, DOUBLING / 2) / DOUBLING)
        else:
            since = own - self._cut - (HOLD if self._explicit else 0.0)
            self.rate *= 1 + GROWTH * max(0.0, since) * min(seconds, 1.0)
        if self.rate > FASTEST:
            self.rate = None

    def _time(self, now: float) -> float:
        """The time without pauses."""
        return now - self._rested if now >= self._paused_until else self._frozen

    def _step(self, own: float) -> list[int]:
        number = int(own / _STEP)
        if not self._steps or self._steps[-1][0] != number:
            self._steps.append([number, 0, 0])
        return self._steps[-1]
