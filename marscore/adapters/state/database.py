"""The SQLite file of the state: how it is opened, what counts as damage to it, and how a damaged one is put aside.

demand      a file, or none, where the database is to be and what belongs to it
connect     for a run, which writes
patiently   does it again while another program has the database locked
read        for who only looks: nothing on the disk changes
is_damage   tells a damaged database from a system that is in the way; damage_in names it
put_aside   begins anew without losing anything of the old one
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from marscore.adapters.files.regular import demand_files
from marscore.errors import StorageError
from marscore.values import Failure, FailureKind

_T = TypeVar("_T")
#: What SQLite says of a file that is no database or no whole one, and of one that is another program's; Python 3.10 gives no error codes.
#: Whatever else it says is about the system: a lock, a disk, memory, permissions.
_DAMAGE = ("malformed", "not a database", "unsupported file format", "no such table", "no such column", "Could not decode to UTF-8")
_LOCKED = "is locked"
_KINDS: dict[str, FailureKind] = {"disk is full": "disk_full", "readonly": "permission"}
#: Files that belong to a database; one that is put aside needs them under its own new name.
_COMPANIONS = ("-wal", "-shm")
_JOURNAL = "-journal"
#: What a -wal begins with (https://sqlite.org/fileformat2.html#the_write_ahead_log): its last bit is the order of bytes in the checksum.
_WAL_MAGIC = 0x377F0682
_WAL_HEAD = 32
_LATEST_FORMAT = 2
#: How often reading begins anew because a run has begun to write meanwhile.
_TRIES = 10
_PAUSE = 0.01
#: Seconds that SQLite itself waits for a lock of another program. Nothing else happens in its thread meanwhile, no signal is heard either.
_WAIT = 0.1
#: Seconds that a run waits for it before it begins, in as many waits as that takes.
PATIENCE = 5.0


class OtherMakeError(sqlite3.DatabaseError):
    """A database of another format than ours, by the maker that it names. To us, as good as damaged."""


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether it is the database itself that is wrong."""
    return isinstance(error, OtherMakeError) or any(words in str(error) for words in _DAMAGE)


def damage_in(error: sqlite3.DatabaseError, otherwise: str) -> str:
    """What is wrong with a database, as the beginning of a sentence: who wrote it, if not we, else what `otherwise` says."""
    return f"the state database was written by {error}" if isinstance(error, OtherMakeError) else f"the state database {otherwise}"


def demand(path: Path, doing: str) -> None:
    """Let a database and what belongs to it be regular files, or missing: SQLite would wait for whoever is to write to a pipe.

    Raises:
        StorageError: one is something else; `doing` begins the message.
    """
    demand_files(doing, *(_with(path, suffix) for suffix in ("", *_COMPANIONS, _JOURNAL)))


def storage_error_of(error: sqlite3.DatabaseError, doing: str, so: str = "") -> StorageError:
    """What SQLite said, in the vocabulary of failures; `so` is what follows from it."""
    kind: FailureKind = next((kind for words, kind in _KINDS.items() if words in str(error)), "path")
    by = " by another program" if _LOCKED in str(error) else ""
    return StorageError(Failure(kind, f"{doing}: {error}{by}{so}"))


