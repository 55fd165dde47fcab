"""A state database that is damaged in part, or another version's, or has nonsense beside it; and a run that cannot open its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marscore.state import key_of
from tests.disk import report_in
from tests.integration.command import Run, fetch, marscore, write
from tests.integration.test_interrupt_and_resume import end, start, wait_until
from tests.integration.test_locked_state import locked
from tests.integration.test_plan_looks import content
from tests.origin import Body, Good, Origin

PAGE = 4096
MIB = 1024 * 1024
NAMES = [f"{n}.bin" for n in range(4)]
#: SQLite tried for ten seconds.
SOON_S = 5
GARBAGE = b"garbage" * 5000
LEFT = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA journal_mode=WAL")
database.execute("DELETE FROM files WHERE path_key = ?", [bytes.fromhex(sys.argv[2])])
database.commit()
os._exit(9)
"""


def folder_with_a_state(origin: Origin, folder: Path, more: int = 2000) -> Path:
    """A folder in which a run has been, and whose state holds so many claims more than its files."""
    assert fetch(folder, *[origin.serve(f"/{name}", Body(1000 + n, seed=n)) for n, name in enumerate(NAMES)]).code == 0
    state = folder / "data" / ".marscore" / "state.db"
    with contextlib.closing(sqlite3.connect(state)) as database, database:
        row = ("u" * 32, 10, 1, "1", '["sha256:00"]', None, None, None, 10, 1)
        database.executemany(f"INSERT INTO files VALUES (?{',?' * 10})", [(n.to_bytes(16, "big"), *row) for n in range(more)])
    return state


def overwrite(state: Path, page: int) -> None:
    with state.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


