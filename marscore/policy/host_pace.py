"""How fast a host may be asked: without a limit, until it refuses what comes too fast.

    answers --accepted, refused--> rate (requests a second) --free_at--> when the next request may start

A few refusals among many answers say nothing of a pace, and a host that does nothing but refuse has none: what it says then is about the
files, whose retries deal with it. Where a host that answers otherwise refuses a good part of what it is asked, the rate falls to a little
less than what it accepted of late, since that is what it allows, however it counts: by a leaky bucket, by connections, by minutes. At
first its limit is searched for: the rate begins low, doubles several times a second, and is cut where that is too much. From then on it
grows slowly, and ever faster the longer nothing speaks against it.

A host without a limit may have some files that it never gives. Then what was refused before is refused again, while what is asked for the
first time is not: a limit would treat both alike. Such a host gets no rate until it gives something that it refused before.

The models are TCP's slow start, and its increase by little and decrease by a factor (RFC 5681), and the adaptive throttling of "Handling
Overload", Site Reliability Engineering, 2016.

Times are seconds on a clock that never jumps. A pause that a host asks for counts as no time, since nothing could be accepted in it.
"""

from __future__ import annotations

import math
from collections import deque

#: So many refusals, and so large a share of the answers, are about the pace. Where each of them asks for a pause, one is.
REFUSALS, SHARE = 3, 0.1
EXPLICIT_REFUSALS, EXPLICIT_SHARE = 1, 0.01
#: Seconds from one cut to the next: what is refused meanwhile was asked for before the first.
BETWEEN_CUTS = 0.5
#: The part of what was accepted of late at which a host is asked next: of a rate that was steady, and of one that was searched for. Each
#: process takes this part of what was accepted of it: so much together, whoever was refused.
CUT, FOUND = 0.93, 0.9
#: The part of the rate that is left where too few answers came to tell what is accepted (RFC 9438 has the same), and where none did.
LESS, STARVING = 0.7, 0.25
#: The part of what was accepted at which a search begins, since a host accepts more at first: so many requests a second, at least; and
#: where another process was refused, which begins beside this one.
FIRST, FIRST_RATE, FIRST_RATE_BESIDE = 1 / 8, 20.0, 10.0
#: Seconds in which the rate doubles while the limit is searched for.
DOUBLING = 0.2
#: By how much a steady rate grows in a second, for each second since it was cut. Where a refusal means a pause, it stays for a while first.
GROWTH, HOLD = 0.1, 10.0
#: A rate is never lower: many limits are of so many a minute, and its end should not be missed. One that is higher than the other is none.
SLOWEST, FASTEST = 0.2, 20_000.0
#: Seconds for which an answer shows that a host answers otherwise. One that says itself that it was asked too much (429) is asked longer
#: than a minute whether it does: that may be the time that it counts by.
ANSWERED_LATELY, STARVED = 10.0, 75.0
#: A host's refusals are about files where a limit, which treats all alike, would in one of so many cases accept nothing of what was
#: refused before, and yet as much as it did of the rest.
CHANCE = 1 / 1000
#: Where that is as rare as this, and something is accepted still, the rate is left alone until it is known.
SUSPICION = 1 / 20
#: Answers are counted in steps of so many seconds. What is said of late goes back so many of them, in a search and otherwise; further, but
#: not without end, where those hold fewer answers than are enough.
_STEP = 0.1
_IN_A_SEARCH, _OTHERWISE, _LONGEST = 4, 10, 100
_ENOUGH = 10


class _OfFiles:
    """Whether a host's refusals are about what is asked, and not how fast: counted while it has a rate."""

    __slots__ = ("_again_refused", "_gives_again", "_others_accepted", "_others_refused")

    def __init__(self) -> None:
        self._again_refused = self._others_accepted = self._others_refused = 0
        self._gives_again = False

    def accepted(self, again: bool, has_rate: bool) -> None:
        if again:
            self._gives_again = True
        elif has_rate:
            self._others_accepted += 1

    def refused(self, again: bool, has_rate: bool) -> bool:
        """Count it; returns whether they are."""
        if self._gives_again:
            return False
        if has_rate and again:
            self._again_refused += 1
        elif has_rate:
            self._others_refused += 1
        return self.chance <= CHANCE

    @property
    def chance(self) -> float:
        """How likely a limit would treat what was refused before, and the rest, so differently.

        Fisher's exact test, of a table that has a zero: nothing that was refused before was accepted.
        """
        accepted, others = self._others_accepted, self._others_accepted + self._others_refused
        return 1.0 if self._gives_again else math.comb(others, accepted) / math.comb(others + self._again_refused, accepted)