def patiently(act: Callable[[], _T], give_up: Callable[[], bool] = lambda: False) -> _T:
    """Do it, and again while another program has the database locked, for PATIENCE; a signal is heard between two tries."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if _LOCKED not in str(error) or give_up() or time.monotonic() >= until:
                raise
        # Some locks are told of without waiting for them.
        time.sleep(_PAUSE)


def make(path: Path) -> None:
    """Make an empty file with what the user's umask gives: SQLite would not let others write, and its -wal and -shm follow the database."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that is there.

    Raises:
        OtherMakeError: a later SQLite's; this one would only say that it may not be written.
    """
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(20)
        if head.startswith(b"SQLite format 3\0") and any(version > _LATEST_FORMAT for version in head[18:20]):
            raise OtherMakeError("a later version of SQLite than this one")
    return sqlite3.connect(_uri(path, "mode=rw"), uri=True, timeout=_WAIT, isolation_level="IMMEDIATE", check_same_thread=False)


def put_aside(path: Path, begin: Callable[[Path], None]) -> None:
    """Put a new database in the place of a damaged one, which is kept as `.damaged`, together with what belongs to it.

    Args:
        path: the damaged database, closed.
        begin: makes a new one at the path that it is given. Nothing is moved before it has done so.

    Raises:
        OSError: what is in the way; the old database then is where it was.
    """
    fresh = _with(path, ".new")
    for suffix in ("", *_COMPANIONS):
        # What is left of a run that was killed at this.
        _with(fresh, suffix).unlink(missing_ok=True)
    begin(fresh)
    aside = _with(path, ".damaged")
    # The database last: alone, it would be taken for the whole, and what belongs to it for the new one's.
    for suffix in (*_COMPANIONS, ""):
        try:
            _with(path, suffix).replace(_with(aside, suffix))
        except FileNotFoundError:
            # Not to be taken for this one's: it belonged to one that was put aside before.
            _with(aside, suffix).unlink(missing_ok=True)
    fresh.replace(path)


def read(path: Path, ask: Callable[[sqlite3.Connection], _T]) -> _T:
    """Ask a database that others may be writing to, and change nothing, not even beside it.

    Where no -wal holds anything, the file is complete in itself and is read as one that nobody changes (`immutable`), which is then looked
    after. A -wal without a sound head holds nothing: SQLite takes nothing from it either, but, beside a -shm, says "locking protocol" after
    ten seconds of trying. Else a run is writing, or was killed: what it uses to agree with readers (-shm) is there, and is read without
    being written. Where that is missing, in a copied folder, nobody can be writing, and a copy of all is asked.

    Raises:
        sqlite3.DatabaseError: what SQLite says.
        OSError: no copy can be made.
    """
    for _ in range(_TRIES):
        before = _look(path)
        is_joined = bool(before["-wal"]) and _with(path, "-shm").exists()
        try:
            found = _ask_once(path, before, is_joined, ask)
        except (sqlite3.DatabaseError, FileNotFoundError):
            if _look(path) == before:
                raise
        else:
            if is_joined or _look(path) == before:
                return found
        time.sleep(_PAUSE)
    # It is being written all the time, so what SQLite would make beside it is there.
    return _ask(_uri(path, "mode=ro"), ask)


def _ask_once(path: Path, seen: Mapping[str, object], is_joined: bool, ask: Callable[[sqlite3.Connection], _T]) -> _T:
    if is_joined:
        return _ask(_uri(path, "mode=ro&readonly_shm=1"), ask)
    if seen["-wal"] or seen[_JOURNAL]:
        return _ask_copy(path, ask)
    return _ask(_uri(path, "mode=ro&immutable=1"), ask)


def _ask_copy(path: Path, ask: Callable[[sqlite3.Connection], _T]) -> _T:
    with tempfile.TemporaryDirectory(prefix="marscore-") as folder:
        copy = Path(folder, "state.db")
        for suffix in ("", "-wal", _JOURNAL):
            if _with(path, suffix).exists():
                shutil.copyfile(_with(path, suffix), _with(copy, suffix))
        return _ask(_uri(copy, "mode=rw"), ask)


def _ask(uri: str, ask: Callable[[sqlite3.Connection], _T]) -> _T:
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_WAIT)) as database:
        return ask(database)


def _look(path: Path) -> dict[str, tuple[int, int, int] | None]:
    """What tells whether somebody writes; None for a companion that is missing or empty."""
    found: dict[str, tuple[int, int, int] | None] = {}
    for suffix in ("", "-wal", _JOURNAL):
        try:
            status = _with(path, suffix).stat()
            # Whoever closes the database last removes it, be it between these two.
            holds = _is_wal(_with(path, suffix)) if suffix == "-wal" else status.st_size
        except FileNotFoundError:
            found[suffix] = None
        else:
            found[suffix] = (status.st_ino, status.st_size, status.st_mtime_ns) if holds else None
    return found


def _is_wal(path: Path) -> bool:
    """Whether a -wal begins as one that holds something."""
    with path.open("rb") as file:
        head = file.read(_WAL_HEAD)
    magic = int.from_bytes(head[:4], "big")
    if len(head) < _WAL_HEAD or magic & ~1 != _WAL_MAGIC:
        return False
    words = struct.unpack(f"{'>' if magic & 1 else '<'}6I", head[:24])
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % 2**32
        second = (second + other + first) % 2**32
    return (first, second) == struct.unpack(">2I", head[24:])


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _uri(path: Path, options: str) -> str:
    # Quotes what means something in a URI: a folder's name may hold ?, # and %.
    return f"{path.absolute().as_uri()}?{options}"
