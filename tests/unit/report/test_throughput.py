"""Bytes by time, in a bounded number of samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marscore.report.throughput import INTERVAL, MOST, Throughput


@given(st.lists(st.tuples(st.floats(-10, 1e9), st.floats(0, 1e4), st.integers(0, 2**40)), max_size=50))
def test_nothing_is_lost_and_the_samples_are_few(readings: list[tuple[float, float, int]]) -> None:
    throughput = Throughput()
    for until, took, count in readings:
        throughput.add(until - took, until, count)
    assert sum(throughput.bytes) == sum(count for *_, count in readings)
    assert min(throughput.bytes, default=0) >= 0
    assert len(throughput.bytes) <= MOST


def test_a_reading_is_in_the_interval_in_which_it_came() -> None:
    throughput = Throughput()
    throughput.add(0.01, 0.05, 1)
    throughput.add(0.51, 0.55, 2)
    assert (throughput.interval_s, throughput.bytes) == (INTERVAL, [1, 0, 0, 0, 0, 2])


def test_a_longer_run_has_longer_intervals() -> None:
    throughput = Throughput()
    for tenth in range(2 * MOST):
        throughput.add((tenth + 0.4) / 10, (tenth + 0.5) / 10, 1)
    assert (throughput.interval_s, throughput.bytes) == (2 * INTERVAL, [2] * MOST)


def test_what_came_over_several_intervals_is_spread_over_them() -> None:
    throughput = Throughput()
    throughput.add(0.05, 0.35, 60)
    assert throughput.bytes == [10, 20, 20, 10]
