"""Limits of speed and of connections, on a clock that the test turns."""

from __future__ import annotations

import pytest

from marscore.policy.pacing import PACE_LEAST, PACE_WINDOW, SLOW_WINDOW, HostSlots, Lag, Pace, SpeedWatch, TokenBucket, lag_of


def test_a_connection_below_min_speed_for_a_whole_window_is_too_slow() -> None:
    watch = SpeedWatch(1000, now=0.0)
    assert not watch.too_slow(900, SLOW_WINDOW / 2)
    assert not watch.too_slow(900, SLOW_WINDOW - 0.1)
    assert watch.too_slow(900, SLOW_WINDOW)


def test_a_burst_makes_up_for_a_pause_within_the_window() -> None:
    watch = SpeedWatch(1000, now=0.0)
    assert not watch.too_slow(int(1000 * SLOW_WINDOW), SLOW_WINDOW)
    assert not watch.too_slow(1, SLOW_WINDOW * 1.5)
    assert watch.too_slow(1, SLOW_WINDOW * 2)


def test_seconds_in_which_the_rate_limit_held_us_up_are_not_the_servers() -> None:
    watch = SpeedWatch(1000, now=0.0)
    now = 0.0
    for _ in range(200):
        # What was there came at once; then the limit of 100 bytes a second made us wait.
        now += 0.01
        assert not watch.too_slow(100, now)
        now += 1.0
        watch.rested(1.0)
    watch.rested(5.0)
    assert watch.too_slow(0, now + 5.0 + SLOW_WINDOW * 2)


def test_without_min_speed_nothing_is_too_slow() -> None:
    assert not SpeedWatch(None, now=0.0).too_slow(0, 10 * SLOW_WINDOW)


def test_bytes_beyond_the_rate_are_paid_for_by_waiting() -> None:
    bucket = TokenBucket(1000, now=0.0)
    assert bucket.take(1000, now=0.0) == 1.0
    assert bucket.take(500, now=1.0) == 0.5
    assert bucket.take(0, now=100.0) == 0.0
    assert bucket.take(2 * bucket.burst, now=100.0) == bucket.burst / 1000


def test_a_debt_is_paid_off_at_the_rate() -> None:
    bucket = TokenBucket(1000, now=50.0)
    assert [bucket.take(count, now) for count, now in ((1000, 50.0), (0, 50.5), (0, 50.75), (250, 51.5))] == [1.0, 0.5, 0.25, 0.0]
    assert (bucket.burst, TokenBucket(100_000, 0.0).burst) == (1024, 25_000)


def test_a_host_gets_no_more_connections_than_its_slots_and_none_during_its_pause() -> None:
    slots = HostSlots(2)
    assert slots.free_at("h", 5.0) == 5.0
    slots.acquire("h", 5.0)
    slots.acquire("h", 5.0)
    assert slots.free_at("h", 5.0) is None
    assert slots.free_at("other", 5.0) == 5.0
    assert slots.most_used == 2
    slots.release("h")
    slots.pause("h", 9.0, 5.0)
    slots.pause("h", 7.0, 5.0)
    assert slots.free_at("h", 5.0) == 9.0
    assert slots.free_at("h", 10.0) == 10.0


def test_a_host_with_a_pace_gets_one_request_at_a_time_and_no_connection_is_given_up_for_it() -> None:
    slots = HostSlots(9)
    slots.pace("h").accepted(0.0)
    for _ in range(3):
        slots.pace("h").refused(0.0, explicit=False, too_many=False)
    free = slots.free_at("h", 0.0)
    assert free is not None
    assert free > 0.0
    assert slots.is_held_back("h", 0.0)
    assert slots.free_at("other", 0.0) == 0.0
    assert slots.free_at("h", free) == free
    slots.acquire("h", free)
    assert slots.is_held_back("h", free)


def test_the_speed_of_a_connection_is_that_of_its_last_window() -> None:
    pace = Pace(1.0)
    pace.add(10**9, now=5.0)  # What came first may have waited for long.
    pace.add(100, now=5.0 + PACE_WINDOW / 2)
    assert not pace.look(5.0 + PACE_WINDOW / 2)
    assert pace.speed is None
    pace.add(100, now=5.0 + PACE_WINDOW)
    assert pace.look(5.0 + PACE_WINDOW)
    assert pace.speed == 200 / PACE_WINDOW
    pace.add(1, now=5.5 + PACE_WINDOW)
    assert not pace.look(5.5 + PACE_WINDOW)
    assert pace.look(5.0 + 3 * PACE_WINDOW)
    assert pace.speed == 1 / (2 * PACE_WINDOW)


def test_a_connection_that_never_brings_a_byte_has_a_speed_after_a_window() -> None:
    pace = Pace(100.0)
    assert not pace.look(100.0)
    assert pace.look(100.0 + PACE_WINDOW)
    assert pace.speed == 0
    assert pace.mean(200.0) is None


def test_the_mean_of_a_connection_says_something_after_a_while() -> None:
    pace = Pace(1.0)
    pace.add(500, now=2.0)
    pace.add(100, now=2.0 + PACE_LEAST / 2)
    assert pace.mean(2.0 + PACE_LEAST / 2) is None
    pace.add(100, now=2.0 + PACE_LEAST)
    assert pace.mean(2.0 + PACE_LEAST) == 200 / PACE_LEAST


@pytest.mark.parametrize(
    ("speed", "others", "remaining", "lag"),
    [
        (29, [100, 100], 10**6, Lag(29, 100)),
        (31, [100, 100], 10**6, None),
        (10, [20, 100], 10**6, Lag(10, 60)),
        (1, [100], 10**6, None),
        (1, [], 10**6, None),
        (29, [100, 100], 58, None),
        (0, [100, 100, 100], 1, Lag(0, 100)),
    ],
    ids=["slow", "fair", "mean", "one-sibling", "alone", "nearly-done", "stalled"],
)
def test_a_connection_lags_behind_the_mean_of_two_or_more(speed: float, others: list[float], remaining: int, lag: Lag | None) -> None:
    assert lag_of(speed, others, remaining) == lag


def test_the_time_for_which_a_connection_is_held_back_is_left_out() -> None:
    pace = Pace(0.0)
    pace.add(1, now=1.0)
    pace.add(100, now=1.0 + PACE_WINDOW / 2)
    pace.hold(1.0 + PACE_WINDOW / 2)
    assert not pace.look(100.0)
    pace.go_on(101.0 + PACE_WINDOW / 2)
    assert not pace.look(101.0 + PACE_WINDOW * 3 / 4)
    assert pace.look(101.0 + PACE_WINDOW)
    assert pace.speed == 100 / PACE_WINDOW