class HostPace:
    """Of one host, as one process sees it. `rate` is in requests a second; None: as many as there are connections for."""

    __slots__ = (
        "_answered",
        "_cut_at",
        "_explicit",
        "_frozen",
        "_grown",
        "_next",
        "_of_files",
        "_paused_until",
        "_rested",
        "_searching",
        "_since",
        "_steps",
        "_worth",
        "rate",
    )

    def __init__(self) -> None:
        self.rate: float | None = None
        #: Steps of time in which something was answered: its number, how much was accepted and how much refused.
        self._steps: deque[list[int]] = deque(maxlen=_LONGEST)
        #: When it last answered with anything but a refusal.
        self._answered: float | None = None
        #: When the next request may start, and when the rate was last cut.
        self._next = self._cut_at = 0.0
        #: In time without pauses: since when the rate is what it is, but for its growth, and until when that is counted.
        self._since = self._grown = 0.0
        #: Whether the limit is searched for, and whether the host names pauses where it refuses.
        self._searching, self._explicit = True, False
        #: By how much an answer raises the rate that still comes during the pause after a search.
        self._worth = 0.0
        #: Time without pauses, when the last one began; its end; and how long all were.
        self._frozen = self._paused_until = self._rested = 0.0
        #: Whether what it refuses are files and not requests.
        self._of_files = _OfFiles()

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
            # What came before was of another rate, and much of it at once.
            self._steps.clear()

    def accepted(self, now: float, *, again: bool = False) -> None:
        """Take note of an answer that is no refusal; `again`: the same was refused before."""
        self._answered = now
        self._of_files.accepted(again, self.rate is not None)
        time, is_paused = self._time(now), now < self._paused_until
        if not is_paused:
            self._step(time)[1] += 1
        if self.rate is not None:
            self._grow(self.rate, time, is_paused)

    def refused(self, now: float, *, explicit: bool, too_many: bool, again: bool = False) -> bool:
        """Take note of a refusal; returns whether the rate was cut for it.

        Args:
            now: the moment.
            explicit: it names a pause.
            too_many: it says that there were too many requests, and not only that there is no service.
            again: the same was refused before.
        """
        if not explicit and self._of_files.refused(again, self.rate is not None):
            self.rate = None
            return False
        patience = STARVED if too_many and self.rate is not None else ANSWERED_LATELY
        if self._answered is None or now - self._answered > patience:
            self.rate = None
            return False
        self._explicit = explicit
        self._step(self._time(now))[2] += 1
        accepted, refused, _ = self._lately(self._time(now))
        least, share = (EXPLICIT_REFUSALS, EXPLICIT_SHARE) if explicit else (REFUSALS, SHARE)
        if accepted and not explicit and self._of_files.chance <= SUSPICION:
            return False
        return refused >= max(least, share * (accepted + refused)) and self._cut(now, FIRST_RATE)

    def slow_down(self, now: float) -> None:
        """Lower the rate since another process was refused."""
        if self._answered is None:
            # It answers others.
            self._answered = now
        self._cut(now, FIRST_RATE_BESIDE)

    def search(self, now: float) -> None:
        """Look for the limit anew: another process, which had a part of it, has left."""
        self._searching, self._since = True, self._time(now)

    def _cut(self, now: float, least: float) -> bool:
        """Lower the rate; returns whether it was not only just done. `least` is the lowest rate at which a search begins."""
        if self.rate is not None and (now < self._paused_until or now - self._cut_at < BETWEEN_CUTS):
            return False
        time = self._time(now)
        self._worth = 0.0
        if self.rate is None:
            accepted, _, seconds = self._lately(time)
            self.rate, self._searching = max(least, FIRST * accepted / seconds), True
        else:
            self.rate = max(SLOWEST, self._lower(self.rate, time))
        self._since, self._grown, self._cut_at = time, time, now
        self._next = now + 1 / self.rate
        return True

    def _lower(self, rate: float, time: float) -> float:
        accepted, _, seconds = self._lately(time)
        was_searching, self._searching = self._searching, not accepted
        if not accepted:
            return rate * STARVING
        if was_searching:
            # What a leaky bucket still holds was accepted, too.
            self._worth = FOUND / seconds
            return FOUND * accepted / seconds
        # After a pause, a few may be what a bucket had room for again.
        return LESS * rate if self._explicit and accepted < _ENOUGH else CUT * min(rate, accepted / seconds)

    def _lately(self, time: float) -> tuple[int, int, float]:
        """How much was accepted and refused of late, at the present rate, and in how many seconds."""
        is_search = self.rate is not None and self._searching
        span = _STEP * (_IN_A_SEARCH if is_search else _OTHERWISE)
        least = time - span if self.rate is None else max(self._since, time - _LONGEST * _STEP)
        accepted = refused = 0
        begin = time
        for step, good, bad in reversed(self._steps):
            if (step + 1) * _STEP <= least or (time - begin >= span and accepted + refused >= _ENOUGH):
                break
            accepted, refused, begin = accepted + good, refused + bad, max(least, step * _STEP)
        # Of a search that was short, most was what a bucket had room for: as if it had lasted a little longer.
        return accepted, refused, max(time - begin, min(span, time - least + (_STEP if is_search else 0.0)), _STEP)

    def _grow(self, rate: float, time: float, is_paused: bool) -> None:
        """Let the rate grow with what is accepted, so that it does not while nothing is asked."""
        seconds, self._grown = time - self._grown, time
        if self._searching:
            rate *= 2 ** (min(seconds, DOUBLING / 2) / DOUBLING)
        elif is_paused and time - self._since < BETWEEN_CUTS:
            rate += self._worth
        else:
            steady = time - self._since - (HOLD if self._explicit else 0.0)
            rate *= 1 + GROWTH * max(0.0, steady) * min(seconds, 1.0)
        self.rate = rate if rate < FASTEST else None

    def _time(self, now: float) -> float:
        """The time without pauses."""
        return now - self._rested if now >= self._paused_until else self._frozen

    def _step(self, time: float) -> list[int]:
        number = math.floor(time / _STEP)
        if not self._steps or self._steps[-1][0] != number:
            self._steps.append([number, 0, 0])
        return self._steps[-1]
