"""A disk without room at any stage of the state's life: with room again, every claim is there and nothing is fetched that was claimed."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from marscore.state import key_of
from tests.integration.command import Run, marscore, write
from tests.integration.test_machine_storage import limited, small_disk
from tests.long import ALL
from tests.origin import Body, Good, Origin

__all__ = ["small_disk"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits as Linux has them")
BODIES = {f"{n}.bin": Body(3000 + n, seed=n) for n in range(12)}


def served(origin: Origin, folder: Path, names: list[str]) -> str:
    return write(folder, [origin.serve(f"/{name}", BODIES[name]) for name in names], execution={"processes": 1})


def claimed(folder: Path) -> int:
    """How many claims the state holds, asked of SQLite itself."""
    with contextlib.closing(sqlite3.connect(folder / "data" / ".marscore" / "state.db")) as database:
        return int(database.execute("SELECT count(*) FROM files").fetchone()[0])


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


MIB = 1024 * 1024
NO_VALIDATOR = (("ETag", None), ("Last-Modified", None))


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("validator", [True, False])
def test_a_file_of_unknown_length_that_fills_the_disk_costs_neither_the_report_nor_a_claim(
    origin: Origin, small_disk: Path, validator: bool, processes: int
) -> None:
    endless = Good(length="chunked", fields=() if validator else NO_VALIDATOR)
    urls = [origin.serve("/large.bin", Body(12 * MIB, seed=71), [endless])]
    # Some are on their way when the disk is full, others come later.
    urls += [origin.serve(f"/{name}", body, [Good(delay_s=0.05 * n)]) for n, (name, body) in enumerate(BODIES.items())]
    more = {"execution": {"processes": processes, "threads": 2}, "defaults": {"retry": {"max_retries": 0}}}
    run = marscore("run", write(small_disk, urls, **more), cwd=small_disk)
    assert run.code == 3, run.err
    failed = {entry["path"]: entry["error"]["kind"] for entry in run.report["downloads"] if entry["error"]}
    assert failed["large.bin"] == "disk_full"
    assert set(failed.values()) == {"disk_full"}
    in_place = [name for name in BODIES if (run.folder / name).exists()]
    assert len(in_place) == run.report["totals"]["downloaded"] == claimed(small_disk)
    assert not run.events("warned")
    parts = [path for path in run.partials() if path.endswith(".part")]
    # Nor is what found no room for its journal, where the others had filled the disk before.
    assert set(parts) <= ({f"{key_of('large.bin')}.part"} if validator else set()), "only what a later run can go on with is kept"
    if not validator:
        assert len(failed) <= 5, "its room is given to the others"
    subprocess.run(["mount", "-o", "remount,size=64m", run.folder], check=True)
    again = marscore("run", "downloads.yaml", cwd=small_disk)
    assert_kept(again)
    assert (again.entry()["bytes_resumed"] > 0) is validator
    assert {entry["path"] for entry in again.report["downloads"] if entry["status"] == "up_to_date"} == set(in_place)
