"""The state database from outside the program: its keys, and what earlier versions would have left; for tests that write SQL."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from marscore.state import key_of

_INTEGER, _TEXT, _KEY = "INTEGER NOT NULL", "TEXT NOT NULL", "TEXT PRIMARY KEY"
_HEX = "CASE typeof({0}) WHEN 'blob' THEN lower(hex({0})) ELSE {0} END"
#: The columns of format 3: name, type, and what makes it of format 4.
_FORMAT_3 = {
    "path_key": (_KEY, _HEX.format("path_key")),
    "url_key": (_TEXT, _HEX.format("url_key")),
    "size": (_INTEGER, "size"),
    "mtime_ns": (_INTEGER, "mtime_ns"),
    "inode": (_TEXT, "inode"),
    "digests": (_TEXT, """CASE typeof(digests) WHEN 'blob' THEN '["sha256:' || lower(hex(digests)) || '"]' ELSE digests END"""),
    "etag": ("TEXT", "etag"),
    "last_modified": ("TEXT", "last_modified"),
    "validator_of": ("TEXT", _HEX.format("validator_of")),
    "verified_size": (_INTEGER, "verified_size"),
    "durable": (_INTEGER, "durable"),
}
_LACKS = {3: (), 2: ("validator_of",), 1: ("validator_of", "verified_size")}
EARLIER = tuple(_LACKS)


def stored_key(path: str) -> bytes:
    """The key of a path, as the database has it."""
    return bytes.fromhex(key_of(path))


def make_earlier(state: Path, version: int) -> None:
    """Make of a database what the version of that format, 1 to 3, would have left."""
    columns = {name: how for name, how in _FORMAT_3.items() if name not in _LACKS[version]}
    declared = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    with contextlib.closing(sqlite3.connect(state)) as database, database:
        database.execute(f"CREATE TABLE earlier ({declared}) WITHOUT ROWID")
        database.execute(f"INSERT INTO earlier SELECT {', '.join(value for _, value in columns.values())} FROM files")
        database.execute("DROP TABLE files")
        database.execute("ALTER TABLE earlier RENAME TO files")
        database.execute(f"PRAGMA user_version={version}")
