"""Runs whose workers are actors of a Ray cluster: a real head, and workers that are processes of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import command, environment, marscore
from tests.integration.test_dask import SECRET, STOP_S, left_of_workers, serve_slowly
from tests.integration.test_interrupt_and_resume import wait_until
from tests.integration.test_standing_workers import BODIES, end, placed, run_of
from tests.origin import Body, Good, Origin
from tests.servers.ray import Ray, ray

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc, which Linux has")

#: Without a token, which Ray else makes in the home folder.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture(autouse=True)
def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cluster() -> Iterator[Ray]:
    with ray(3, environment(ENVIRONMENT)) as running:
        yield running


def engine(cluster: Ray) -> list[str]:
    return ["--engine", "ray", "--engine-address", cluster.address]


def actors() -> list[int]:
    """Ray names its processes by what they do."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _is_relay(entry)]


def _is_relay(entry: Path) -> bool:
    try:
        return (entry / "cmdline").read_bytes().startswith(b"ray::RayRelay")
    except OSError:
        return False


def test_every_file_comes_once_though_a_worker_is_killed_midway(origin: Origin, tmp_path: Path, cluster: Ray) -> None:
    process = run_of(tmp_path, *command("run", serve_slowly(origin, tmp_path), *engine(cluster)))
    wait_until(lambda: placed(tmp_path) >= 300, "files")
    os.kill(actors()[0], signal.SIGKILL)
    run = end(tmp_path, process)
    assert run.code == 0, run.err[-2000:]
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded"] * len(BODIES)
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES) == []
    assert sorted(files_in(run.folder)) == sorted(BODIES)
    assert left_of_workers(run.folder) == []
    assert any("go to another" in event["message"] for event in run.events("warned"))


def test_a_head_that_dies_ends_the_run_by_name(origin: Origin, tmp_path: Path, cluster: Ray) -> None:
    process = run_of(tmp_path, *command("run", serve_slowly(origin, tmp_path), *engine(cluster)))
    wait_until(lambda: placed(tmp_path) >= 100, "files")
    cluster.end()
    run = end(tmp_path, process)
    assert run.code == 3, run.err[-2000:]
    assert f"the Ray cluster at {cluster.address}" in run.err
    assert "Traceback" not in run.err
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES, all_there=False) == []
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert left_of_workers(run.folder) == []


def test_a_signal_ends_the_run_in_order_and_nothing_of_a_secret_is_in_the_logs(origin: Origin, tmp_path: Path, cluster: Ray) -> None:
    big = Body(64 * 1024 * 1024, seed=7)
    origin.serve("/big", big, [Good(rate=8 * 1024 * 1024)] * 50)
    (tmp_path / "downloads.yaml").write_text(
        f"version: 1\noutput_dir: data\ndefaults: {{headers: {{Authorization: '{SECRET}'}}}}\n"
        f"downloads: [{{url: '{origin.url('/big')}', path: big}}]\n"
    )
    process = run_of(tmp_path, *command("run", "downloads.yaml", *engine(cluster)))
    wait_until(lambda: any(path.stat().st_size for path in (tmp_path / "data").rglob("*.journal")), "pieces")
    process.send_signal(signal.SIGINT)
    told = time.monotonic()
    run = end(tmp_path, process)
    assert time.monotonic() - told < STOP_S
    assert run.code == 130, run.err[-2000:]
    assert run.report["downloads"][0]["status"] == "interrupted"
    assert not (run.folder / ".marscore" / "workers").exists()
    assert {seen.fields["authorization"] for seen in origin.requests} == {SECRET}
    assert b"RayRelay" in (logs := cluster.logs())
    assert SECRET.encode() not in logs
    origin.serve("/big", big)
    again = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert again.code == 0
    assert again.report["totals"]["bytes_resumed"] > 0
    assert wrong_in(run.folder, {"big": big}) == []
