"""The state database: SQLite in WAL mode at `<output_dir>/.marscore/state.db`, one row for each file that a run finished.

A commit survives the death of the process at once; a power cut may take the last ones, never the database. Rows hold no path and no URL,
only keys. A database that cannot be read is put aside and begun anew with what could be read of it: the files themselves can be proven
again. That the system keeps us from one (no permission, no space, a lock) is no damage, and is told.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from marscore.adapters.storage import naming, storage_error
from marscore.errors import StorageError
from marscore.state import Claims, Row, row_of
from marscore.values import Failure, FailureKind

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path_key TEXT PRIMARY KEY, url_key TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode TEXT NOT NULL,
    digests TEXT NOT NULL, etag TEXT, last_modified TEXT, durable INTEGER NOT NULL
) WITHOUT ROWID
"""
_COLUMNS = "path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, durable"
_READ = f"SELECT {_COLUMNS} FROM files"  # noqa: S608 - constants
_WRITE = f"INSERT OR REPLACE INTO files ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constants
_FORMAT = 1
#: What SQLite says where the system is in the way; Python 3.10 does not give its error codes.
_SYSTEM: dict[str, FailureKind] = {"locked": "path", "unable to open": "path", "disk is full": "disk_full", "readonly": "permission"}


class SqliteState:
    """Implements `ports.StateStore`. Used by one thread, under the run's lock.

    Raises StorageError from every method where the system is in the way. `damaged` tells that a database was put aside.
    """

    def __init__(self, path: Path) -> None:
        self.damaged = False
        self._path = path
        with naming("cannot make the state database"):
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        try:
            self._database = _open(path)
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def claims(self) -> Claims:
        """Every claim, by path key."""
        try:
            return Claims({row[0]: row for row in self._database.execute(_READ)})
        except sqlite3.DatabaseError as error:
            return self._save_what_can_be_read(error)

    def record(self, rows: Iterable[Row]) -> None:
        """Replace the claims for these paths, in one transaction."""
        with _naming(), self._database:
            self._database.executemany(_WRITE, rows)

    def flushed(self, path_keys: Iterable[str]) -> None:
        """Mark claims durable, in one transaction."""
        with _naming(), self._database:
            self._database.executemany("UPDATE files SET durable = 1 WHERE path_key = ?", [(key,) for key in path_keys])

    def forget(self, path_keys: Iterable[str]) -> None:
        """Drop the claims for these paths."""
        with _naming(), self._database:
            self._database.executemany("DELETE FROM files WHERE path_key = ?", [(key,) for key in path_keys])

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _save_what_can_be_read(self, error: sqlite3.DatabaseError) -> Claims:
        rows: dict[str, tuple[object, ...]] = {}
        self._database.text_factory = lambda text: text.decode("utf-8", "replace")
        with contextlib.suppress(sqlite3.DatabaseError):
            rows.update((row[0], row) for row in self._database.execute(_READ))
        self._database.close()
        self._begin_anew(error)
        claims = Claims(rows)
        self.record(map(row_of, claims.values()))
        return claims

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        kind = _kind_of(error)
        if kind == "permission" and os.access(self._path, os.W_OK):
            # A damaged head may declare any database read-only.
            kind = None
        if kind:
            raise StorageError(Failure(kind, f"cannot open the state database: {error}")) from error
        self.damaged = True
        try:
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._path.replace(self._path.with_name(self._path.name + ".damaged"))
        except OSError as failed:
            raise storage_error(failed, "cannot put the damaged state database aside") from failed
        with naming("cannot make the state database"):
            _make(self._path)
        with _naming():
            self._database = _open(self._path)


def claims_at(path: Path) -> Claims:
    """What the database at this path claims; nothing where there is none, and none is made."""
    if not path.exists():
        return Claims({})
    with contextlib.closing(SqliteState(path)) as state:
        return state.claims()


def _make(path: Path) -> None:
    """Make an empty file with what the user's umask gives: SQLite would not let others write, and its -wal and -shm follow the database."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level="IMMEDIATE")
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError(f"format {version}")
        if not version:
            with database:
                database.execute(_SCHEMA)
                database.execute(f"PRAGMA user_version={_FORMAT}")
        # Another table of this name would be found out only when the first file is finished.
        database.execute(f"{_READ} LIMIT 0")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


@contextlib.contextmanager
def _naming() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageError(Failure(_kind_of(error) or "path", f"cannot write the state database: {error}")) from error


def _kind_of(error: sqlite3.DatabaseError) -> FailureKind | None:
    """What in the system is in the way; None where it is the database itself."""
    return next((kind for words, kind in _SYSTEM.items() if words in str(error)), None)
