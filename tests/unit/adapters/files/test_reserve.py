"""Room that is kept for the report: it is really taken, has no name, and never stands in a run's way."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from marscore.adapters.files.reserve import Reserve
from tests.integration.test_machine_storage import small_disk

__all__ = ["small_disk"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits as Linux has them")
MIB = 1024 * 1024


def free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@pytest.mark.parametrize(("downloads", "taken"), [(0, 128 * 1024), (1000, 128 * 1024 + 1024 * 1000), (10**6, 2 * MIB)])
def test_room_is_held_without_a_name_and_given_back(small_disk: Path, downloads: int, taken: int) -> None:
    folder = small_disk / "data"
    before = free(folder)
    reserve = Reserve(folder, downloads)
    assert before - free(folder) == pytest.approx(taken, abs=8192)
    assert list(folder.iterdir()) == []
    reserve.release()
    reserve.release()
    assert free(folder) == before


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path) -> None:
    Reserve(tmp_path / "not there", 1).release()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        Reserve(tmp_path, 1).release()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
