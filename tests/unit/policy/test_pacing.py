"""Limits of speed and of connections, on a clock that the test turns."""

from __future__ import annotations

import pytest

from marscore.policy.hands import FAST, Hands, Reading
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
    slots.acquire("h")
    slots.acquire("h")
    assert slots.free_at("h", 5.0) is None
    assert slots.free_at("other", 5.0) == 5.0
    assert slots.most_used == 2
    slots.release("h")
    slots.pause("h", 9.0)
    slots.pause("h", 7.0)
    assert slots.free_at("h", 5.0) == 9.0
    assert slots.free_at("h", 10.0) == 10.0


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


class TestHands:
    """How many threads may work."""

    def test_one_file_begins_with_one_and_many_with_a_few(self) -> None:
        hands = Hands(most=8, cores=2)
        assert hands.allowed == 1
        hands.begin(100)
        assert hands.allowed == 4

    def test_more_while_the_process_waits_and_would_have_work_for_them(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.look(Reading(0.0, 0.0, 0), wanted=100, many_files=True)
        for tick, allowed in enumerate([2, 4, 8, 8], start=1):
            hands.look(Reading(float(tick), 0.2 * tick, 0), wanted=100, many_files=True)
            assert hands.allowed == allowed

    def test_many_more_while_the_process_does_nothing_but_wait(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.look(Reading(0.0, 0.0, 0), wanted=100, many_files=True)
        hands.look(Reading(1.0, 0.01, 0), wanted=100, many_files=True)
        assert hands.allowed == 8

    def test_no_more_where_they_would_find_nothing_to_do(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.look(Reading(0.0, 0.0, 0), wanted=8, many_files=False)
        hands.look(Reading(1.0, 0.0, 10, 1.0), wanted=1, many_files=False)
        assert hands.allowed == 1

    def test_fewer_where_many_files_leave_no_processor_time(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.begin(100)
        hands.look(Reading(0.0, 0.0, 0), wanted=100, many_files=True)
        hands.look(Reading(1.0, 1.0, 0), wanted=100, many_files=True)
        assert hands.allowed == 2

    def test_what_happened_in_a_moment_decides_nothing_and_is_counted_with_the_next_look(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.begin(100)
        hands.look(Reading(0.0, 0.0, 0), wanted=100, many_files=True)
        hands.look(Reading(0.001, 0.001, 0), wanted=0, many_files=True)
        assert hands.allowed == 4
        hands.look(Reading(1.0, 0.3, 0), wanted=100, many_files=True)
        assert hands.allowed == 8

    def test_a_growth_that_helps_stays_and_one_that_does_not_is_taken_back_and_tried_again_later(self) -> None:
        hands = Hands(most=8, cores=2)
        allowed, came = [], 0
        hands.look(Reading(0.0, 0.0, 0), wanted=100, many_files=True)
        for tick, rate in enumerate([100, 200, 210, *[200] * 12], start=1):
            came += rate
            hands.look(Reading(float(tick), 0.7 * tick, came), wanted=100, many_files=True)
            allowed.append(hands.allowed)
        assert allowed[:3] == [2, 4, 2], "2 helped, 4 did not"
        assert allowed[3:11] == [2] * 8
        assert 4 in allowed[11:]


class TestHandsOnALargeFile:
    """How many connections a large file gets: each look is after one second with one of them, of which `writing` went on writing."""

    def look(self, hands: Hands, *writing: float, used: float = 0.5, rate: int = 100) -> list[int]:
        allowed = []
        for tick in range(len(writing) + 1):
            written = sum(writing[:tick])
            hands.look(Reading(float(tick), used * tick, rate * tick, tick - written, written), wanted=8, many_files=False)
            allowed.append(hands.allowed)
        return allowed[1:]

    def test_a_connection_that_only_waits_gets_many_others(self) -> None:
        assert self.look(Hands(most=8, cores=2), 0.01, 0.01) == [8, 8]

    def test_one_that_mostly_waits_gets_some(self) -> None:
        assert self.look(Hands(most=8, cores=2), 0.15, 0.15, 0.15, 0.15) == [2, 4, 8, 8]

    def test_one_that_writes_as_long_as_it_waits_gets_none_whoever_has_the_processor(self) -> None:
        assert self.look(Hands(most=8, cores=2), 0.5, 0.5, 0.5, used=0.2) == [1, 1, 1]

    def test_a_trial_takes_its_time(self) -> None:
        hands = Hands(most=8, cores=8)
        for tick in range(6):
            hands.look(Reading(tick / 20, 0.0, tick * FAST, tick / 20, 0.0), wanted=8, many_files=False)
            assert hands.allowed == (1 if tick < 5 else 2)

    def test_one_whose_bytes_stopped_coming_waits_too(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.look(Reading(0.0, 0.0, 100, 0.0, 0.1), wanted=8, many_files=False)
        hands.look(Reading(0.2, 0.0, 100, 0.2, 0.1), wanted=8, many_files=False)
        assert hands.allowed == 8

    def test_nothing_is_decided_before_bytes_come(self) -> None:
        hands = Hands(most=8, cores=2)
        hands.look(Reading(0.0, 0.0, 0), wanted=8, many_files=False)
        hands.look(Reading(1.0, 0.1, 0), wanted=8, many_files=False)
        assert hands.allowed == 1

    def test_no_growth_without_processor_time(self) -> None:
        assert self.look(Hands(most=8, cores=2), 0.1, 0.1, used=2.0) == [1, 1]

    def test_where_one_is_fast_a_growth_is_tried(self) -> None:
        assert self.look(Hands(most=8, cores=8), 0.1, 0.1, rate=FAST) == [2, 1]

    def test_one_that_is_fast_and_busy_gets_none(self) -> None:
        assert self.look(Hands(most=8, cores=8), 0.3, 0.3, rate=FAST) == [1, 1]
