"""Worker processes that are killed again and again, while they hold many downloads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from marscore.adapters.state.lock import hold
from tests.disk import contradictions, files_in, wrong_in
from tests.integration.command import command, write
from tests.integration.test_interrupt_and_resume import wait_until
from tests.integration.test_machine_workers import children_of
from tests.integration.test_standing_workers import BODIES, end, placed, run_of, serve_many, workers
from tests.origin import Origin

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc, which Linux has")


def test_of_the_downloads_of_two_killed_workers_only_those_that_both_had_begun_may_fail(origin: Origin, tmp_path: Path) -> None:
    process = run_of(tmp_path, *command("run", serve_many(origin, tmp_path)))
    killed: set[int] = set()
    for count in range(4):
        wait_until(lambda count=count: process.poll() is not None or placed(tmp_path) >= 40 * (count + 1), "files")
        for pid in set(workers(process)) - killed if process.poll() is None else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    run = end(tmp_path, process)
    assert len(killed) >= 4
    assert run.code in (0, 1), run.err[-2000:]
    failed = [entry for entry in run.report["downloads"] if entry["status"] != "downloaded"]
    # Each of two processes has at most eight under way, and dies at most four times.
    assert len(failed) <= 2 * 8 * 2, [entry["error"] for entry in failed]
    assert contradictions(run.folder, run.report) == []
    assert wrong_in(run.folder, BODIES, all_there=False) == []


def test_workers_that_are_killed_as_soon_as_they_are_there_end_the_run_by_name(origin: Origin, tmp_path: Path) -> None:
    process = run_of(tmp_path, *command("run", serve_many(origin, tmp_path)))

    def kill_all() -> bool:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in workers(process):
                os.kill(pid, signal.SIGKILL)
        return process.poll() is not None

    wait_until(kill_all, "the end of the run")
    run = end(tmp_path, process)
    assert run.code in (0, 1), run.err[-2000:]
    assert len(run.report["downloads"]) == len(BODIES)
    assert wrong_in(run.folder, BODIES, all_there=run.code == 0) == []


@pytest.mark.parametrize("after_ms", [0, 5, 20, 60, 150])
def test_a_run_that_is_killed_while_its_workers_start_leaves_no_traceback(origin: Origin, tmp_path: Path, after_ms: int) -> None:
    process = run_of(tmp_path, *command("run", serve_many(origin, tmp_path)))
    wait_until(lambda: bool(children_of(process)), "a child")
    time.sleep(after_ms / 1000)
    process.kill()
    process.wait()
    with hold(tmp_path / "data" / ".marscore", outlive=60):
        assert "Traceback" not in (tmp_path / "log").read_text()


#: A run whose worker finds no memory for anything any more, not even for the end of its downloads.
WITHOUT_MEMORY = """
import sys
from marscore.execute.worker.engine import Engine
def fails(*arguments):
    raise MemoryError
Engine.fill = Engine.stop = fails
from marscore.__main__ import main
sys.exit(main())
"""


def test_a_worker_without_memory_for_the_end_of_its_downloads_ends_the_run_by_name(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{name}", BODIES[name]) for name in list(BODIES)[:3]]
    manifest = write(tmp_path, urls, execution={"processes": 1})
    run = end(tmp_path, run_of(tmp_path, sys.executable, "-c", WITHOUT_MEMORY, "run", manifest))
    assert run.code == 1
    # It may have died before it was given any: these are skipped.
    assert {entry["status"] for entry in run.report["downloads"]} <= {"failed", "skipped"}
    assert "the system gives too little memory" in run.err
    assert "Traceback" not in run.err
    assert files_in(run.folder) == {}
