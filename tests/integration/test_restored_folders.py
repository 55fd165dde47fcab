"""Folders that were copied, restored from a cache or touched: what has the right content is kept, and nobody is asked for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import Run, fetch, marscore, write
from tests.integration.test_interrupt_and_resume import end, start, wait_until
from tests.origin import Body, Origin

MIB = 1024 * 1024
BODIES = {"small.bin": Body(2000), "deep/middle.bin": Body(2 * MIB, seed=2), "large.bin": Body(9 * MIB, seed=3), "empty.bin": Body(0)}


def entries(origin: Origin, checksum: bool) -> list[object]:
    urls = {path: origin.serve(f"/{path}", body) for path, body in BODIES.items()}
    return [{"url": url, "path": path, **({"checksum": f"sha256:{BODIES[path].sha256}"} if checksum else {})} for path, url in urls.items()]


def copied(data: Path) -> None:
    """`cp -r`: new inodes and new times, the state among them."""
    shutil.copytree(data, data.with_name("copy"), copy_function=shutil.copy)
    shutil.rmtree(data)
    data.with_name("copy").rename(data)


def restored(data: Path) -> None:
    """As an archive of a cache does it: new inodes, times to the second."""
    for path in data.rglob("*"):
        if path.is_file() and ".marscore" not in path.parts:
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
            os.utime(path, (1_700_000_000, 1_700_000_000))


def touched(data: Path) -> None:
    for path in BODIES:
        (data / path).touch()


@pytest.mark.parametrize("change", [copied, restored, touched])
@pytest.mark.parametrize("checksum", [True, False])
def test_what_has_the_right_content_is_kept_without_a_request(
    origin: Origin, tmp_path: Path, change: Callable[[Path], None], checksum: bool
) -> None:
    wanted = entries(origin, checksum)
    assert fetch(tmp_path, *wanted).code == 0
    change(tmp_path / "data")
    plan = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path)
    assert [entry["action"] for entry in json.loads(plan.out)["downloads"]] == ["prove"] * len(BODIES)
    before = len(origin.requests)
    again = fetch(tmp_path, *wanted)
    assert again.code == 0
    assert {entry["status"] for entry in again.report["downloads"]} == {"up_to_date"}
    [told] = again.events("proving_started")
    assert (told["files"], told["bytes"]) == (len(BODIES), sum(body.length for body in BODIES.values()))
    third = fetch(tmp_path, *wanted)
    assert not third.events("proving_started")
    assert len(origin.requests) == before
    assert wrong_in(tmp_path / "data", BODIES) == []


@pytest.mark.parametrize("checksum", [True, False])
def test_what_only_looks_like_it_is_fetched_again(origin: Origin, tmp_path: Path, checksum: bool) -> None:
    wanted = entries(origin, checksum)
    assert fetch(tmp_path, *wanted).code == 0
    touched(tmp_path / "data")
    other = bytearray((tmp_path / "data" / "large.bin").read_bytes())
    other[5 * MIB] ^= 1
    (tmp_path / "data" / "large.bin").write_bytes(other)
    again = fetch(tmp_path, *wanted)
    assert again.code == 0
    assert statuses(again) == {path: "downloaded" if path == "large.bin" else "up_to_date" for path in BODIES}
    assert wrong_in(tmp_path / "data", BODIES) == []


def statuses(run: Run) -> dict[str, str]:
    return {entry["path"]: entry["status"] for entry in run.report["downloads"]}


def test_a_restored_file_that_is_refreshed_is_asked_about_and_not_fetched(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(MIB))
    assert fetch(tmp_path, {"url": url, "if_exists": "refresh"}).code == 0
    (tmp_path / "data" / "a.bin").touch()
    again = fetch(tmp_path, {"url": url, "if_exists": "refresh"})
    assert (again.code, again.entry()["status"], again.entry()["bytes_downloaded"]) == (0, "up_to_date", 0)
    assert [seen.fields.get("if-none-match") for seen in origin.requests] == [None, '"v1"']


def test_a_stop_while_files_are_hashed_is_heard_at_once(origin: Origin, tmp_path: Path) -> None:
    body = Body(2000)
    url = origin.serve("/a.bin", body)
    assert fetch(tmp_path, url).code == 0
    # Gigabytes without a block on the disk: to hash them takes longer than the stop may.
    with (tmp_path / "data" / "large.bin").open("wb") as file:
        file.truncate(200 * 1024 * MIB)
    large = {"url": origin.serve("/large.bin", Body(1)), "checksum": f"sha256:{body.sha256}"}
    process = start(tmp_path, write(tmp_path, [url, large]))
    assert process.stderr is not None
    wait_until(lambda: "proving_started" in process.stderr.readline(), "the hashing")
    process.send_signal(signal.SIGTERM)
    run = end(tmp_path, process)
    assert run.code == 143
    assert statuses(run) == {"a.bin": "interrupted", "large.bin": "interrupted"}
