"""Another program has the state database locked: a run goes on, hears signals, says what is not noted, and the next one proves that."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.state import key_of
from tests.disk import wrong_in
from tests.integration.command import Run, fetch, marscore, write
from tests.integration.test_interrupt_and_resume import STOP_S, end, start, wait_until
from tests.origin import Body, Good, Origin

MIB = 1024 * 1024
#: Sizes that go to their place in all ways there are: from memory, through a partial file, and with a journal.
SIZES = [0, 1000, 40_000, 300_000, 5 * MIB, 9 * MIB]
BODIES = {f"{n}.bin": Body(SIZES[n % len(SIZES)], seed=n) for n in range(24)}
#: Each finished file used to cost five seconds.
SOON_S = 20


def served(origin: Origin, **how: float) -> list[str]:
    return [origin.serve(f"/{name}", body, [Good(**how)] if how else ()) for name, body in BODIES.items()]  # type: ignore[arg-type]


@contextlib.contextmanager
def locked(state: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Another program's lock on a state database."""
    with contextlib.closing(sqlite3.connect(state, isolation_level=None, check_same_thread=False)) as other:
        for statement in how.split(";"):
            other.execute(statement)
        yield other


def state_of(folder: Path, origin: Origin) -> Path:
    """The state database of a folder in which a run has been."""
    assert fetch(folder, origin.serve("/first.bin", Body(10))).code == 0
    return folder / "data" / ".marscore" / "state.db"


def assert_next_run_asks_nobody(origin: Origin, folder: Path) -> None:
    asked = len(origin.requests)
    again = marscore("run", "downloads.yaml", cwd=folder)
    assert again.code == 0
    assert {entry["status"] for entry in again.report["downloads"]} == {"up_to_date"}
    assert len(origin.requests) == asked
    assert not again.events("warned")
    assert not {key_of(path) for path in BODIES} & {name.partition(".")[0] for name in again.partials()}
    assert marscore("run", "downloads.yaml", cwd=folder).report["totals"]["up_to_date"] == len(BODIES)


@pytest.mark.parametrize("how", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_lock_that_stays_costs_no_file_and_little_time_and_the_next_run_proves_what_was_not_noted(
    origin: Origin, tmp_path: Path, how: str
) -> None:
    state = state_of(tmp_path, origin)
    with locked(state, how):
        began = time.monotonic()
        run = fetch(tmp_path, *served(origin))
        assert time.monotonic() - began < SOON_S
    assert run.code == 0
    assert wrong_in(run.folder, BODIES) == []
    assert_told(run)
    assert_next_run_asks_nobody(origin, tmp_path)


def assert_told(run: Run) -> None:
    [warned] = [event["message"] for event in run.events("warned")]
    assert "not all that is in place could be noted" in warned
    assert "database is locked by another program" in warned


def test_a_lock_that_passes_leaves_no_trace(origin: Origin, tmp_path: Path) -> None:
    state = state_of(tmp_path, origin)
    urls = [*served(origin), origin.serve("/slow.bin", Body(3 * MIB, seed=99), [Good(rate=MIB)])]
    manifest = write(tmp_path, urls)
    with locked(state) as other:
        process = start(tmp_path, manifest)
        wait_until(lambda: (tmp_path / "data" / "1.bin").exists(), "a file in place")
        other.execute("ROLLBACK")
        run = end(tmp_path, process)
    assert run.code == 0
    assert not run.events("warned")
    assert run.partials() == []
    assert fetch(tmp_path, *urls).report["totals"]["up_to_date"] == len(urls)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_is_heard_while_the_state_is_locked(origin: Origin, tmp_path: Path, processes: int) -> None:
    state = state_of(tmp_path, origin)
    held = origin.serve("/held.bin", Body(60 * MIB), [Good(stall_after=MIB, stall_s=120)])
    manifest = write(tmp_path, [*served(origin), held], execution={"processes": processes})
    with locked(state):
        process = start(tmp_path, manifest)
        wait_until(lambda: all((tmp_path / "data" / name).exists() for name in BODIES), "all but one in place")
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        run = end(tmp_path, process)
        assert time.monotonic() - told < STOP_S
    assert run.code == 143
    assert run.report["status"] == "interrupted"
    assert_told(run)
    write(tmp_path, [origin.url(f"/{name}") for name in BODIES])
    assert_next_run_asks_nobody(origin, tmp_path)


def test_a_database_that_nobody_else_may_read_is_waited_for_and_then_named(origin: Origin, tmp_path: Path) -> None:
    state = state_of(tmp_path, origin)
    manifest = write(tmp_path, [origin.url("/first.bin")])
    asked = len(origin.requests)
    with locked(state, "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE"):
        began = time.monotonic()
        run = marscore("run", manifest, cwd=tmp_path)
        assert time.monotonic() - began < SOON_S
    assert run.code == 3
    assert "cannot tell what is in place\n" in run.err
    assert "locked by another program" in run.err
    assert "Traceback" not in run.err
    assert len(origin.requests) == asked, "what is in place is not known, so nothing is fetched"
    assert not state.with_name("state.db.damaged").exists()
    with locked(state, "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE") as other:
        threading.Timer(1, other.close).start()
        run = marscore("run", manifest, cwd=tmp_path)
        assert (run.code, run.entry()["status"]) == (0, "up_to_date")
