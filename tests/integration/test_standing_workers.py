"""Worker processes that stand still: stopped by somebody, frozen, or hung in the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import LIMIT_S, Run, command, environment, read_report
from tests.integration.test_interrupt_and_resume import wait_until
from tests.integration.test_machine_workers import children_of
from tests.long import long
from tests.origin import Body, Good, Origin

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc, which Linux has")

#: So many that one worker does not hold them all, with URLs so long that what one holds is more than a pipe does.
MANY = 1200
LONG = "x" * 1000
BODIES = {f"{n}.bin": Body(100 + n, seed=n) for n in range(MANY)}
#: A signal has to end a run within two seconds; a busy machine gets a few more.
STOP_S = 10


def serve_many(origin: Origin, folder: Path) -> str:
    """Serve many small files and write their manifest, for two processes."""
    origin.handle_rest(lambda seen: Good(BODIES[seen.path.rpartition("/")[2]]))
    downloads = [{"url": origin.url(f"/{LONG}/{name}"), "path": name} for name in BODIES]
    execution = {"processes": 2, "threads": 8}
    (folder / "downloads.yaml").write_text(json.dumps({"version": 1, "output_dir": "data", "execution": execution, "downloads": downloads}))
    return "downloads.yaml"


def placed(folder: Path) -> int:
    """How many files have their names."""
    return sum(1 for _ in (folder / "data").glob("*.bin"))


def run_of(folder: Path, *line: str) -> subprocess.Popen[bytes]:
    """Start a run whose log goes to a file, since nobody reads a pipe meanwhile."""
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(line, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=log)


def end(folder: Path, process: subprocess.Popen[bytes]) -> Run:
    """Wait for the end of a run and read what it left."""
    code = process.wait(LIMIT_S)
    return Run(code, "", (folder / "log").read_text(), folder / "data", read_report(folder / "data"))


def workers(process: subprocess.Popen[bytes]) -> list[int]:
    """The children that run their own program by now: who stops one before that stops its parent in the call that starts it."""
    found = []
    for pid in children_of(process):
        # One may end between these two looks.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"\0-c\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


@contextlib.contextmanager
def one_stopped(folder: Path, line: Sequence[str], after: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a run and stop one of its workers once so many files are in place."""
    process = run_of(folder, *line)
    try:
        wait_until(lambda: len(workers(process)) == 2 and placed(folder) >= after, "workers at work")
        stopped = workers(process)[0]
        os.kill(stopped, signal.SIGSTOP)
        yield process, stopped
    finally:
        # What is stopped can be killed; a run that hangs has to go too.
        for pid in children_of(process) if process.poll() is None else []:
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def others_went_on(folder: Path) -> None:
    """Wait for far more files than were there, or on their way to the other worker, when the one was stopped."""
    wait_until(lambda: placed(folder) >= MANY // 2, "files of the other worker")


@pytest.mark.parametrize("after", [pytest.param(0, marks=long), 100], ids=["at its start", "in the middle"])
def test_while_a_worker_stands_still_the_others_go_on_and_it_goes_on_when_it_may(origin: Origin, tmp_path: Path, after: int) -> None:
    with one_stopped(tmp_path, command("run", serve_many(origin, tmp_path)), after) as (process, stopped):
        others_went_on(tmp_path)
        os.kill(stopped, signal.SIGCONT)
        run = end(tmp_path, process)
    assert run.code == 0, run.err[-2000:]
    assert run.events("warned") == []
    assert wrong_in(run.folder, BODIES) == []


@pytest.mark.parametrize("after", [0, pytest.param(100, marks=long)], ids=["at its start", "in the middle"])
def test_a_signal_ends_a_run_one_of_whose_workers_stands_still(origin: Origin, tmp_path: Path, after: int) -> None:
    with one_stopped(tmp_path, command("run", serve_many(origin, tmp_path)), after) as (process, stopped):
        others_went_on(tmp_path)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        run = end(tmp_path, process)
        seconds = time.monotonic() - told
    assert run.code == 143, run.err[-2000:]
    assert seconds < STOP_S
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)
    assert contradictions(run.folder, run.report) == []
    assert {entry["status"] for entry in run.report["downloads"]} <= {"downloaded", "interrupted", "skipped"}
    assert wrong_in(run.folder, BODIES, all_there=False) == []


#: A run whose patience with its workers is short, so that a test can wait for its end.
IMPATIENT = """
import sys
from marscore.execute.supervisor import members
members.PATIENCE = 3
from marscore.__main__ import main
sys.exit(main())
"""


def test_a_worker_that_stands_still_for_too_long_is_ended_and_its_downloads_go_to_another(origin: Origin, tmp_path: Path) -> None:
    line = [sys.executable, "-c", IMPATIENT, "run", serve_many(origin, tmp_path)]
    with one_stopped(tmp_path, line, 100) as (process, _):
        run = end(tmp_path, process)
    assert run.code == 0, run.err[-2000:]
    told = [warned["message"] for warned in run.events("warned")]
    assert "gives no sign of life for 3 s and is ended" in told[0]
    assert "a worker process died (signal 9)" in told[1]
    assert len(files_in(run.folder)) == MANY
    assert wrong_in(run.folder, BODIES) == []
    assert contradictions(run.folder, run.report) == []
