"""What runs leave in one folder for each other: a run that ends well takes away its own, and what everybody has forgotten."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from marscore.state import key_of
from tests.disk import wrong_in
from tests.integration.command import Run, fetch, marscore, write
from tests.origin import Body, Good, Origin

MIB = 1024 * 1024
LARGE = Body(14 * MIB, seed=51)
SMALL = Body(30_000, seed=52)
ONCE = {"defaults": {"threads": 1, "retry": {"max_retries": 0}}}
DAYS = 24 * 3600


def begin(origin: Origin, folder: Path, name: str = "large.bin") -> str:
    """Leave a part of a large file in the output folder; return its URL, which serves it whole from now on."""
    url = origin.serve(f"/{name}", LARGE, [Good(cut_after=9 * MIB)])
    assert fetch(folder, url, **ONCE).code == 1
    assert sorted(partials(folder)) == [f"{key_of(name)}.journal", f"{key_of(name)}.part"]
    origin.serve(f"/{name}", LARGE)
    return url


def partials(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in (folder / "data" / ".marscore" / "partial").glob("*")}


def age(folder: Path, days: float, name: str) -> None:
    """Let what is left of a file be so old."""
    then = time.time() - days * DAYS
    for path in partials(folder).values():
        if path.stem == key_of(name):
            os.utime(path, (then, then))


def assert_resumed(run: Run) -> None:
    assert run.code == 0
    assert run.entry()["bytes_resumed"] >= 8 * MIB
    assert wrong_in(run.folder, {run.entry()["path"]: LARGE}) == []
    assert run.partials() == []


def test_a_run_of_another_manifest_leaves_what_others_can_resume(origin: Origin, tmp_path: Path) -> None:
    url = begin(origin, tmp_path)
    left = {name: path.read_bytes() for name, path in partials(tmp_path).items()}
    other = fetch(tmp_path, origin.serve("/small.bin", SMALL), origin.serve("/other.bin", LARGE))
    assert other.code == 0
    assert {name: path.read_bytes() for name, path in partials(tmp_path).items()} == left
    assert not other.events("warned")
    assert_resumed(fetch(tmp_path, url))


def test_a_get_into_the_same_folder_leaves_what_others_can_resume(origin: Origin, tmp_path: Path) -> None:
    url = begin(origin, tmp_path)
    assert marscore("get", origin.serve("/small.bin", SMALL), "--output-dir", "data", cwd=tmp_path).code == 0
    assert_resumed(fetch(tmp_path, url))


def test_a_run_of_a_part_of_the_manifest_removes_its_own_and_leaves_the_others(origin: Origin, tmp_path: Path) -> None:
    urls = [begin(origin, tmp_path), origin.serve("/small.bin", SMALL)]
    (tmp_path / "data" / ".marscore" / "partial" / f"{key_of('small.bin')}.part").write_bytes(b"left by a run that was killed")
    manifest = write(tmp_path, urls)
    assert marscore("run", manifest, "--only", "small.bin", cwd=tmp_path).code == 0
    assert {path.stem for path in partials(tmp_path).values()} == {key_of("large.bin")}
    assert_resumed(marscore("run", manifest, cwd=tmp_path))


@pytest.mark.parametrize("suffix", ["part", "journal"])
def test_what_is_left_of_a_file_in_place_goes_though_nothing_is_to_be_done(origin: Origin, tmp_path: Path, suffix: str) -> None:
    url = origin.serve("/small.bin", SMALL)
    assert fetch(tmp_path, url).code == 0
    folder = tmp_path / "data" / ".marscore" / "partial"
    folder.mkdir(exist_ok=True)
    (folder / f"{key_of('small.bin')}.{suffix}").write_bytes(b"left")
    run = fetch(tmp_path, url)
    assert (run.code, run.entry()["status"]) == (0, "up_to_date")
    assert run.partials() == []


def test_a_run_that_fails_removes_what_is_left_of_those_that_are_in_place(origin: Origin, tmp_path: Path) -> None:
    url = begin(origin, tmp_path)
    run = fetch(tmp_path, url, origin.url("/missing.bin"))
    assert run.code == 1
    assert (run.entry()["status"], run.partials()) == ("downloaded", [])


def test_a_part_that_nobody_went_on_with_for_a_month_goes_and_the_log_says_so(origin: Origin, tmp_path: Path) -> None:
    begin(origin, tmp_path, "old.bin")
    old = set(partials(tmp_path).values())
    young = origin.serve("/young.bin", LARGE, [Good(cut_after=9 * MIB)])
    assert fetch(tmp_path, young, **ONCE).code == 1
    age(tmp_path, 31, "old.bin")
    age(tmp_path, 29, "young.bin")
    failed = fetch(tmp_path, origin.url("/missing.bin"), **ONCE)
    assert failed.code == 1
    assert all(path.exists() for path in old), "a run that failed has other worries"
    run = fetch(tmp_path, origin.serve("/small.bin", SMALL))
    assert run.code == 0
    assert {path.stem for path in partials(tmp_path).values()} == {key_of("young.bin")}
    [warned] = run.events("warned")
    assert warned["message"].startswith("removed a part of a download that nobody went on with for 30 days (")
    assert "MiB)" in warned["message"]


def test_a_part_of_this_run_is_gone_on_with_however_old_it_is(origin: Origin, tmp_path: Path) -> None:
    url = begin(origin, tmp_path)
    age(tmp_path, 400, "large.bin")
    assert_resumed(fetch(tmp_path, url))
