"""Bytes by time, in a bounded number of samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marscore.report.throughput import INTERVAL, MOST, Throughput


@given(st.lists(st.tuples(st.floats(-10, 1e9), st.integers(0, 2**40)), max_size=50))
def test_nothing_is_lost_and_the_samples_are_few(readings: list[tuple[float, int]]) -> None:
    throughput = Throughput()
    for seconds, count in readings:
        throughput.add(seconds, count)
    assert sum(throughput.bytes) == sum(count for _, count in readings)
    assert len(throughput.bytes) <= MOST


def test_a_reading_is_in_the_interval_in_which_it_came() -> None:
    throughput = Throughput()
    throughput.add(0.05, 1)
    throughput.add(0.55, 2)
    assert (throughput.interval_s, throughput.bytes) == (INTERVAL, [1, 0, 0, 0, 0, 2])


def test_a_longer_run_has_longer_intervals() -> None:
    throughput = Throughput()
    for tenth in range(2 * MOST):
        throughput.add((tenth + 0.5) / 10, 1)
    assert (throughput.interval_s, throughput.bytes) == (2 * INTERVAL, [2] * MOST)
