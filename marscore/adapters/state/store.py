"""The state database: SQLite in WAL mode at `<output_dir>/.marscore/state.db`, one row for each file that a run finished.

A commit survives the death of the process at once; a power cut may take the last ones, never the database. Rows hold no path and no URL,
only keys. A damaged database is put aside and begun anew with what could be read of it, whenever damage shows: when it is opened, read or
written. The files themselves can be proven again. That the system keeps us from one (no permission, no space, a lock, an error of the
disk) is no damage, and is told. Another program's lock is waited for before a run begins, when it is not known yet what is in place, and
for a moment only where a claim is to be written. Who only looks changes nothing.

This file is longer than the house's 300 lines, since what becomes of a damaged database, whoever finds it, is to be read in one place.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from marscore.adapters.files.failures import naming
from marscore.adapters.state.database import (
    connect,
    damage_in,
    demand,
    is_damage,
    make,
    patiently,
    put_aside,
    read,
    storage_error_of,
)
from marscore.adapters.state.rows import FORMAT, WRITE, bring_up, format_of, rows_in, stored, stored_key
from marscore.errors import StorageError
from marscore.state import Claims, Row, row_of
from marscore.values import Failure

#: So many keys are asked for at once: every SQLite takes 999 (https://sqlite.org/limits.html).
_ASKED = 500
#: So many rows are given to who reads them all.
_GIVEN = 10_000
_FLUSHED = "UPDATE files SET durable = 1 WHERE path_key = ?"
#: The smallest file that SQLite makes (https://sqlite.org/fileformat2.html#pages).
_LEAST = 512
#: Where a damaged database goes, for people.
_ASIDE = ".marscore/state.db.damaged"


class Seen(NamedTuple):
    """What a look at a database brings: its claims, and what a user has to know where it is of no use."""

    claims: Claims
    warnings: tuple[str, ...] = ()


class NoState:
    """Implements `ports.StateStore` where the database cannot be opened: nobody can tell what is in place."""

    def __init__(self, failure: Failure) -> None:
        self.warnings: list[str] = []
        self._failure = failure

    def claims(self) -> Claims:
        """Say why there are none."""
        raise StorageError(self._failure)

    def claims_of(self, path_keys: Sequence[str]) -> Claims:
        """Say why there are none."""
        raise StorageError(self._failure)

    def record(self, rows: Iterable[Row]) -> None:
        """Say why none can be written."""
        raise StorageError(self._failure)

    def flushed(self, path_keys: Iterable[str]) -> None:
        """Say why none can be written."""
        raise StorageError(self._failure)

    def close(self) -> None:
        """There is nothing to close."""


class SqliteState:
    """Implements `ports.StateStore`. Used under the run's lock, by one thread at a time: what decides may ask while the run goes on.

    Raises StorageError from every method where the system is in the way. `warnings` says of each database that was put aside what was
    wrong and where it is; who has told of it may take it away.
    """

    def __init__(self, path: Path, give_up: Callable[[], bool] = lambda: False) -> None:
        """Open the database, and make it if there is none; `give_up` says whether another program's lock is waited for no longer."""
        self.warnings: list[str] = []
        self._path = path
        self._turn = threading.Lock()
        self._database: sqlite3.Connection | None = None
        # What was read once is not lost with a database that is damaged afterwards.
        self._known: dict[str, tuple[Any, ...]] = {}
        demand(path, "cannot open the state database")
        with naming("cannot make the state database"):
            path.parent.mkdir(parents=True, exist_ok=True)
            damage = _cut_short(path)
            make(path)
            damage = damage or _damage_at(path)
        try:
            if damage is not None:
                raise damage
            self._database = patiently(lambda: _open(path), give_up)
        except sqlite3.DatabaseError as error:
            self._begin_anew(error, _left_at(path) if damage is None and is_damage(error) else ())

    def claims(self) -> Claims:
        """Every claim, by path key."""
        with self._turn:
            return self._all_claims()

    def claims_of(self, path_keys: Sequence[str]) -> Claims:
        """The claims for these keys: for who asks for some of millions."""
        with self._turn:
            rows: dict[str, tuple[Any, ...]] = {}
            path_keys = sorted(path_keys)
            try:
                for start in range(0, len(path_keys), _ASKED):
                    rows.update(patiently(functools.partial(self._rows_of, path_keys[start : start + _ASKED])))
            except sqlite3.DatabaseError as error:
                return self._save_what_can_be_read(error)
            return Claims(rows)

    def _rows_of(self, path_keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        return {row[0]: row for row in rows_in(self._open_one, FORMAT, _of_these(path_keys), path_keys)}

    def _all_claims(self) -> Claims:
        try:
            self._known = patiently(lambda: {row[0]: row for row in rows_in(self._open_one, FORMAT)})
            return Claims(self._known)
        except sqlite3.DatabaseError as error:
            return self._save_what_can_be_read(error)

    def record(self, rows: Iterable[Row]) -> None:
        """Replace the claims for these paths, in one transaction."""
        self._write(WRITE, [*map(stored, rows)])

    def flushed(self, path_keys: Iterable[str]) -> None:
        """Mark claims durable, in one transaction."""
        self._write(_FLUSHED, [(stored_key(key),) for key in path_keys])

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _open_one(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("it is closed")
        return self._database

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._turn:
            self._write_down(statement, rows)

    def _write_down(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._commit(statement, rows)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise storage_error_of(error, "cannot write the state database") from error
            self._save_what_can_be_read(error)
            with _naming():
                self._commit(statement, rows)

    def _commit(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        database = self._open_one
        with database:
            database.executemany(statement, rows)

    def _save_what_can_be_read(self, error: sqlite3.DatabaseError) -> Claims:
        rows = dict(self._known)
        if is_damage(error):
            _add_what_can_be_read(self._open_one, FORMAT, rows)
        claims = Claims(rows)
        self._begin_anew(error, list(map(row_of, claims.values())))
        return claims

    def _begin_anew(self, error: sqlite3.DatabaseError, rows: Sequence[Row]) -> None:
        if not is_damage(error):
            raise storage_error_of(error, "cannot open the state database", "; without it a run cannot tell what is in place") from error

        def begin(fresh: Path) -> None:
            _begin(fresh, rows)
            # Only now, so that it is still there to be written to where no new one can be made.
            self.close()

        with naming("cannot put the damaged state database aside"), _naming():
            put_aside(self._path, begin)
            self._database = _open(self._path)
        self.warnings.append(f"{damage_in(error, 'was damaged')}. It is put aside as {_ASIDE}, and files are proven again")


def claims_at(path: Path, path_keys: Sequence[str] | None = None) -> Seen:
    """What the database at this path claims: nothing where there is none or where it is damaged. Nothing on the disk changes.

    `path_keys` are those that are asked for, of millions; None is all.

    Raises:
        StorageError: the system is in the way.
    """
    demand(path, "cannot read the state database")
    with naming("cannot read the state database"):
        if not path.exists():
            return Seen(Claims({}))
        try:
            if damage := _cut_short(path):
                raise damage
            return Seen(patiently(lambda: read(path, lambda database: _claims_in(database, path_keys))))
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return Seen(
                    Claims({}), (f"{damage_in(error, 'is damaged')}. Files count as unknown here, and a run puts it aside as {_ASIDE}",)
                )
            raise storage_error_of(error, "cannot read the state database") from error


def rows_at(path: Path, take: Callable[[list[Row]], None]) -> tuple[str, ...]:
    """Give `take` the rows of the database at this path, some thousand at a time; some may come twice. Returns what a user has to know.

    Raises:
        StorageError: the system is in the way.
    """
    with naming("cannot read the state database"):
        try:
            if damage := _cut_short(path):
                raise damage
            read(path, lambda database: _give_rows(database, take))
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return (f"{damage_in(error, 'is damaged')}. Some files count as unknown here",)
            raise storage_error_of(error, "cannot read the state database") from error
    return ()


def forget_at(path: Path, path_keys: Iterable[str]) -> None:
    """Forget the claims for these paths, in one transaction, in the database at this path of whatever format.

    Raises:
        sqlite3.DatabaseError: what SQLite says.
    """
    with contextlib.closing(connect(path)) as database, database:
        # A key is text in earlier formats; what is text is not what is bytes, also where both are of one key.
        database.executemany("DELETE FROM files WHERE path_key IN (?, ?)", [(key, stored_key(key)) for key in path_keys])


def _give_rows(database: sqlite3.Connection, take: Callable[[list[Row]], None]) -> None:
    rows = iter(_rows_in(database))
    while some := {row[0]: row for row in islice(rows, _GIVEN)}:
        take([row_of(claim) for claim in Claims(some).values()])


def _cut_short(path: Path) -> sqlite3.DatabaseError | None:
    """The damage of a file that SQLite takes for an empty database, though it cannot be a new one: a run has ended here before."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    is_new = not size and not path.with_name("report.json").exists()
    return None if is_new or size >= _LEAST else sqlite3.DatabaseError("file is not a database")


def _damage_at(path: Path) -> sqlite3.DatabaseError | None:
    """What is wrong with a database, before it is opened for writing: SQLite would copy its -wal into one that nobody can read."""
    try:
        read(path, lambda database: _rows_in(database, "LIMIT 0"))
    except sqlite3.DatabaseError as error:
        return error if is_damage(error) else None
    return None


def _claims_in(database: sqlite3.Connection, path_keys: Sequence[str] | None) -> Claims:
    if path_keys is None:
        return Claims({row[0]: row for row in _rows_in(database)})
    path_keys, rows = sorted(path_keys), dict[str, tuple[Any, ...]]()
    for start in range(0, len(path_keys), _ASKED):
        some = path_keys[start : start + _ASKED]
        rows.update((row[0], row) for row in _rows_in(database, _of_these(some), some))
    return Claims(rows)


def _rows_in(database: sqlite3.Connection, which: str = "", path_keys: Sequence[str] = ()) -> Iterable[tuple[Any, ...]]:
    return rows_in(database, format_of(database), which, path_keys)


def _of_these(path_keys: Sequence[str]) -> str:
    return f"WHERE path_key IN ({','.join('?' * len(path_keys))})"


def _left_at(path: Path) -> list[Row]:
    """What can be read of a damaged database of any format that nobody has open."""
    rows: dict[str, tuple[Any, ...]] = {}
    with contextlib.suppress(sqlite3.DatabaseError, OSError):
        read(path, lambda database: _add_what_can_be_read(database, format_of(database), rows))
    return list(map(row_of, Claims(rows).values()))


def _add_what_can_be_read(database: sqlite3.Connection, version: int, rows: dict[str, tuple[Any, ...]]) -> None:
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    # From both ends, since reading stops at a damaged page.
    for order in ("", "ORDER BY path_key DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            rows.update((row[0], row) for row in rows_in(database, version, order))


def _begin(path: Path, rows: Sequence[Row]) -> None:
    make(path)
    with contextlib.closing(_open(path)) as database, database:
        database.executemany(WRITE, map(stored, rows))


def _open(path: Path) -> sqlite3.Connection:
    database = connect(path)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        version = format_of(database)
        if version != FORMAT:
            with database:
                # By itself sqlite3 would begin with the first row that changes, and a run that was killed leave half a migration.
                database.execute("BEGIN IMMEDIATE")
                bring_up(database, version)
        if version not in (0, FORMAT):
            # Else the pages of the old table would stay in the file, unused. It is as good with them where there is no room for a copy.
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("VACUUM")
        # Another table of this name would be found out only when the first file is finished.
        rows_in(database, FORMAT, "LIMIT 0")
    except BaseException:
        database.close()
        raise
    return database


@contextlib.contextmanager
def _naming() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise storage_error_of(error, "cannot write the state database") from error
