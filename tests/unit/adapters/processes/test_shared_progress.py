"""Readings of progress in shared memory: what is read is what was last shown, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from marscore.adapters.processes.shared_progress import MOST, Gauge, new_gauge
from marscore.events import ProgressMade

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memory without a file")

ONE = ProgressMade(1.5, "downloads[0]", 10, 100, 12, 2, 1)
OTHER = ProgressMade(2.5, "downloads[123456][7654321]", 0, None, 2**40, 0, 0)


@pytest.fixture
def gauge() -> Iterator[Gauge]:
    made = new_gauge()
    assert made
    with closing(made):
        yield made


def test_nothing_is_there_before_anything_was_shown(gauge: Gauge) -> None:
    assert gauge.read() == []


def test_the_last_readings_are_read(gauge: Gauge) -> None:
    gauge.show([ONE, OTHER])
    assert gauge.read() == [ONE, OTHER]
    gauge.show([OTHER])
    assert gauge.read() == [OTHER]
    gauge.show([])
    assert gauge.read() == []


def test_no_more_than_there_is_room_for(gauge: Gauge) -> None:
    gauge.show([ONE] * (MOST + 1))
    assert gauge.read() == [ONE] * MOST


def test_what_is_being_written_over_is_passed_over(gauge: Gauge) -> None:
    gauge.show([ONE, OTHER])
    os.pwrite(gauge.handle, b"\x07", 20)
    assert gauge.read() == []


def test_another_process_sees_it(gauge: Gauge) -> None:
    gauge.show([ONE])
    say = f"from marscore.adapters.processes.shared_progress import Gauge; print(Gauge({gauge.handle}).read()[0].bytes_done)"
    done = subprocess.run([sys.executable, "-c", say], pass_fds=[gauge.handle], capture_output=True, text=True, check=True)
    assert done.stdout == "10\n"
