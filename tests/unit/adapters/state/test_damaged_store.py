"""What is damage to the state database and what is a system in the way; who only looks, changes nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.adapters.state.database import is_damage
from marscore.adapters.state.store import SqliteState, claims_at
from marscore.errors import StorageError
from marscore.state import Claim, FileIdentity, key_of, row_of
from marscore.validator import Validator
from tests.state_database import stored_key
from tests.unprivileged import own_folder

CLAIMS = {key_of(str(n)): Claim(key_of(str(n)), "url", FileIdentity(7, 8, 9), ("sha256:00",), Validator(), True) for n in range(300)}
LEAVE = {"closed": "state.close()", "killed": "os._exit(9)"}
FILL = """
import os, sys
from pathlib import Path
from marscore.adapters.state.store import SqliteState
from marscore.state import Claim, FileIdentity, key_of, row_of
from marscore.validator import Validator
state = SqliteState(Path(sys.argv[1]))
for n in range(300):
    state.record([row_of(Claim(key_of(str(n)), "url", FileIdentity(7, 8, 9), ("sha256:00",), Validator(), True))])
{}
"""


def filled(folder: Path, how: str = "closed") -> Path:
    subprocess.run([sys.executable, "-c", FILL.format(LEAVE[how]), folder / "state.db"], check=False)
    assert (folder / "state.db-wal").exists() is (how == "killed")
    return folder / "state.db"


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@contextlib.contextmanager
def no_file_may_grow() -> Iterator[None]:
    """What a disk does that takes nothing any more; SQLite calls it a full disk or an error of the disk, as the case may be."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["plain", "wh?t #1 100%25 &mode=rwc ü", "sub folder"])
