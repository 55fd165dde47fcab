"""How many connections one file may have from its source: as many as its threads, until the source refuses a further one.

    refusal of a further connection --refused--> as many as there are, and one more after a wait | no more
    a further connection delivers   --accepted--> as many as there are, and one more

What a server refuses to a further connection it does not refuse to the file, which the others go on to fetch. So that is no failure of
the file; but it has the same bounds: those waits are the retry rules' own, and after as many as they allow no further connection is opened.
"""

from __future__ import annotations

from marscore.execute.transfer.protocol import Moment
from marscore.policy.retry import NO_FAILURES, RetryRules, Wait
from marscore.values import Failure, FailureKind

#: What becomes of a connection that a server, or something before it, does not want.
_WITHOUT_ANSWER: frozenset[FailureKind] = frozenset({"connection", "timeout", "proxy"})


def refuses_a_connection(failure: Failure) -> bool:
    """Whether a failure before the first byte of a body may be about the number of connections, and not about the file."""
    return failure.status is not None or failure.kind in _WITHOUT_ANSWER


class Allowance:
    """Of one file, from its current source."""

    def __init__(self, threads: int, rules: RetryRules) -> None:
        self._threads = threads
        self._rules = rules
        self.forget()

    def forget(self) -> None:
        """Know nothing of the source: it is another one."""
        #: So many are served, as far as is known. One more may be tried from `_again` on, in ticks; None: no more.
        self._served = self._threads
        self._again: float | None = 0.0
        self._refusals = NO_FAILURES

    def free(self, active: int) -> int:
        """How many connections there may be besides those, now or later."""
        more = self._served - active
        if more <= 0 and self._again is not None:
            more = 1 if active == self._served else 0
        return max(0, min(more, self._threads - active))

    def free_at(self, active: int) -> float | None:
        """From when on there may be another one besides those, in ticks; None: not before one of them has ended."""
        if not self.free(active):
            return None
        # One that has ended is replaced at once.
        return 0.0 if active < self._served or self._again is None else self._again

    def refused(self, failure: Failure, others: int, at: Moment) -> float | None:
        """Take note that one was refused while there are others. Returns the seconds before the next is tried, None where that is known."""
        self._served = max(1, min(self._served, others))
        if self._again is None or at.ticks < self._again:
            # It was asked for together with one that was refused before.
            return None
        decision = self._refusals.after(failure, self._rules, at.draw)
        if not isinstance(decision, Wait):
            self._again = None
            return None
        self._refusals = decision.state
        self._again = at.ticks + decision.seconds
        return decision.seconds

    def accepted(self, active: int) -> None:
        """Take note that so many are served."""
        self._served = max(self._served, active)
