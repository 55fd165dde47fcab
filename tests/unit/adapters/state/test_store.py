"""The state database through deaths, garbage, and a system that is in the way."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from marscore.adapters.state.store import SqliteState, claims_at, forget_at, rows_at
from marscore.errors import StorageError
from marscore.state import UNKNOWN_URL, Claim, FileIdentity, Row, key_of, row_of
from marscore.validator import Validator
from tests.state_database import EARLIER, make_earlier, stored_key
from tests.unprivileged import own_folder

SHA = "sha256:" + "a" * 64


def claim(path: str, durable: bool = True) -> Claim:
    return Claim(key_of(path), key_of("url"), FileIdentity(7, 8, 9), (SHA,), Validator('"v1"'), durable)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[SqliteState]:
    with contextlib.closing(SqliteState(path)) as state:
        yield state


def filled(path: Path, count: int = 3) -> Path:
    with opened(path) as state:
        state.record(row_of(claim(str(i))) for i in range(count))
    return path


KILLED = """
import os, sys
from pathlib import Path
from marscore.adapters.state.store import SqliteState, claims_at
from marscore.state import Claim, FileIdentity, key_of, row_of
from marscore.validator import Validator
state = SqliteState(Path(sys.argv[1]))
state.record(map(row_of, [Claim(key_of("a"), "url", FileIdentity(1, 2, 3), ("sha256:00",), Validator(), False)]))
state._database.execute("DELETE FROM files")
os._exit(9)
"""


def test_a_commit_survives_the_death_of_the_process_and_half_a_transaction_does_not(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == 9
    with opened(path) as state:
        assert set(state.claims()) == {key_of("a")}
        assert not state.warnings


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\0" * 4096, b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4096],
    ids=["empty", "text", "zeros", "head", "head and ones"],
)
def test_garbage_is_put_aside_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with opened(path) as state:
        assert state.claims() == {}
        state.record(map(row_of, [claim("a")]))
        assert bool(state.warnings) is bool(content)
    assert (tmp_path / "state.db.damaged").exists() is bool(content)
    with opened(path) as state:
        assert state.claims() == {key_of("a"): claim("a")}
        assert not state.warnings


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def fill(start: float, end: float, byte: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        a, b = int(len(content) * start), int(len(content) * end)
        return content[:a] + bytes([byte]) * (b - a) + content[b:]

    return change


def poke(position: int, byte: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:position] + bytes([byte]) + content[position + 1 :]


DAMAGES = {
    "half is gone": cut(0.5),
    "the last page is gone": cut(0.9),
    "only the first bytes are left": cut(0.001),
    "zeros in the middle": fill(0.4, 0.6, 0),
    "ones in the middle": fill(0.4, 0.6, 255),
    "zeros at the end": fill(0.8, 1.0, 0),
    "everything but the head": fill(0.05, 1.0, 0xA5),
    **{f"byte {at} of the head is {value}": poke(at, value) for at in (16, 17, 19, 21, 28, 47, 56, 60, 63, 100, 105) for value in (3, 255)},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_keeps_a_run_from_working(tmp_path: Path, damage: str) -> None:
    path = filled(tmp_path / "state.db", 300)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    whole = {key_of(str(i)): claim(str(i)) for i in range(300)}
    with opened(path) as state:
        found = state.claims()
        assert found.items() <= whole.items()
        state.record(row_of(claim(str(i))) for i in range(300))
    with opened(path) as state:
        assert state.claims() == whole
        assert not state.warnings


NONSENSE = {
    "url_key": [b"\x00", 7],
    "size": ["many", b"x", 1.5],
    "mtime_ns": ["never"],
    "inode": ["", "-1", "nine", "9" * 5000, b"9"],
    "digests": ["", "{}", "null", '"sha256:00"', "[1]", '["sha256"]', '["sha256:xyz"]', "[" * 100_000, b"[]"],
    "etag": [b"\xff", 5],
    "durable": ["yes"],
}


@pytest.mark.parametrize(
    ("column", "value"), [(c, v) for c, values in NONSENSE.items() for v in values], ids=lambda v: repr(v)[:20].replace("\\", "/")
)
def test_a_row_of_nonsense_is_left_out_and_the_others_stay(tmp_path: Path, column: str, value: object) -> None:
    path = filled(tmp_path / "state.db")
    _execute(path, f"UPDATE files SET {column} = ? WHERE path_key = ?", value, stored_key("1"))
    stored = _execute(path, f"SELECT typeof({column}) FROM files WHERE path_key = ?", stored_key("1"))
    with opened(path) as state:
        claims = state.claims()
        # A number is stored as text in a column of text, and then is one.
        left = {key_of("0"), key_of("2")} | ({key_of("1")} if stored == [("text",)] and isinstance(value, int) else set())
        assert set(claims) == left


def test_text_that_is_not_utf8_costs_its_own_row_at_most(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    for key in map(stored_key, "012"):
        _execute(
            path, "UPDATE files SET digests = CAST(x'ff' AS TEXT) WHERE path_key = ? AND path_key < ?", key, max(map(stored_key, "012"))
        )
    with opened(path) as state:
        assert set(state.claims()) == {max(map(key_of, "012"))}
    with opened(path) as state:
        assert len(state.claims()) == 1
        assert not state.warnings


@pytest.mark.parametrize("statement", ["DROP TABLE files", "ALTER TABLE files DROP COLUMN etag", "PRAGMA user_version=99"])
def test_a_database_of_another_make_is_put_aside(tmp_path: Path, statement: str) -> None:
    path = filled(tmp_path / "state.db")
    _execute(path, statement)
    with opened(path) as state:
        assert state.warnings
        assert state.claims() == {}
        state.record(map(row_of, [claim("a")]))


def test_reading_what_another_run_writes_is_no_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM files")
        with opened(path) as state:
            assert len(state.claims()) == 3
            assert not state.warnings
        writer.execute("ROLLBACK")
    assert not (tmp_path / "state.db.damaged").exists()


def test_a_folder_in_its_place_is_named_and_left(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StorageError):
        SqliteState(tmp_path / "state.db")
    assert (tmp_path / "state.db").is_dir()


def test_no_permission_is_named_and_is_no_damage() -> None:
    with own_folder() as root:
        path = filled(root / "own" / "state.db")
        for mode, locked in ((0o400, path), (0o000, path), (0o500, path.parent)):
            before = locked.stat().st_mode & 0o777
            locked.chmod(mode)
            with pytest.raises(StorageError), opened(path) as state:
                state.record(map(row_of, [claim("a")]))
            locked.chmod(before)
        root.joinpath("own").chmod(0o500)
        with pytest.raises(StorageError):
            SqliteState(root / "own" / "new" / "state.db")
        root.joinpath("own").chmod(0o700)
        with opened(path) as state:
            assert len(state.claims()) == 3
            assert not state.warnings


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with opened(tmp_path / "state.db") as state:
        state._database.execute("PRAGMA max_page_count=5")
        with pytest.raises(StorageError) as caught:
            state.record(row_of(claim(str(i))) for i in range(1000))
        assert caught.value.failure.kind == "disk_full"
        assert state.claims() == {}


def _execute(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement, values).fetchall()


#: Ends the process before one of the statements that migrate a database.
KILLED_AT = """
import os, sqlite3, sys
from pathlib import Path
from marscore.adapters.state import store as state
count = -1
class Killed(sqlite3.Connection):
    def executemany(self, statement, rows):
        self.count(statement)
        return super().executemany(statement, rows)
    def execute(self, statement, *arguments):
        self.count(statement)
        return super().execute(statement, *arguments)
    def count(self, statement):
        global count
        count += count >= 0 or statement.startswith("BEGIN")
        if count == STATEMENT:
            os._exit(9)
