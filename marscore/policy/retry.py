"""How often and how long: an immutable count of tries that answers Wait or GiveUp. The caller sleeps.

    failure + RetryState + RetryRules + jitter in [0, 1) --> Wait(seconds, next state) | GiveUp(reason)

The count is of tries in a row that brought nothing: `RetryState.progressed()` starts it anew. Each failure kind has its own limit.
Full jitter (a uniform draw from zero to the exponential step) keeps many clients from returning in step; see
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from typing import Literal

from marscore.frozen import dataclass
from marscore.policy.failures import is_retryable
from marscore.values import Failure, FailureKind, Timeouts

#: What passes by itself: curl's list (--retry), with 425, which asks for it (RFC 8470 section 5.2), a CDN's own words for an origin that
#: does not answer it (Cloudflare's 520 to 524), and 529, overloaded. Not its 525 and 526, which are of certificates.
DEFAULT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})

#: So many times in a row a file is refused for the sake of the pace, and no retry is spent.
MOST_REFUSALS = 10


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before retry n: `initial * factor ** n`, at most `max`, times a draw from [0, 1) where jitter is full."""

    initial: float = 0.5
    factor: float = 2.0
    max: float = 60.0
    jitter: Literal["full", "none"] = "full"

    def seconds(self, retries_before: int, draw: float) -> float:
        # The exponent is bounded since float overflow raises; 2 ** 64 is past any `max` that a person writes.
        step = min(self.max, self.initial * self.factor ** min(retries_before, 64))
        return step * draw if self.jitter == "full" else step


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What a download's `retry` says, complete. `by_kind` holds the limits that differ from `max_retries`."""

    max_retries: int = 3
    by_kind: tuple[tuple[FailureKind, int], ...] = ()
    statuses: frozenset[int] = DEFAULT_STATUSES
    backoff: Backoff = Backoff()
    max_retry_after: float = 300.0

    def limit(self, kind: FailureKind) -> int:
        """Most retries in a row for failures of this kind."""
        return dict(self.by_kind).get(kind, self.max_retries)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often an object store is asked to take a file: as the run asks its origins."""

    retry: RetryRules = RetryRules()
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after `seconds`; `attempt` is the number of that retry among failures of its kind, from 1."""

    seconds: float
    attempt: int
    limit: int
    state: RetryState


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not ask this source again; `reason` is for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryState:
    """Failures in a row, by kind, since the last try that made progress; and `refusals`, for which a host's pace was to blame."""

    failures: tuple[tuple[FailureKind, int], ...] = ()
    refusals: int = 0

    def after(self, failure: Failure, rules: RetryRules, draw: float, *, paced: bool = False) -> Wait | GiveUp:
        """Decide what follows a failed try. `draw` is a random number in [0, 1).

        Where the host is `paced`, since it was asked too fast, that is no failure of the file: its retries are not spent, for a while.
        """
        if not is_retryable(failure, rules.statuses):
            return GiveUp(failure.message)
        if failure.retry_after is not None and failure.retry_after > rules.max_retry_after:
            limit = f"max_retry_after is {rules.max_retry_after:g} s"
            return GiveUp(f"{failure.message}; the server asks to wait {failure.retry_after:g} s and {limit}")
        counts = dict(self.failures)
        before = counts.get(failure.kind, 0)
        limit_for_kind = rules.limit(failure.kind)
        spared = paced and limit_for_kind > 0 and self.refusals < MOST_REFUSALS
        if before >= limit_for_kind and not spared:
            made = before + self.refusals
            tried = f" (after {made} {'retry' if made == 1 else 'retries'})" if made else ""
            return GiveUp(failure.message + tried)
        seconds = failure.retry_after if failure.retry_after is not None else rules.backoff.seconds(sum(counts.values()), draw)
        if spared:
            return Wait(seconds, min(before + 1, limit_for_kind), limit_for_kind, RetryState(self.failures, self.refusals + 1))
        counts[failure.kind] = before + 1
        return Wait(seconds, before + 1, limit_for_kind, RetryState(tuple(counts.items()), self.refusals))

    def progressed(self) -> RetryState:
        """The state after a try that brought bytes: the count starts anew."""
        return NO_FAILURES if self.failures or self.refusals else self


NO_FAILURES = RetryState()
