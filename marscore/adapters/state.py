"""The state database: SQLite in WAL mode at `<output_dir>/.marscore/state.db`, one row for each file that a run finished.

A commit survives the death of the process at once; a power cut may take the last ones, never the database. Rows hold no path and no URL,
only keys. A database that cannot be read is put aside and begun anew: the files themselves can be proven again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from marscore.state import Claim, FileIdentity
from marscore.values import Validator

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path_key TEXT PRIMARY KEY, url_key TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode TEXT NOT NULL,
    digests TEXT NOT NULL, etag TEXT, last_modified TEXT, durable INTEGER NOT NULL
) WITHOUT ROWID
"""
_COLUMNS = "path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, durable"
_FORMAT = 1


class SqliteState:
    """Implements `ports.StateStore`. Used by one thread, under the run's lock."""

    def __init__(self, path: Path) -> None:
        self.damaged = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _open(path)
        except sqlite3.DatabaseError:
            self.damaged = True
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.replace(path.with_name(path.name + ".damaged"))
            self._database = _open(path)

    def claims(self) -> dict[str, Claim]:
        """Every claim, by path key. A row that makes no sense is left out, as if the file were unknown."""
        claims: dict[str, Claim] = {}
        with contextlib.suppress(sqlite3.DatabaseError):
            for row in self._database.execute(f"SELECT {_COLUMNS} FROM files"):  # noqa: S608 - a constant
                claim = _claim_of(row)
                if claim:
                    claims[claim.path_key] = claim
        return claims

    def record(self, claims: Iterable[Claim]) -> None:
        """Replace the claims for these paths, in one transaction."""
        rows = [_row_of(claim) for claim in claims]
        with self._database:
            self._database.executemany(f"INSERT OR REPLACE INTO files ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608 - a constant

    def forget(self, path_keys: Iterable[str]) -> None:
        """Drop the claims for these paths."""
        with self._database:
            self._database.executemany("DELETE FROM files WHERE path_key = ?", [(key,) for key in path_keys])

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level="IMMEDIATE")
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError(f"format {version}")
        with database:
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version={_FORMAT}")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _claim_of(row: tuple[object, ...]) -> Claim | None:
    match row:
        case (str(path_key), str(url_key), int(size), int(mtime_ns), str(inode), str(digests), etag, last_modified, int(durable)):
            try:
                known = tuple(str(digest) for digest in json.loads(digests))
                identity = FileIdentity(size, mtime_ns, int(inode))
            except (ValueError, TypeError):
                return None
            validator = Validator(str(etag) if etag else None, str(last_modified) if last_modified else None)
            return Claim(path_key, url_key, identity, known, validator, bool(durable))
        case _:
            return None


def _row_of(claim: Claim) -> tuple[object, ...]:
    identity, validator = claim.identity, claim.validator
    return (
        claim.path_key,
        claim.url_key,
        identity.size,
        identity.mtime_ns,
        str(identity.inode),
        json.dumps(claim.digests),
        validator.etag,
        validator.last_modified,
        int(claim.durable),
    )
