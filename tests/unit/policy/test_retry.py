"""Which failure is retried, how often, and after how long."""

from __future__ import annotations

import email.utils

import pytest

from marscore.policy.failures import failure_of_connect, failure_of_host, failure_of_status, is_retryable, parse_retry_after
from marscore.policy.retry import DEFAULT_STATUSES, MOST_REFUSALS, NO_FAILURES, Backoff, GiveUp, RetryRules, RetryState, Wait
from marscore.url import parse_url
from marscore.values import Failure, FailureKind

RESET = Failure("connection", "reset")


def waits(rules: RetryRules, failure: Failure, draw: float = 0.5) -> list[float]:
    """The waits until the rules give up, for failures in a row."""
    state, seconds = NO_FAILURES, list[float]()
    while isinstance(decision := state.after(failure, rules, draw), Wait):
        seconds.append(decision.seconds)
        state = decision.state
        assert len(seconds) < 100
    return seconds


def test_waits_twice_as_long_each_time_up_to_the_maximum() -> None:
    rules = RetryRules(max_retries=5, backoff=Backoff(initial=1, factor=2, max=5, jitter="none"))
    assert waits(rules, RESET) == [1, 2, 4, 5, 5]


def test_full_jitter_draws_from_zero_to_the_step() -> None:
    rules = RetryRules(max_retries=3, backoff=Backoff(initial=1))
    assert waits(rules, RESET, draw=0.25) == [0.25, 0.5, 1.0]
    assert waits(rules, RESET, draw=0.0) == [0, 0, 0]


def test_each_kind_has_its_own_limit() -> None:
    rules = RetryRules(max_retries=1, by_kind=(("timeout", 4),))
    assert len(waits(rules, Failure("timeout", ""))) == 4
    assert len(waits(rules, RESET)) == 1


def test_no_retries_means_one_try() -> None:
    assert waits(RetryRules(max_retries=0), RESET) == []


def test_progress_starts_the_count_anew() -> None:
    rules = RetryRules(max_retries=1)
    first = NO_FAILURES.after(RESET, rules, 0)
    assert isinstance(first, Wait)
    assert isinstance(first.state.after(RESET, rules, 0), GiveUp)
    assert isinstance(first.state.progressed().after(RESET, rules, 0), Wait)


def test_obeys_retry_after_to_the_second() -> None:
    decision = NO_FAILURES.after(Failure("rate_limited", "429", 429, retry_after=7.0), RetryRules(), 0.5)
    assert isinstance(decision, Wait)
    assert decision.seconds == 7.0


def test_gives_up_on_a_longer_retry_after_and_says_so() -> None:
    decision = NO_FAILURES.after(Failure("rate_limited", "429", 429, retry_after=301.0), RetryRules(), 0.5)
    assert isinstance(decision, GiveUp)
    assert "301 s" in decision.reason
    assert "max_retry_after is 300 s" in decision.reason


def test_huge_counts_do_not_overflow() -> None:
    assert Backoff(factor=1000, max=60, jitter="none").seconds(10_000, 0) == 60


@pytest.mark.parametrize("status", [404, 403, 410, 400, 401, 501, 505])
def test_statuses_that_are_not_listed_fail_at_once(status: int) -> None:
    assert not is_retryable(failure_of_status(status, DEFAULT_STATUSES, None), DEFAULT_STATUSES)


@pytest.mark.parametrize("status", sorted(DEFAULT_STATUSES))
def test_listed_statuses_are_retried(status: int) -> None:
    assert is_retryable(failure_of_status(status, DEFAULT_STATUSES, None), DEFAULT_STATUSES)


@pytest.mark.parametrize(("status", "kind"), [(408, "server_error"), (425, "server_error"), (429, "rate_limited"), (404, "http_status")])
def test_a_listed_status_has_the_kind_of_what_it_says(status: int, kind: FailureKind) -> None:
    assert failure_of_status(status, frozenset({status}), None).kind == kind
    assert failure_of_status(status, frozenset(), None).kind == "http_status"


@pytest.mark.parametrize(
    ("challenge", "only"),
    [
        ('Digest realm="a, Basic b", nonce="n", qop="auth"', True),
        ('digest realm="a \\", Basic c", nonce=n', True),
        ('Digest realm="a", Digest realm="a", algorithm=SHA-256', True),
        ('Digest realm="a", Basic realm="a"', False),
        ('Basic realm="a", Digest realm="a"', False),
        ("Negotiate, Digest realm=a", False),
        ("Digest realm = a, nonce =n", True),
        ("Digest", True),
        ('Basic realm="Digest"', False),
        ("", False),
    ],
)
def test_a_server_that_offers_digest_alone_is_named(challenge: str, only: bool) -> None:
    assert ("Digest" in failure_of_status(401, frozenset(), None, challenge).message) is only
    assert "Digest" not in failure_of_status(403, frozenset(), None, challenge).message


def test_what_lasts_is_not_retried_whatever_its_kind_or_status() -> None:
    failure = failure_of_host(parse_url(f"http://{'a' * 64}.example/"))
    assert failure is not None
    assert failure.kind == "dns"
    assert not is_retryable(failure, DEFAULT_STATUSES)
    assert not is_retryable(Failure("server_error", "", 503, lasting=True), DEFAULT_STATUSES)
    assert failure_of_host(parse_url(f"http://{'a' * 63}.example/")) is None


def test_a_listed_404_is_retried() -> None:
    statuses = frozenset({404})
    assert is_retryable(failure_of_status(404, statuses, None), statuses)


@pytest.mark.parametrize("kind", ["tls", "size", "too_large", "redirect", "disk_full", "permission", "path", "interrupted", "internal"])
def test_what_does_not_pass_is_not_retried(kind: FailureKind) -> None:
    assert not is_retryable(Failure(kind, ""), DEFAULT_STATUSES)


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_reads_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_an_absurd_retry_after_is_a_number_too() -> None:
    assert parse_retry_after("9" * 4000, NOW) == pytest.approx(1e18)


def test_states_are_values() -> None:
    assert RetryState() == NO_FAILURES


def test_what_is_refused_for_the_sake_of_the_pace_spends_no_retry_for_a_while() -> None:
    rules = RetryRules(max_retries=2, backoff=Backoff(initial=1, factor=2, jitter="none"))
    busy, state = Failure("server_error", "busy", 503), NO_FAILURES
    told = []
    while isinstance(decision := state.after(busy, rules, 0.0, paced=True), Wait):
        told.append((decision.seconds, decision.attempt))
        state = decision.state
    assert told == [(1, 1)] * MOST_REFUSALS + [(1, 1), (2, 2)]
    assert decision == GiveUp(f"busy (after {MOST_REFUSALS + 2} retries)")
    assert state.progressed() == NO_FAILURES


def test_retries_that_are_spent_already_or_none_at_all_are_no_matter_of_the_pace() -> None:
    busy = Failure("rate_limited", "busy", 429)
    spent = RetryState((("rate_limited", 2),))
    decision = spent.after(busy, RetryRules(max_retries=2), 0.0, paced=True)
    assert isinstance(decision, Wait)
    assert (decision.attempt, decision.limit, decision.state) == (2, 2, RetryState(spent.failures, 1))
    assert isinstance(NO_FAILURES.after(busy, RetryRules(max_retries=0), 0.0, paced=True), GiveUp)


def test_what_a_proxy_answers_to_a_tunnel_is_its_own() -> None:
    assert failure_of_connect(403) == Failure("proxy", "the proxy answered 403 Forbidden to CONNECT", 403)
    assert failure_of_connect(599) == Failure("proxy", "the proxy answered 599 to CONNECT", 599)