def claims_in(state: Path) -> int:
    with contextlib.closing(sqlite3.connect(state)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(database.execute("SELECT count(*) FROM files").fetchone()[0])


def told(run: Run) -> list[str]:
    """What the log and the report warn of, which is the same."""
    warned = [event["message"] for event in run.events("warned")]
    assert run.report["warnings"] == warned
    return warned


def soon(verb: str, folder: Path, *arguments: str) -> Run:
    began = time.monotonic()
    run = marscore(verb, "downloads.yaml", *arguments, cwd=folder)
    assert time.monotonic() - began < SOON_S
    return run


def statuses(run: Run) -> set[str]:
    return {entry["status"] for entry in run.report["downloads"]}


@pytest.mark.parametrize("page", [2, 3, -1], ids=["index", "leaf", "last"])
def test_one_damaged_page_is_told_by_plan_and_by_run_and_what_can_be_read_is_kept(origin: Origin, tmp_path: Path, page: int) -> None:
    state = folder_with_a_state(origin, tmp_path)
    overwrite(state, page if page > 0 else state.stat().st_size // PAGE)
    before = state.read_bytes()
    assert "warning: the state database is damaged." in soon("plan", tmp_path).err
    run = soon("run", tmp_path)
    assert run.code == 0
    assert told(run) == ["the state database was damaged. It is put aside as .marscore/state.db.damaged, and files are proven again"]
    assert state.with_name("state.db.damaged").read_bytes() == before
    assert claims_in(state) >= (len(NAMES) if page == 2 else 1000)
    again = soon("run", tmp_path)
    assert (statuses(again), told(again)) == ({"up_to_date"}, [])


def test_damage_that_shows_when_a_claim_is_written_is_told_and_no_claim_of_an_earlier_run_is_lost(origin: Origin, tmp_path: Path) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    held = origin.serve("/held.bin", Body(MIB), [Good(rate=MIB // 2)])
    process = start(tmp_path, fetch_later(tmp_path, origin, held))
    wait_until(lambda: bool(origin.requests_for("/held.bin")), "a request")
    # As a file system does that gives back other bytes: under a run that has the database open.
    with state.open("r+b") as file:
        file.write(GARBAGE)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError), state.with_name(f"state.db{suffix}").open("r+b") as file:
            file.write(GARBAGE)
    run = end(tmp_path, process)
    assert run.code == 0, run.err
    assert any("the state database was damaged. It is put aside as" in message for message in told(run))
    assert claims_in(state) == len(NAMES) + 1
    again = soon("run", tmp_path)
    assert (statuses(again), told(again)) == ({"up_to_date"}, [])


def fetch_later(folder: Path, origin: Origin, url: str) -> str:
    return write(folder, [*(origin.url(f"/{name}") for name in NAMES), url])


@pytest.mark.parametrize("version", [5, 99, -1])
def test_a_database_of_another_version_is_named_with_its_format_and_its_new_place(origin: Origin, tmp_path: Path, version: int) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    with contextlib.closing(sqlite3.connect(state)) as database:
        database.execute(f"PRAGMA user_version={version}")
    before = content(state.parent)
    who = f"the state database was written by another version of marscore (format {version}, this one reads 1 to 4)."
    planned = soon("plan", tmp_path)
    assert planned.code == 0
    assert f"warning: {who} Files count as unknown here, and a run puts it aside as .marscore/state.db.damaged\n" in planned.err
    assert content(state.parent) == before
    run = soon("run", tmp_path)
    assert run.code == 0
    assert told(run) == [f"{who} It is put aside as .marscore/state.db.damaged, and files are proven again"]
    assert state.with_name("state.db.damaged").read_bytes() == before["state.db"][0]


NONSENSE = {"garbage": GARBAGE, "empty": b"", "short": b"x" * 20, "zeros": bytes(32768)}


@pytest.mark.parametrize("shm", ["garbage", "empty"])
@pytest.mark.parametrize("wal", NONSENSE)
def test_nonsense_beside_a_sound_database_costs_no_time_and_no_claim(origin: Origin, tmp_path: Path, wal: str, shm: str) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    state.with_name("state.db-wal").write_bytes(NONSENSE[wal])
    state.with_name("state.db-shm").write_bytes(NONSENSE[shm])
    before, asked = content(state.parent), len(origin.requests)
    planned = soon("plan", tmp_path, "--format", "json")
    assert content(state.parent) == before
    assert {entry["action"] for entry in json.loads(planned.out)["downloads"]} == {"up_to_date"}
    run = soon("run", tmp_path)
    assert (run.code, statuses(run), told(run), len(origin.requests)) == (0, {"up_to_date"}, [], asked)


def whole(wal: Path) -> None:
    """Leave it as it is."""


def cut(wal: Path) -> None:
    """Let half a line of another commit follow."""
    with wal.open("ab") as file:
        file.write(b"x" * 1000)


@pytest.mark.parametrize("shm", ["as it was", "none", *NONSENSE])
@pytest.mark.parametrize("end_of_wal", [whole, cut])
def test_what_a_killed_run_left_in_its_wal_counts_whatever_the_shm_holds(
    origin: Origin, tmp_path: Path, shm: str, end_of_wal: Callable[[Path], None]
) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    # A commit that only the -wal has: that a file is not claimed.
    subprocess.run([sys.executable, "-c", LEFT, state, key_of(NAMES[0])], check=False)
    wal, shared = (state.with_name(f"state.db{suffix}") for suffix in ("-wal", "-shm"))
    assert wal.stat().st_size
    end_of_wal(wal)
    if shm == "none":
        shared.unlink()
    elif shm != "as it was":
        shared.write_bytes(NONSENSE[shm])
    before = content(state.parent)
    planned = soon("plan", tmp_path, "--format", "json")
    assert content(state.parent) == before
    assert [entry["action"] for entry in json.loads(planned.out)["downloads"]] == ["fetch", *["up_to_date"] * (len(NAMES) - 1)]
    run = soon("run", tmp_path)
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", *["up_to_date"] * (len(NAMES) - 1)]
    assert told(run) == []


@pytest.mark.parametrize("report", ["the usual", "named"])
def test_a_run_that_cannot_open_its_state_replaces_the_report_of_the_run_before(origin: Origin, tmp_path: Path, report: str) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    first = report_in(tmp_path / "data")
    state.unlink()
    state.mkdir()
    named = tmp_path / "report.json"
    run = soon("run", tmp_path, *(["--report", "report.json"] if report == "named" else []))
    assert run.code == 3
    found = json.loads(named.read_text()) if report == "named" else run.report
    message = "cannot open the state database: state.db is a folder and should be a file"
    assert found["run_id"] != first["run_id"]
    assert (found["status"], found["exit_code"], found["warnings"]) == ("failed", 3, [message])
    assert {(entry["status"], entry["reason"]) for entry in found["downloads"]} == {("skipped", message)}
    assert found["totals"]["skipped"] == len(NAMES)
    assert run.events()[-1]["event"] == "run_finished"
    assert run.err.endswith(f"marscore: {message}\n")


def test_a_run_that_is_told_to_stop_while_it_waits_for_its_state_says_so_in_its_report(origin: Origin, tmp_path: Path) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    first = report_in(tmp_path / "data")
    with locked(state, "PRAGMA locking_mode=EXCLUSIVE;BEGIN EXCLUSIVE"):
        process = start(tmp_path, "downloads.yaml")
        wait_until(lambda: state.with_name("lock.pid").exists(), "the lock")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        run = end(tmp_path, process)
    assert run.code == 143
    assert run.report["run_id"] != first["run_id"]
    assert (run.report["status"], run.report["exit_code"], statuses(run)) == ("interrupted", 143, {"interrupted"})


def test_a_run_that_does_not_get_the_lock_leaves_the_report_of_the_other_alone(origin: Origin, tmp_path: Path) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    before = state.with_name("report.json").read_bytes()
    held = origin.serve("/held.bin", Body(MIB), [Good(stall_after=1000, stall_s=120)])
    process = start(tmp_path, fetch_later(tmp_path, origin, held))
    wait_until(lambda: bool(origin.requests_for("/held.bin")), "a request")
    run = soon("run", tmp_path)
    assert (run.code, run.err) == (3, f"marscore: another run holds this output folder (pid {process.pid})\n")
    assert state.with_name("report.json").read_bytes() == before
    process.send_signal(signal.SIGTERM)
    assert end(tmp_path, process).code == 143


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_database_that_was_emptied_is_damaged_though_sqlite_takes_it_for_a_new_one(origin: Origin, tmp_path: Path, size: int) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    os.truncate(state, size)
    assert "warning: the state database is damaged." in soon("plan", tmp_path).err
    run = soon("run", tmp_path)
    assert (run.code, told(run)) == (
        0,
        ["the state database was damaged. It is put aside as .marscore/state.db.damaged, and files are proven again"],
    )


def test_another_programs_database_is_put_aside_and_named(origin: Origin, tmp_path: Path) -> None:
    state = folder_with_a_state(origin, tmp_path, 0)
    state.unlink()
    with contextlib.closing(sqlite3.connect(state)) as database, database:
        database.execute("CREATE TABLE theirs (a TEXT)")
    before = state.read_bytes()
    run = soon("run", tmp_path)
    who = "the state database was written by another program."
    assert (run.code, told(run)) == (0, [f"{who} It is put aside as .marscore/state.db.damaged, and files are proven again"])
    assert state.with_name("state.db.damaged").read_bytes() == before


def test_an_empty_database_where_no_run_has_ended_is_a_new_one(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(10))
    state = tmp_path / "data" / ".marscore" / "state.db"
    state.parent.mkdir(parents=True)
    state.touch()
    write(tmp_path, [url])
    run = soon("run", tmp_path)
    assert (run.code, told(run)) == (0, [])