connect = state.connect
state.connect = lambda path: sqlite3.connect(path, isolation_level="IMMEDIATE", factory=Killed)
state.SqliteState(Path(sys.argv[1]))
"""


def test_what_a_database_of_format_1_claims_has_to_be_proven_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db", 1)
    make_earlier(path, 1)
    for _ in range(2):
        with opened(path) as state:
            assert state.claims() == {key_of("0"): claim("0", durable=False)}
            assert not state.warnings
    assert not path.with_name("state.db.damaged").exists()


def test_a_row_whose_digests_were_made_of_other_bytes_than_the_file_has_is_no_claim(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE files SET size = 6 WHERE path_key = ?", (stored_key("1"),))
    with opened(path) as state:
        assert set(state.claims()) == {key_of("0"), key_of("2")}


#: What brings a database up: BEGIN, the new table, rows read and rows written, the old one dropped, the new one named, and its format.
STATEMENTS = 7


@pytest.mark.parametrize("version", EARLIER)
def test_a_migration_that_is_cut_short_changes_nothing_and_the_next_goes_through(tmp_path: Path, version: int) -> None:
    # After them come the VACUUM and a look whether the table can be read: a run that is killed there has brought it up already.
    for number in range(STATEMENTS + 2):
        path = filled(tmp_path / f"{number}.db")
        make_earlier(path, version)
        script = KILLED_AT.replace("STATEMENT", str(number))
        assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 9
        assert _execute(path, "PRAGMA user_version") == [(version if number < STATEMENTS else 4,)], number
        assert state_of(path) == {key_of(name): claim(name, durable=version != 1) for name in "012"}, number


#: Claims whose parts are not in their usual form.
ODD = [
    replace(claim("no digest"), digests=()),
    replace(claim("two digests"), digests=(SHA, "md5:" + "b" * 32)),
    replace(claim("a short digest"), digests=("sha256:00",)),
    replace(claim("another digest"), digests=("sha512:" + "c" * 128,)),
    replace(claim("no URL"), url_key=UNKNOWN_URL),
    replace(claim("a mirror's validator"), validator_of=key_of("mirror"), validator=Validator('W/"1"', "Sun, 06 Nov 1994 08:49:37 GMT")),
    replace(claim("the largest inode"), identity=FileIdentity(7, -1, 2**128 - 1)),
    replace(claim("keys that are no keys"), url_key="url", validator_of="AB" * 16),
    replace(claim("a key of spaces"), path_key=" ab " * 8, validator_of=""),
]


@pytest.mark.parametrize("version", EARLIER)
def test_claims_of_every_form_are_read_of_earlier_formats_and_migrated(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    with opened(path) as state:
        state.record(map(row_of, ODD))
    make_earlier(path, version)
    of_format = {c.path_key: _as_known_to(version, c) for c in ODD}
    before = path.read_bytes()
    keys = [*of_format, key_of("unknown")]
    assert dict(claims_at(path).claims) == dict(claims_at(path, keys).claims) == of_format
    found: list[Row] = []
    assert rows_at(path, found.extend) == ()
    assert sorted(found) == sorted(map(row_of, of_format.values()))
    assert path.read_bytes() == before
    with opened(path) as state:
        assert dict(state.claims()) == dict(state.claims_of(keys)) == of_format
        assert not state.warnings
    assert state_of(path) == of_format


def _as_known_to(version: int, one: Claim) -> Claim:
    if version < 3:
        one = replace(one, validator_of=None)
    return one if version > 1 else replace(one, durable=False, validator=Validator(one.validator.etag))


def test_no_pages_of_the_old_table_are_left_in_a_database_that_was_migrated(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db", 3000)
    make_earlier(path, 3)
    before = path.stat().st_size
    assert len(state_of(path)) == 3000
    assert path.stat().st_size < before * 0.7
    assert _execute(path, "PRAGMA freelist_count") == [(0,)]


def test_rows_that_make_no_claim_are_no_claims_after_a_migration_either(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    make_earlier(path, 3)
    # As bytes, which no version has written: they would be taken for those of format 4.
    _execute(path, "UPDATE files SET digests = ? WHERE path_key = ?", b"x" * 32, key_of("0"))
    _execute(path, "UPDATE files SET url_key = 7.5, etag = x'ff', path_key = x'00' WHERE path_key = ?", key_of("1"))
    assert state_of(path).keys() == {key_of("2")}


@pytest.mark.parametrize("page", [2, 3, -1], ids=["index", "leaf", "last"])
@pytest.mark.parametrize("version", EARLIER)
def test_what_can_be_read_of_a_damaged_database_of_an_earlier_format_is_kept(tmp_path: Path, version: int, page: int) -> None:
    path = filled(tmp_path / "state.db", 3000)
    make_earlier(path, version)
    _execute(path, "VACUUM")
    content = bytearray(path.read_bytes())
    at = (page - 1) * 4096 if page > 0 else len(content) - 4096
    content[at : at + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with opened(path) as state:
        assert state.warnings
        kept = dict(state.claims())
    whole = {key_of(str(n)): claim(str(n), durable=version != 1) for n in range(3000)}
    assert kept.items() <= whole.items()
    assert len(kept) > (1000 if page != 2 else -1)
    assert path.with_name("state.db.damaged").read_bytes() == content
    assert state_of(path) == kept


@pytest.mark.parametrize("version", [*EARLIER, 4])
def test_claims_are_forgotten_in_a_database_of_any_format(tmp_path: Path, version: int) -> None:
    path = filled(tmp_path / "state.db")
    if version != 4:
        make_earlier(path, version)
    forget_at(path, [key_of("1"), key_of("unknown")])
    assert claims_at(path).claims.keys() == {key_of("0"), key_of("2")}


def test_a_file_takes_less_than_200_bytes_of_disk(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    count, modified = 20_000, 1_700_000_000
    with opened(path) as state:
        for start in range(0, count, 500):
            state.record(row_of(_usual(n, modified + 977 * n)) for n in range(start, start + 500))
    # By their keys, which come in no order, files lie as in a database that grew in many runs.
    assert path.stat().st_size < 190 * count


def _usual(number: int, modified: int) -> Claim:
    """What nginx makes known of a small file."""
    identity = FileIdentity(1024 + number % 50_000, 1_790_000_000_123_456_789 + number, 50_000_000 + number)
    validator = Validator(f'"{modified:x}-{identity.size:x}"', formatdate(modified, usegmt=True))
    digest = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
    return Claim(key_of(f"{number}.bin"), key_of(f"http://127.0.0.1/{number}.bin"), identity, (digest,), validator, durable=True)


def state_of(path: Path) -> dict[str, Claim]:
    with opened(path) as state:
        assert not state.warnings
        return dict(state.claims())