@pytest.mark.parametrize("how", ["closed", "killed", "killed and copied"])
def test_who_only_looks_sees_everything_and_changes_nothing(tmp_path: Path, how: str, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = filled(folder, how.split(maxsplit=1)[0])
    if how == "killed and copied":
        path.with_name("state.db-shm").unlink()
    before = content(folder)
    assert claims_at(path).claims == CLAIMS
    assert content(folder) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_who_looks_while_a_run_writes_sees_what_is_committed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("DELETE FROM files WHERE path_key != ?", (stored_key("1"),))
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM files")
        before = content(tmp_path)
        assert claims_at(path).claims == {key_of("1"): CLAIMS[key_of("1")]}
        assert content(tmp_path) == before


def test_who_looks_again_and_again_while_runs_come_and_go_is_never_told_of_damage(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    filled(tmp_path)
    code = "import sys; from pathlib import Path; from marscore.adapters.state.store import SqliteState\n"
    code += "for n in range(60):\n    s = SqliteState(Path(sys.argv[1])); s.record(s.claims()._rows.values()); s.close()"
    looks = 0
    with subprocess.Popen([sys.executable, "-c", code, path]) as writer:
        while writer.poll() is None:
            assert claims_at(path).claims == CLAIMS
            looks += 1
    assert writer.returncode == 0
    assert looks > 5


def test_nothing_is_made_where_there_is_no_database(tmp_path: Path) -> None:
    assert claims_at(tmp_path / "state.db").claims == {}
    assert claims_at(tmp_path / "no folder" / "state.db").claims == {}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "state.db").touch()
    assert claims_at(tmp_path / "state.db").claims == {}
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_folder_that_may_only_be_read_is_read(how: str) -> None:
    with own_folder() as folder:
        # Made elsewhere: the plain user may not be let to this interpreter.
        with contextlib.closing(SqliteState(folder / "state.db")) as state:
            state.record(map(row_of, CLAIMS.values()))
            if how == "killed":
                for name in ("state.db", "state.db-wal", "state.db-shm"):
                    shutil.copyfile(folder / name, folder / f"left-{name}")
        if how == "killed":
            for name in ("state.db", "state.db-wal", "state.db-shm"):
                (folder / f"left-{name}").replace(folder / name)
        for path in folder.iterdir():
            path.chmod(0o400)
        folder.chmod(0o500)
        before = content(folder)
        assert claims_at(folder / "state.db").claims == CLAIMS
        assert content(folder) == before
        folder.chmod(0o700)


DAMAGED = {
    "garbage": b"garbage",
    "zeros": b"\0" * 4096,
    "a head alone": b"SQLite format 3\0" + b"\xff" * 4096,
    "half": None,
    "a later format of SQLite": None,
    "a later format of ours": None,
}


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "a later format of ours":
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA user_version=99")
    else:
        path.write_bytes(
            DAMAGED[how] or {"half": data[: len(data) // 2], "a later format of SQLite": data[:18] + b"\x03\x03" + data[20:]}[how]
        )


@pytest.mark.parametrize("how", DAMAGED)
def test_damage_is_told_to_who_looks_and_is_left_where_it_is(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    damaged(path, how)
    before = content(tmp_path)
    assert claims_at(path).warnings
    assert content(tmp_path) == before


@pytest.mark.parametrize("how", DAMAGED)
def test_a_run_puts_damage_aside(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path)
    damaged(path, how)
    before = path.read_bytes()
    with contextlib.closing(SqliteState(path)) as state:
        state.claims()
        assert state.warnings
        state.record(map(row_of, CLAIMS.values()))
    assert (tmp_path / "state.db.damaged").read_bytes() == before
    assert claims_at(path).claims == CLAIMS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db", "state.db.damaged"]


SYSTEM = [
    "disk I/O error",
    "locking protocol",
    "out of memory",
    "database is locked",
    "database table is locked",
    "unable to open database file",
]
SYSTEM += [
    "database or disk is full",
    "attempt to write a readonly database",
    "interrupted",
    "large file support is disabled",
    "unknown error",
]


@pytest.mark.parametrize("words", SYSTEM)
def test_what_the_system_says_is_no_damage(words: str) -> None:
    assert not is_damage(sqlite3.OperationalError(words))


@pytest.mark.parametrize("words", ["database disk image is malformed", "file is not a database", "malformed database schema (files)"])
def test_what_is_said_of_the_file_is_damage(words: str) -> None:
    assert is_damage(sqlite3.DatabaseError(words))


def test_an_error_of_the_disk_is_told_and_nothing_is_put_aside(tmp_path: Path) -> None:
    path = filled(tmp_path)
    before = path.read_bytes()
    with no_file_may_grow(), pytest.raises(StorageError) as caught:
        SqliteState(path)
    assert "state database: disk I/O error" in caught.value.failure.message
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged*"))
    with contextlib.closing(SqliteState(path)) as state:
        assert state.claims() == CLAIMS
        assert not state.warnings


def test_who_only_looks_needs_no_room(tmp_path: Path) -> None:
    path = filled(tmp_path, "killed")
    with no_file_may_grow():
        assert claims_at(path).claims == CLAIMS


def test_nothing_is_moved_where_no_new_database_can_be_written(tmp_path: Path) -> None:
    path = filled(tmp_path)
    damaged(path, "garbage")
    with no_file_may_grow(), pytest.raises(StorageError):
        SqliteState(path)
    assert path.read_bytes() == b"garbage"
    assert not list(tmp_path.glob("*.damaged*"))
    with contextlib.closing(SqliteState(path)) as state:
        assert state.warnings, "and the next run, with room, begins anew"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db", "state.db.damaged"]


def test_what_belongs_to_a_damaged_database_goes_with_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    # Killed after a few more commits, so that SQLite cannot take the whole database from what belongs to it. Of other rows: one that is
    # replaced by the same is no change to newer versions of it.
    subprocess.run([sys.executable, "-c", FILL.format("os._exit(9)").replace("range(300)", "range(300, 303)"), path], check=False)
    wal = path.with_name("state.db-wal").read_bytes()
    assert wal
    path.write_bytes(b"garbage" * 1000)
    (tmp_path / "state.db.damaged").write_bytes(b"of an earlier time")
    with contextlib.closing(SqliteState(path)) as state:
        assert state.warnings
        assert state.claims() == {}
    assert (tmp_path / "state.db.damaged").read_bytes() == b"garbage" * 1000
    assert (tmp_path / "state.db.damaged-wal").read_bytes() == wal
    assert not (tmp_path / "state.db-wal").exists()
    # The next one has none: what is left of the first must not be taken for its own.
    path.write_bytes(b"garbage")
    SqliteState(path).close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db", "state.db.damaged"]


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
def test_a_dangling_link_in_the_databases_place_makes_nothing_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "state.db").symlink_to("../elsewhere")
    with pytest.raises(StorageError):
        SqliteState(tmp_path / "own" / "state.db")
    assert claims_at(tmp_path / "own" / "state.db").claims == {}
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
