"""A run whose standard streams are closed or broken ends as right as any other and writes its report."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, command, environment, read_report, write
from tests.origin import Body, Origin, Status

FILES = [Body(300_000, seed=n) for n in range(4)]


def run_by_shell(folder: Path, manifest: str, redirections: str) -> subprocess.CompletedProcess[bytes]:
    """Run marscore by a shell, which can close descriptors."""
    line = f"exec {shlex.join(command('run', manifest, '--log-file', 'run.log'))} {redirections}"
    return subprocess.run(["sh", "-c", line], cwd=folder, env=environment(), capture_output=True, timeout=LIMIT_S, check=False)


def is_complete(folder: Path) -> bool:
    return all((folder / "data" / f"{n}.bin").read_bytes() == body.read(0, body.length) for n, body in enumerate(FILES))


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes descriptors is POSIX")
@pytest.mark.parametrize(
    ("redirections", "processes"),
    [("2>&-", 1), ("2>&-", 2), ("<&- >&- 2>&-", 2), (">/dev/full 2>&1", 1)],
)
def test_closed_or_full_standard_streams_change_nothing(origin: Origin, tmp_path: Path, redirections: str, processes: int) -> None:
    urls = [origin.serve(f"/{n}.bin", body) for n, body in enumerate(FILES)]
    done = run_by_shell(tmp_path, write(tmp_path, urls, execution={"processes": processes}), redirections)
    assert done.returncode == 0, done.stderr
    assert is_complete(tmp_path)
    report = read_report(tmp_path / "data")
    assert report["status"] == "succeeded"
    assert report["totals"]["downloaded"] == len(FILES)
    assert report["totals"]["retries"] == 0
    assert "died" not in (tmp_path / "run.log").read_text(), "every worker process lived"


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes descriptors is POSIX")
def test_a_failure_without_standard_streams_is_told_by_exit_code_and_report(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.script("/gone.bin", [Status(404)]), *(origin.serve(f"/{n}.bin", body) for n, body in enumerate(FILES))]
    assert run_by_shell(tmp_path, write(tmp_path, urls), "<&- >&- 2>&-").returncode == 1
    assert is_complete(tmp_path)
    assert read_report(tmp_path / "data")["downloads"][0]["error"]["status"] == 404


def test_a_standard_error_that_nobody_reads_any_more_changes_nothing(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", body) for n, body in enumerate(FILES)]
    manifest = write(tmp_path, urls, execution={"processes": 1})
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command("run", manifest, "--log-level", "debug", "--log-file", "run.log"),
            cwd=tmp_path,
            env=environment(),
            stdout=writing,
            stderr=writing,
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert is_complete(tmp_path)
    assert read_report(tmp_path / "data")["status"] == "succeeded"
    assert '"run_finished"' in (tmp_path / "run.log").read_text(), "the other outputs of the log go on"
