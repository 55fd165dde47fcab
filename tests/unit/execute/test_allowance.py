"""How many connections a file may have whose source refuses some."""

from __future__ import annotations

from marscore.execute.transfer.allowance import Allowance, refuses_a_connection
from marscore.execute.transfer.protocol import Moment
from marscore.policy.retry import Backoff, RetryRules
from marscore.values import Failure

RULES = RetryRules(max_retries=2, backoff=Backoff(initial=10, jitter="none"))
BUSY, FORBIDDEN = Failure("server_error", "503", 503), Failure("http_status", "403", 403)


def at(ticks: float) -> Moment:
    return Moment(1e9 + ticks, ticks, 0.5)


def test_there_are_as_many_as_threads_until_one_is_refused() -> None:
    allowed = Allowance(4, RULES)
    assert [allowed.free(n) for n in range(6)] == [4, 3, 2, 1, 0, 0]
    assert [allowed.free_at(n) for n in range(6)] == [0.0, 0.0, 0.0, 0.0, None, None]


def test_after_a_refusal_that_may_pass_one_more_is_tried_when_the_wait_is_over() -> None:
    allowed = Allowance(4, RULES)
    assert allowed.refused(BUSY, 2, at(100)) == 10
    assert [allowed.free(n) for n in range(4)] == [2, 1, 1, 0]
    assert [allowed.free_at(n) for n in range(4)] == [0.0, 0.0, 110.0, None]


def test_refusals_of_those_that_were_asked_for_together_count_once() -> None:
    allowed = Allowance(4, RULES)
    assert [allowed.refused(BUSY, others, at(100)) for others in (3, 2, 1)] == [10, None, None]
    assert [allowed.free_at(n) for n in (0, 1, 2)] == [0.0, 110.0, None]


def test_there_are_no_more_once_the_retry_rules_are_through() -> None:
    allowed = Allowance(4, RULES)
    assert [allowed.refused(BUSY, 1, at(ticks)) for ticks in (100, 110, 130, 1000)] == [10, 20, None, None]
    assert (allowed.free(1), allowed.free_at(1), allowed.free_at(0)) == (0, None, 0.0)


def test_there_are_no_more_after_a_refusal_that_does_not_pass() -> None:
    allowed = Allowance(4, RULES)
    assert allowed.refused(FORBIDDEN, 2, at(100)) is None
    assert [allowed.free_at(n) for n in (0, 1, 2, 3)] == [0.0, 0.0, None, None]


def test_each_refusal_takes_one_and_the_last_stays() -> None:
    allowed = Allowance(4, RULES)
    for others in (3, 2, 1, 0):
        allowed.refused(FORBIDDEN, others, at(100))
    assert [allowed.free(n) for n in (0, 1)] == [1, 0]
    allowed.refused(FORBIDDEN, 3, at(200))
    assert [allowed.free(n) for n in (0, 1)] == [1, 0]


def test_what_is_served_after_all_makes_room_for_one_more() -> None:
    allowed = Allowance(4, RULES)
    allowed.refused(BUSY, 1, at(100))
    allowed.accepted(2)
    assert [allowed.free_at(n) for n in (1, 2, 3)] == [0.0, 110.0, None]
    allowed.accepted(4)
    assert allowed.free_at(4) is None


def test_another_source_is_asked_as_if_nothing_had_been_refused() -> None:
    allowed = Allowance(4, RULES)
    allowed.refused(FORBIDDEN, 1, at(100))
    allowed.forget()
    assert allowed.free(1) == 3


def test_what_may_be_about_the_number_of_connections() -> None:
    assert all(map(refuses_a_connection, (BUSY, FORBIDDEN, Failure("connection", ""), Failure("timeout", ""), Failure("proxy", ""))))
    assert not any(map(refuses_a_connection, (Failure("range_mismatch", ""), Failure("tls", ""), Failure("changed", ""))))
