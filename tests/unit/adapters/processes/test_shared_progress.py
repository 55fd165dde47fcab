"""Readings of progress in shared memory: what is read is what was last shown, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from marscore.adapters.processes.shared_progress import MOST, SharedProgress, new_shared_progress
from marscore.events import ProgressMade

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memory without a file")

ONE = ProgressMade(1.5, "downloads[0]", 10, 100, 12, 2, 1)
OTHER = ProgressMade(2.5, "downloads[123456][7654321]", 0, None, 2**40, 0, 0)


@pytest.fixture
def shared() -> Iterator[SharedProgress]:
    made = new_shared_progress()
    assert made
    with closing(made):
        yield made


def test_nothing_is_there_before_anything_was_shown(shared: SharedProgress) -> None:
    assert shared.read() == []


def test_the_last_readings_are_read(shared: SharedProgress) -> None:
    shared.show([ONE, OTHER])
    assert shared.read() == [ONE, OTHER]
    shared.show([OTHER])
    assert shared.read() == [OTHER]
    shared.show([])
    assert shared.read() == []


def test_no_more_than_there_is_room_for(shared: SharedProgress) -> None:
    shared.show([ONE] * (MOST + 1))
    assert shared.read() == [ONE] * MOST


def test_what_is_being_written_over_is_passed_over(shared: SharedProgress) -> None:
    shared.show([ONE, OTHER])
    os.pwrite(shared.handle, b"\x07", 20)
    assert shared.read() == []


def test_another_process_sees_it(shared: SharedProgress) -> None:
    shared.show([ONE])
    place = "from marscore.adapters.processes.shared_progress import SharedProgress"
    say = f"{place}; print(SharedProgress({shared.handle}).read()[0].bytes_done)"
    done = subprocess.run([sys.executable, "-c", say], pass_fds=[shared.handle], capture_output=True, text=True, check=True)
    assert done.stdout == "10\n"
