"""Long lists whose files are nearly all in place: processes look at them ahead of the run, and nothing but the time shows it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from marscore.adapters.clock import cores
from marscore.adapters.files.folder import Folder
from marscore.adapters.state.store import SqliteState
from marscore.feeding import _WORTH_IT
from marscore.resolve.streamed import BATCH
from marscore.state import Claim, Row, key_of, row_of
from marscore.validator import Validator
from tests.integration.command import Run, marscore, read_report, started, write
from tests.origin import Body, Origin

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the children of a process are found in /proc"),
    pytest.mark.skipif(cores() < 2, reason="with one core the run looks alone"),
]

COUNT = _WORTH_IT + 5 * BATCH + 7
#: A row of the last pieces, which helpers look at.
LATE = _WORTH_IT + 3 * BATCH
LIMIT_S = 60
Rows = list[list[str]]


def path_of(number: int) -> str:
    return f"{number % 100:02d}/{number:06d}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with all files, each with its own content, and what the state says of them."""
    root = tmp_path_factory.mktemp("whole")
    for number in range(100):
        (root / f"{number:02d}").mkdir()
    (root / ".marscore").mkdir()
    state, folder = SqliteState(root / ".marscore" / "state.db"), Folder(root)
    state.record([_claimed(folder, root, number) for number in range(COUNT)])
    state.close()
    return root


def _claimed(folder: Folder, root: Path, number: int) -> Row:
    content = f"the content of {number}".encode()
    (root / path_of(number)).write_bytes(content)
    return claim(folder, path_of(number), f"http://127.0.0.1:9/{number}", content)


def claim(folder: Folder, path: str, url: str, content: bytes) -> Row:
    identity = folder.identify(path)
    assert identity is not None
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return row_of(Claim(key_of(path), key_of(url), identity, (digest,), Validator(), durable=True))


@pytest.fixture
def rows() -> Rows:
    return [[f"http://127.0.0.1:9/{number}", path_of(number)] for number in range(COUNT)]


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same files: hard links, so that none counts as touched, and a state of its own."""
    shutil.copytree(whole, tmp_path / "data", copy_function=os.link)
    state = tmp_path / "data" / ".marscore" / "state.db"
    state.unlink()
    shutil.copyfile(whole / ".marscore" / "state.db", state)
    return tmp_path


def listed(folder: Path, rows: Rows, processes: int | str = 2, **more: Any) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps({"link": row[0], "path": row[1]}) + "\n" for row in rows))
    entry = {"from": "rows.jsonl", "url": "link", "path": "{path}", "on_bad_row": "skip"}
    execution = {"processes": processes, "threads": 8, "per_host": 8}
    return write(folder, [entry], execution=execution, defaults={"retry": {"max_retries": 0}}, **more)


def told(run: Run) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries and the lines, without their times."""
    drop = {"timestamp", "run_id", "started_at", "finished_at", "duration_s", "mtime_ns", "inode"}
    entries = [{key: value for key, value in entry.items() if key not in drop} for entry in run.report["downloads"]]
    assert all("path" in line for line in run.events() if "download" in line)
    lines = [json.dumps({key: value for key, value in line.items() if key not in drop}) for line in run.events()]
    return entries, sorted(line for line in lines if '"download_finished"' in line or '"download_failed"' in line)


