"""A disk without room at any stage of the state's life: with room again, every claim is there and nothing is fetched that was claimed."""

from __future__ import annotations

import resource
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.integration.command import Run, marscore, write
from tests.integration.test_machine_storage import limited, small_disk
from tests.long import ALL
from tests.origin import Body, Origin

__all__ = ["small_disk"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits as Linux has them")
BODIES = {f"{n}.bin": Body(3000 + n, seed=n) for n in range(12)}


def served(origin: Origin, folder: Path, names: list[str]) -> str:
    return write(folder, [origin.serve(f"/{name}", BODIES[name]) for name in names], execution={"processes": 1})


def claimed(folder: Path) -> int:
    """How many claims the state holds, asked of SQLite itself."""
    found = sqlite3.connect(folder / "data" / ".marscore" / "state.db").execute("SELECT count(*) FROM files").fetchone()
    return int(found[0])


def fill(folder: Path, leaving: int) -> Path:
    """Fill the disk but for so many pages."""
    filler = folder / "data" / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leaving * 4096))
    return filler


def assert_kept(run: Run) -> None:
    assert run.code == 0, run.err
    assert not list((run.folder / ".marscore").glob("*.damaged*"))
    assert not [event for event in run.events("warned") if "damaged" in event["message"]]


@pytest.mark.parametrize("leaving", [0, 1, 3, 8, 12, 18, 32] if ALL else [0, 8, 18])
@pytest.mark.parametrize("before", ["a first run", "a run before"])
def test_a_disk_that_is_full_throws_no_claim_away(origin: Origin, small_disk: Path, before: str, leaving: int) -> None:
    names = list(BODIES)
    there = [] if before == "a first run" else names[:6]
    if there:
        assert marscore("run", served(origin, small_disk, there), cwd=small_disk).code == 0
    manifest = served(origin, small_disk, names)
    filler = fill(small_disk, leaving)
    full = marscore("run", manifest, cwd=small_disk)
    assert full.code in (0, 3), full.err
    assert "Traceback" not in full.err
    filler.unlink()
    asked = len(origin.requests)
    again = marscore("run", manifest, cwd=small_disk)
    assert_kept(again)
    assert not {seen.path for seen in origin.requests[asked:]} & {f"/{name}" for name in there}
    assert claimed(small_disk) == len(names)
    asked = len(origin.requests)
    assert marscore("run", manifest, cwd=small_disk).report["totals"]["up_to_date"] == len(names)
    assert len(origin.requests) == asked


@pytest.mark.parametrize("limit", [0, 4096, 20_000, 40_000] if ALL else [0, 20_000])
@pytest.mark.parametrize("before", ["a first run", "a run before"])
def test_a_limit_on_the_size_of_files_throws_no_claim_away(origin: Origin, tmp_path: Path, before: str, limit: int) -> None:
    names = list(BODIES)
    there = [] if before == "a first run" else names[:6]
    if there:
        assert marscore("run", served(origin, tmp_path, there), cwd=tmp_path).code == 0
    manifest = served(origin, tmp_path, names)
    run = limited(tmp_path, manifest, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert run.code in (0, 3), run.err
    assert "Traceback" not in run.err
    asked = len(origin.requests)
    again = marscore("run", manifest, cwd=tmp_path)
    assert_kept(again)
    assert not {seen.path for seen in origin.requests[asked:]} & {f"/{name}" for name in there}
    assert claimed(tmp_path) == len(names)
