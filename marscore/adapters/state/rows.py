"""The table of the state database: what a row of each format holds, and how it becomes the Row that everybody else knows, which is text.

    Row --stored--> a row of format 4 --rows_in--> Row
                    a row of format 1 to 3 --rows_in--> Row        (these held text; `bring_up` rewrites them as format 4)

A million files have a million rows, so format 4 holds what is hex in a Row as the bytes that the hex stands for: a key is a BLOB of 16,
the digests of nearly all files, one sha256 and nothing else, are a BLOB of 32. Whatever is not of that form is held as it is, so that any
Row comes back as it was, and is told by its type. The inode stays text: as a number it would save 5 bytes of 160, and cost who reads
a tenth of a microsecond a row. Hex is made here and not by SQLite, whose hex() takes more than twice as long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from marscore.adapters.state.database import OtherMakeError
from marscore.state import Row, claim_of

FORMAT = 4
_COLUMNS = "path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, validator_of, verified_size, durable"
_SCHEMA = """
CREATE TABLE {} (
    path_key BLOB PRIMARY KEY, url_key BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode TEXT NOT NULL,
    digests BLOB NOT NULL, etag TEXT, last_modified TEXT, validator_of BLOB, verified_size INTEGER NOT NULL, durable INTEGER NOT NULL
) WITHOUT ROWID
"""
_WRITE = f"INSERT OR REPLACE INTO {{}} ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constants
#: Takes what `stored` makes.
WRITE = _WRITE.format("files")
_READ = f"SELECT {_COLUMNS} FROM files"  # noqa: S608 - constants
#: What reads the rows of each format; of one that holds nothing yet there is no table to read.
_READS = {
    # Format 1 did not say of how many bytes the digests were made, and versions that wrote it could give a file another file's digests. So
    # what it claims is believed once it is proven again. Nor did it say whether a date was worth to be asked by.
    1: "SELECT path_key, url_key, size, mtime_ns, inode, digests, etag, NULL, NULL, size, 0 FROM files",
    # In format 2 all validators were those of the downloads' own URLs.
    2: f"SELECT {_COLUMNS.replace('validator_of', 'NULL')} FROM files",  # noqa: S608 - constants
    3: _READ,
    FORMAT: _READ,
}
#: So many rows are rewritten at once.
_AT_ONCE = 10_000
_KEY_SIZE, _SHA256_SIZE = 16, 32
_HEAD, _TAIL = '["sha256:', '"]'


def format_of(database: sqlite3.Connection) -> int:
    """The format that a database says it has; 0 for one that holds nothing yet.

    Raises:
        OtherMakeError: none that is read here.
    """
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if not version and database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise OtherMakeError("another program")
    if version not in (0, *_READS):
        raise OtherMakeError(f"another version of marscore (format {version}, this one reads 1 to {FORMAT})")
    return version


def bring_up(database: sqlite3.Connection, version: int) -> None:
    """Make the table, with the claims of the one that there is, if any; within the caller's transaction.

    Rows that make no claim are left behind, as they count for nothing.
    """
    database.execute(_SCHEMA.format("newer" if version else "files"))
    if version:
        found = database.execute(_READS[version])
        while some := found.fetchmany(_AT_ONCE):
            database.executemany(_WRITE.format("newer"), [stored(row) for row in some if claim_of(row) is not None])
        database.execute("DROP TABLE files")
        database.execute("ALTER TABLE newer RENAME TO files")
    database.execute(f"PRAGMA user_version={FORMAT}")


def rows_in(database: sqlite3.Connection, version: int, which: str = "", path_keys: Sequence[str] = ()) -> Iterable[tuple[Any, ...]]:
    """The rows of a database of this format as text, also those that make no claim; `which` is SQL, with a mark for each key.

    The statement is begun at once, and what SQLite says of it raised; rows are read as they are asked for.
    """
    if not version:
        return ()
    if version != FORMAT:
        return database.execute(f"{_READS[version]} {which}", path_keys)
    return _texts(database.execute(f"{_READ} {which}", [*map(stored_key, path_keys)]))


def stored(row: Row | tuple[Any, ...]) -> tuple[Any, ...]:
    """What the table holds of a row."""
    path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, of, verified, durable = row
    of = of and stored_key(of)
    return (
        stored_key(path_key),
        stored_key(url_key),
        size,
        mtime_ns,
        inode,
        _stored_digests(digests),
        etag,
        last_modified,
        of,
        verified,
        durable,
    )


def stored_key(key: str) -> bytes | str:
    """What the table holds of a key: its bytes; the key itself where that is none as `state.key_of` makes them."""
    return _bytes_of(key, _KEY_SIZE) or key


def _stored_digests(digests: str) -> bytes | str:
    is_usual = digests.startswith(_HEAD) and digests.endswith(_TAIL)
    return (is_usual and _bytes_of(digests[len(_HEAD) : -len(_TAIL)], _SHA256_SIZE)) or digests


def _bytes_of(text: str, size: int) -> bytes | None:
    """The bytes that so many digits stand for; None unless they become the very text again, which upper case or spaces do not."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == size and found.hex() == text else None


def _texts(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    # Each row of a run with nothing to do comes through here: that of a usual claim is made without a call for each of its parts, which
    # costs 0.4 in place of 1 microsecond.
    as_hex, key, sha256, head, tail = bytes.hex, _KEY_SIZE, _SHA256_SIZE, _HEAD, _TAIL
    for row in rows:
        path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, of, verified, durable = row
        try:
            if of is not None or len(digests) != sha256 or len(url_key) != key or len(path_key) != key:
                yield _text(row)
                continue
            text = head + as_hex(digests) + tail
            usual = as_hex(path_key), as_hex(url_key), size, mtime_ns, inode, text, etag, last_modified, of, verified, durable
        except TypeError:
            # Numbers have no length, and text no hex.
            yield _text(row)
        else:
            yield usual


def _text(row: tuple[Any, ...]) -> tuple[Any, ...]:
    path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, of, verified, durable = row
    if _is_blob(digests, _SHA256_SIZE):
        digests = f"{_HEAD}{digests.hex()}{_TAIL}"
    path_key, url_key, of = (value.hex() if _is_blob(value, _KEY_SIZE) else value for value in (path_key, url_key, of))
    return path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, of, verified, durable


def _is_blob(value: object, size: int) -> bool:
    """Whether it is one that `stored` made; another is left as it is, and makes no claim."""
    return isinstance(value, bytes) and len(value) == size