def look_children(pid: int) -> list[int]:
    """The processes that look for the run of this id."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if b"look_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def meanwhile(folder: Path, act: Callable[[int, list[int]], None]) -> tuple[Run, list[int]]:
    """Run, and do something once processes look for it; returns how it ended, and these processes."""
    with (folder / "err").open("wb") as err, started("run", "downloads.yaml", cwd=folder, stderr=err) as process:
        until = time.monotonic() + LIMIT_S
        while len(children := look_children(process.pid)) < 2 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        act(process.pid, children)
        code = process.wait(LIMIT_S)
    return Run(code, "", (folder / "err").read_text(), folder / "data", read_report(folder / "data")), children


@contextlib.contextmanager
def gone(children: list[int]) -> Iterator[None]:
    """No process of these is left soon after."""
    yield
    until = time.monotonic() + LIMIT_S
    while (left := [child for child in children if Path(f"/proc/{child}").exists()]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left


def test_files_in_place_are_looked_at_by_processes_that_end_with_the_run(folder: Path, rows: Rows) -> None:
    listed(folder, rows)
    run, children = meanwhile(folder, lambda pid, children: None)
    with gone(children):
        assert len(children) == 2
    assert (run.code, run.report["totals"]["up_to_date"]) == (0, COUNT), run.err[-500:]
    assert [entry["path"] for entry in run.report["downloads"]] == [path for _, path in rows]
    assert len(run.events("download_finished")) == COUNT
    times = [line["timestamp"] for line in run.events()]
    assert times == sorted(times)


@pytest.mark.parametrize("processes", [1, "auto"])
def test_one_process_looks_alone_and_so_does_a_run_that_writes_for_people(folder: Path, rows: Rows, processes: int | str) -> None:
    listed(folder, rows, processes)
    words = ["run", "downloads.yaml"] if processes == 1 else ["run", "downloads.yaml", "--log-format", "console"]
    seen: set[int] = set()
    with started(*words, cwd=folder, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            seen.update(look_children(process.pid))
            time.sleep(0.005)
    assert (process.returncode, seen) == (0, set())


#: Rows of the last pieces, which helpers look at, whose files are not in place, or something else is.
SPOILT = range(LATE, LATE + 40, 4)
CHANGED, LINK, FOLDER = LATE + 4, LATE + 8, LATE + 12
#: In place, and something is to be done or kept secret all the same: hashed, cleared away.
TOUCHED, LEFT = LATE + 50, LATE + 51
#: Those of them that can be fetched.
FETCHED = [number for number in SPOILT if number not in (LINK, FOLDER)]


def spoil(data: Path, state: bytes) -> None:
    """Let them be so, and the state as it was."""
    for suffix in ("-wal", "-shm"):
        (data / ".marscore" / f"state.db{suffix}").unlink(missing_ok=True)
    (data / ".marscore" / "state.db").write_bytes(state)
    for number in SPOILT:
        # A folder stays for the second time.
        with contextlib.suppress(IsADirectoryError):
            (data / path_of(number)).unlink(missing_ok=True)
    (data / path_of(CHANGED)).write_bytes(b"another content")
    (data / path_of(LINK)).symlink_to("elsewhere")
    (data / path_of(FOLDER)).mkdir(exist_ok=True)
    os.utime(data / path_of(TOUCHED), (1, 1))
    (data / ".marscore" / "partial").mkdir(exist_ok=True)
    (data / ".marscore" / "partial" / f"{key_of(path_of(LEFT))}.part").write_bytes(b"a beginning")


def is_as_it_should_be(run: Run, body: Body) -> bool:
    fetched = [run.data(path_of(number)) == body.read(0, body.length) for number in FETCHED]
    # Of two rows with one path the first has it.
    firsts = [run.data(path_of(n)) == f"the content of {n}".encode() for n in (5, 6, LATE - 1, LATE + 2, LATE + BATCH - 1)]
    return all(fetched) and all(firsts) and (run.folder / path_of(LINK)).is_symlink() and (run.folder / path_of(FOLDER)).is_dir()


def test_what_is_not_in_place_ends_as_where_nobody_helps(origin: Origin, folder: Path, rows: Rows) -> None:
    body = Body(3_000, seed=5)
    link = origin.serve("/one.bin", body)
    state = (folder / "data" / ".marscore" / "state.db").read_bytes()
    for number in SPOILT:
        rows[number][0] = link
    # A row without a URL, one that leads out, some that are another's path, near and far, and below it, and one with a login.
    rows[LATE + 1][0] = ""
    rows[LATE + 2][1] = "../outside"
    rows[LATE + 3][1] = path_of(LATE - 1)
    rows[LATE + 5][1] = path_of(5)
    rows[LATE + 6][1] = f"{path_of(6)}/below"
    rows[LATE + 7] = [link.replace("http://", "http://user:hush@"), "with a login"]
    rows[LATE + BATCH] = list(rows[LATE + BATCH - 1])

    results = []
    for processes in (1, 2):
        # The first looks alone, and for the second others look.
        listed(folder, rows, processes)
        spoil(folder / "data", state)
        run = marscore("run", "downloads.yaml", cwd=folder)
        assert is_as_it_should_be(run, body)
        assert "hush" not in run.err + json.dumps(run.report)
        results.append((run.code, run.report["totals"], *told(run), run.partials()))
    alone, helped = results
    assert [pair for pair in zip(alone[2], helped[2], strict=True) if pair[0] != pair[1]] == []
    assert [pair for pair in zip(alone[3], helped[3], strict=True) if pair[0] != pair[1]] == []
    assert (alone[:2], alone[4]) == (helped[:2], helped[4])
    assert (alone[0], alone[1]["failed"], alone[1]["downloaded"]) == (1, 8, 9)


@pytest.mark.parametrize("processes", [1, 2])
def test_secrets_of_files_in_place_are_shown_nowhere(folder: Path, rows: Rows, processes: int) -> None:
    # A login of one row, whose text its URL repeats; and a token of a list of its own, which stands in its rows' URLs.
    login, token = "http://user:hushlogin@127.0.0.1:9/hushlogin", "http://127.0.0.1:9/hushtoken"
    manifest = listed(folder, rows, processes)
    others = ((5, login), (LATE, login.replace("hushlogin", "hushsecond")))
    with contextlib.closing(SqliteState(folder / "data" / ".marscore" / "state.db")) as state:
        for number, url in (*others, (7, token), (LATE + 1, token)):
            state.record([claim(Folder(folder / "data"), path_of(number), url, f"the content of {number}".encode())])
    for number, url in others:
        rows[number][0] = url
    listed(folder, [row for number, row in enumerate(rows) if number not in (7, LATE + 1)], processes)
    (folder / "more.jsonl").write_text("".join(json.dumps({"link": token, "path": path_of(number)}) + "\n" for number in (7, LATE + 1)))
    text = (folder / manifest).read_text()
    more = '{from: more.jsonl, url: link, path: "{path}", on_bad_row: skip, headers: {Authorization: Bearer hushtoken}}'
    (folder / manifest).write_text(f"{text}- {more}\n")
    run = marscore("run", manifest, cwd=folder)
    assert (run.code, run.report["totals"]["up_to_date"]) == (0, COUNT), run.err[-500:]
    assert "hush" not in run.err + json.dumps(run.report)


def test_what_is_left_of_the_way_of_a_file_in_place_is_cleared_away(folder: Path, rows: Rows) -> None:
    listed(folder, rows)
    (folder / "data" / ".marscore" / "partial").mkdir()
    for number in (5, LATE):
        (folder / "data" / ".marscore" / "partial" / f"{key_of(path_of(number))}.part").write_bytes(b"a beginning")
    run = marscore("run", "downloads.yaml", cwd=folder)
    assert (run.code, run.partials()) == (0, [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_killed_is_done_without(folder: Path, rows: Rows, number: signal.Signals) -> None:
    listed(folder, rows)

    def kill(_: int, children: list[int]) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    run, children = meanwhile(folder, kill)
    with gone(children):
        assert len(children) == 2
    assert (run.code, run.report["totals"]["up_to_date"]) == (0, COUNT), run.err[-500:]
    assert [entry["path"] for entry in run.report["downloads"]] == [path for _, path in rows]


def test_a_signal_ends_the_run_and_those_who_look_for_it(folder: Path, rows: Rows) -> None:
    listed(folder, rows)
    run, children = meanwhile(folder, lambda pid, children: os.kill(pid, signal.SIGTERM))
    with gone(children):
        assert len(children) == 2
    assert run.code == 143, run.err[-500:]
    assert run.report["status"] == "interrupted"


def test_a_run_that_is_killed_leaves_nobody_who_looks(folder: Path, rows: Rows) -> None:
    listed(folder, rows)
    run, children = meanwhile(folder, lambda pid, children: os.kill(pid, signal.SIGKILL))
    with gone(children):
        assert len(children) == 2
    assert run.code == -signal.SIGKILL


def test_where_the_system_starts_no_process_the_run_looks_alone(folder: Path, rows: Rows) -> None:
    listed(folder, rows)
    # A child begins with the interpreter's name, which leads nowhere here.
    words = "import sys; sys.executable = '/nowhere'; sys.argv = ['marscore', *sys.argv[1:]]; from marscore.__main__ import main; main()"
    call = [sys.executable, "-c", words, "run", "downloads.yaml"]
    done = subprocess.run(call, cwd=folder, stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    assert done.returncode == 0
    assert read_report(folder / "data")["totals"]["up_to_date"] == COUNT
