"""A run whose standard streams are closed or broken ends as right as any other and writes its report."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, command, environment, read_report, write
from tests.integration.command import marscore as called
from tests.long import ALL
from tests.origin import Body, Good, Origin, Status

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


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that takes 4 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount one: run the tests as root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


WRITTEN = ["schema manifest", "report made.json --html -", "--help", "get --help", "--version", "cache dir --help"]
FULL = [(argv, unbuffered, room) for argv in WRITTEN for unbuffered in ("", "1") for room in (0, 10)]


# A third of them has each line, and each of the four ways.
@pytest.mark.parametrize(("arguments", "unbuffered", "room"), FULL if ALL else FULL[::3])
def test_what_does_not_fit_onto_the_disk_of_standard_output_is_told(
    origin: Origin, tmp_path: Path, tiny_disk: Path, arguments: str, unbuffered: str, room: int
) -> None:
    if "made.json" in arguments:
        assert called("run", write(tmp_path, []), "--report", "made.json", cwd=tmp_path).code == 0
    (tiny_disk / "out").write_bytes(b"-" * (4096 - room))
    done = onto(tiny_disk / "out", tmp_path, *arguments.split(), PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (3, b"marscore: cannot write to standard output: No space left on device\n")


def onto(out: Path, folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run marscore with its standard output appended to a file."""
    with out.open("ab") as stdout:
        return subprocess.run(
            command(*arguments), cwd=folder, env=environment(env), stdout=stdout, stderr=subprocess.PIPE, timeout=LIMIT_S, check=False
        )


@pytest.mark.parametrize("named", ["file", "-", "pipe"])
def test_a_log_file_that_the_system_does_not_take_is_told(origin: Origin, tmp_path: Path, tiny_disk: Path, named: str) -> None:
    manifest = write(tmp_path, [origin.serve(f"/{n}.bin", body) for n, body in enumerate(FILES)])
    log = tiny_disk / "run.log"
    log.write_bytes(b"-" * 3000 + b"\n")
    if named == "pipe":
        line = f"{shlex.join(command('run', manifest, '--log-file', '-'))} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, timeout=LIMIT_S, check=False)
        told = "marscore: cannot write the log file to standard output: Broken pipe"
    elif named == "-":
        done = onto(log, tmp_path, "run", manifest, "--log-file", "-")
        told = "marscore: cannot write the log file to standard output: No space left on device"
    else:
        done = onto(tmp_path / "out", tmp_path, "run", manifest, "--log-file", str(log))
        told = f"marscore: cannot write the log file {log}: No space left on device"
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, lines[-1]) == (3, told)
    assert lines[-3].startswith("4 downloads: 4 downloaded;")
    assert is_complete(tmp_path)
    assert read_report(tmp_path / "data")["totals"]["downloaded"] == 4


def test_a_log_file_that_breaks_off_while_files_are_fetched_is_in_the_report(origin: Origin, tmp_path: Path, tiny_disk: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", body) for n, body in enumerate(FILES)]
    held = origin.serve("/held.bin", Body(1000), [Good(stall_after=500, stall_s=1)])
    (tiny_disk / "run.log").write_bytes(b"-" * 4095 + b"\n")
    run = called("run", write(tmp_path, [*urls, held]), "--log-file", str(tiny_disk / "run.log"), cwd=tmp_path)
    assert (run.code, run.report["exit_code"], run.report["status"]) == (3, 3, "failed")
    assert any("cannot write the log file" in warning for warning in run.report["warnings"])
    (finished,) = run.events("run_finished")
    assert (finished["downloaded"], finished["exit_code"]) == (5, 3)


def test_a_log_file_of_other_verbs_that_is_full_is_told_too(origin: Origin, tmp_path: Path, tiny_disk: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/0.bin", FILES[0])])
    assert called("run", manifest, cwd=tmp_path).code == 0
    (tiny_disk / "log").write_bytes(b"-" * 4096)
    for verb in (["outdated", manifest], ["get", origin.url("/0.bin")], ["lock", manifest]):
        done = called(*verb, "--log-file", str(tiny_disk / "log"), cwd=tmp_path)
        assert (verb[0], done.code) == (verb[0], 3)
        assert f"marscore: cannot write the log file {tiny_disk / 'log'}: No space left on device" in done.err.splitlines()
