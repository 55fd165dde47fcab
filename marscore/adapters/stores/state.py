"""What a destination is known to hold: the state database of this machine, and its copy beside the objects, by which others go on.

    <work>/.marscore/state.db            what this machine works with, as for a folder
    <work>/.marscore/state.remote        the ETag of the copy that this machine put or fetched last, and whether it knows more by now
    <destination>/.marscore/state.db     the copy: put at the end, and now and then, for as long as the run holds the lock

A claim is believed only of the very object that it tells of (size, ETag, time), so a copy that is behind costs at worst that a file is
fetched once more, or read and hashed where its checksum is known.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from marscore.adapters.files.failures import naming
from marscore.adapters.state.store import Seen, SqliteState, claims_at, rows_at
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.waiting import patiently
from marscore.errors import StorageError
from marscore.state import Claims, Row, row_of
from marscore.values import OWN_FOLDER, Failure

_NAME = "state.db"
#: Seconds between two copies while a run goes on, and how often longer than the last took.
_EVERY, _TIMES = 60.0, 20.0


class StoreState:
    """Implements `ports.StateStore`. `record` and `flushed` are for one thread, `copy_if_due` for any."""

    def __init__(self, local: SqliteState, objects: Objects, own: Path, check: Callable[[], None] = lambda: None) -> None:
        self._local = local
        self._objects = objects
        self._path, self._note = own / _NAME, own / "state.remote"
        self._check = check
        self._lock = threading.Lock()
        self._changes = self._copied = 0
        self._is_taken_over = False
        self._known, self._is_ahead = _read_note(self._note)
        #: When the next copy is due.
        self.due = time.monotonic() + _EVERY
        self.warnings: list[str] = local.warnings

    def claims(self) -> Claims:
        """Every claim, once those of the copy are taken over that another machine has put."""
        self._take_over()
        return self._local.claims()

    def claims_of(self, path_keys: Sequence[str]) -> Claims:
        """The claims for these keys, once those of the copy are taken over."""
        self._take_over()
        return self._local.claims_of(path_keys)

    def _take_over(self) -> None:
        """Take over what the copy claims, once: no other run puts one as long as this one holds the lock."""
        if self._is_taken_over:
            return
        with _room(self._path.parent) as place:
            etag = patiently(lambda: _fetched(self._objects, self._known, place), self._check)
            if etag is not None:
                self.warnings += rows_at(place, lambda rows: self._local.record(map(_lasting, rows)))
                self._write_note(etag, self._is_ahead)
        self._is_taken_over = True

    def record(self, rows: Iterable[Row]) -> None:
        """Replace the claims for these paths. What a store has taken lasts."""
        if not self._is_ahead:
            # First: a run that is killed leaves word that its copy is to be put by the next.
            self._write_note(self._known, True)
        self._local.record([_lasting(row) for row in rows])
        self._changes += 1

    def flushed(self, path_keys: Iterable[str]) -> None:
        """They are marked already."""

    def copy_if_due(self) -> None:
        """Put a copy beside the objects, if there is something new in it and it is time.

        Raises:
            StorageError: it cannot be put.
        """
        if self._has_more and time.monotonic() >= self.due:
            self.copy()

    def copy(self) -> None:
        """Put a copy beside the objects, if there is something new in it.

        Raises:
            StorageError: it cannot be put.
        """
        with self._lock:
            changes, began = self._changes, time.monotonic()
            if not self._has_more and self._known:
                return
            try:
                with _copy_of(self._path) as copy:
                    etag = self._objects.put_own_file(_NAME, copy)
                self._copied = changes
                self._write_note(etag, self._changes != changes)
            finally:
                self.due = time.monotonic() + max(_EVERY, _TIMES * (time.monotonic() - began))

    def close(self) -> None:
        """Close the database."""
        self._local.close()

    @property
    def _has_more(self) -> bool:
        """Whether this machine knows more than the copy."""
        return self._is_ahead or self._changes != self._copied

    def _write_note(self, etag: str, is_ahead: bool) -> None:
        self._known, self._is_ahead = etag, is_ahead
        with contextlib.suppress(OSError):
            self._note.write_text(f"{etag}\n{'ahead' if is_ahead else ''}")


def _read_note(note: Path) -> tuple[str, bool]:
    """The ETag of the copy that this machine knows, empty where it knows none, and whether it knows more than that."""
    try:
        etag, _, more = note.read_text().partition("\n")
    except (OSError, ValueError):
        return "", False
    return etag, bool(more)


def _fetched(objects: Objects, known: str, place: Path) -> str | None:
    """Write the copy that is beside the objects to `place`; its ETag, or None where there is none, or it is the one that is `known`."""
    etag = objects.etag_of(f"{OWN_FOLDER}/{_NAME}")
    if etag is None or (etag and etag == known):
        return None
    return objects.save(f"{OWN_FOLDER}/{_NAME}", place)


@contextlib.contextmanager
def _room(beside: Path | None) -> Iterator[Path]:
    """Where a copy is put, for a while; None: where the system has such things."""
    with naming("cannot keep the state that is beside the objects"), contextlib.ExitStack() as stack:
        yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marscore-", dir=beside)), _NAME)


def seen_by(objects: Objects, own: Path) -> Seen:
    """What a look brings that changes nothing: the claims of this machine, and on top those of the copy if another has put it."""
    with seeing(objects, own) as see:
        return see(None)


@contextlib.contextmanager
def seeing(objects: Objects, own: Path) -> Iterator[Callable[[Sequence[str] | None], Seen]]:
    """The same for who asks for some keys after the other; None asks for all."""
    known, _ = _read_note(own / "state.remote")
    with _room(None) as place:
        is_there = patiently(lambda: _fetched(objects, known, place)) is not None

        def see(keys: Sequence[str] | None) -> Seen:
            local = claims_at(own / _NAME, keys)
            if not is_there:
                return local
            found = claims_at(place, keys)
            rows = {claim.path_key: row_of(claim) for seen in (local, found) for claim in seen.claims.values()}
            return Seen(Claims(rows), (*local.warnings, *found.warnings))

        yield see


def _lasting(row: Row) -> Row:
    return (*row[:-1], 1)


@contextlib.contextmanager
def _copy_of(path: Path) -> Iterator[Path]:
    """The database as it is now, whole in one file, while its owner goes on to write to it."""
    try:
        with tempfile.TemporaryDirectory(prefix="marscore-", dir=path.parent) as folder:
            place = Path(folder, _NAME)
            with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(place)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            yield place
    except (sqlite3.DatabaseError, OSError) as error:
        raise StorageError(Failure("path", f"the state database cannot be copied: {error}")) from error
