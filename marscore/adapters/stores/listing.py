"""What is below a prefix, for who asks for some thousand paths at a time and does not know of how many more.

    paths --few objects were listed for each that was asked for--> asked for by their names, while the list goes on in parts
          --the list is at its end--> read from a file without a name in marscore's own folder, which holds it

A list tells of a thousand objects with each request, and a look at one object takes a request: so neither costs more than twice what the
better of both would have, however much of others is below the prefix. In memory there is one page.

A list that broke, by the store or by the disk, says nothing any more, neither of what it held nor of what it did not come to: from then on
all objects are asked for by their names, and a store that does not answer that either ends the run by its name.

What a list says is as old as the list, which is begun anew after a quarter of an hour, or four times what it took. What can come of that:
an object that another program has removed or replaced meanwhile is told as in place, or as not there yet, as it is where that happens right
after a look. What is fetched for that is put on condition of what was listed (`objects`), so that nothing newer is replaced.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from marscore.adapters.files.failures import naming
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.waiting import each, patiently
from marscore.errors import StorageError
from marscore.state import FileIdentity
from marscore.values import Failure

#: So many objects are listed at first, and so many more for each path that is asked for.
_FIRST, _FOR_EACH = 10_000, 20
#: Objects of one request.
_PAGE = 1000
#: Seconds for which a list is believed after it was begun, and how often longer than it took.
_LASTS, _TIMES = 900.0, 4.0
#: So many paths are looked up at once: every SQLite takes 999 (https://sqlite.org/limits.html).
_ASKED = 500
_TABLE = "CREATE TABLE objects (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER) WITHOUT ROWID"


class Listing:
    """For one thread at a time. `check` raises once nobody waits for it any more."""

    def __init__(self, objects: Objects, folder: Path, check: Callable[[], None]) -> None:
        self._objects = objects
        self._folder = folder
        self._check = check
        self._left: Iterator[tuple[str, FileIdentity]] | None = None
        self._listed: sqlite3.Connection | None = None
        self._is_whole = self._is_broken = self._is_over = False
        #: When the list was begun, and the seconds that it took so far.
        self._begun, self._took = 0.0, 0.0
        #: Held by who lists: it may still do so when nobody waits for it any more.
        self._lock = threading.Lock()

    def identities(self, paths: Sequence[str]) -> dict[str, FileIdentity]:
        """What identifies those of the objects that are there.

        Raises:
            StorageError: the store is in the way, or the list that was kept on the disk cannot be read.
        """
        if not self._is_broken and self._is_old():
            patiently(self._begin_anew, self._check)
        if not (self._is_broken or self._is_whole):
            self._is_whole = patiently(lambda: self._list_more(_FOR_EACH * len(paths)), self._check)
        if self._is_whole:
            return self._look_up(paths)
        found = each(paths, self._objects.identify, self._check)
        return {path: identity for path, identity in zip(paths, found, strict=True) if identity is not None}

    def _is_old(self) -> bool:
        return self._left is not None and time.monotonic() - self._begun > max(_LASTS, _TIMES * self._took)

    def _begin_anew(self) -> None:
        with self._lock:
            self._shut()
            self._left = self._listed = None
            self._is_whole = False

    def close(self) -> None:
        """Let the list go."""
        self._is_over = True
        if self._lock.acquire(blocking=False):
            self._shut()
            self._lock.release()

    def _shut(self) -> None:
        if self._listed is not None:
            self._listed.close()

    def _list_more(self, most: int) -> bool:
        """Go on with the list; whether it is at its end. One that breaks is not asked again."""
        try:
            with self._lock:
                began = time.monotonic()
                is_whole = self._listed_to_the_end(most)
                self._took += time.monotonic() - began
                return is_whole
        except StorageError:
            self._is_broken = True
            return False
        finally:
            if self._is_over:
                self._shut()

    def _listed_to_the_end(self, most: int) -> bool:
        if self._left is None:
            self._left, most = self._objects.all(), most + _FIRST
            self._begun, self._took = time.monotonic(), 0.0
        with _writing():
            if self._listed is None:
                self._listed = _unnamed(self._folder)
            for _ in range(0, most, _PAGE):
                if self._is_over:
                    break
                page = list(islice(self._left, _PAGE))
                rows = [(path, identity.size, identity.mtime_ns, identity.inode) for path, identity in page]
                with self._listed:
                    self._listed.executemany("INSERT OR REPLACE INTO objects VALUES (?,?,?,?)", rows)
                if len(page) < _PAGE:
                    return True
        return False

    def _look_up(self, paths: Sequence[str]) -> dict[str, FileIdentity]:
        assert self._listed is not None, "it was listed"
        found: dict[str, FileIdentity] = {}
        with _writing():
            for start in range(0, len(paths), _ASKED):
                some = paths[start : start + _ASKED]
                marks = ",".join("?" * len(some))
                rows = self._listed.execute(f"SELECT path, size, mtime_ns, inode FROM objects WHERE path IN ({marks})", some)  # noqa: S608 - marks
                found.update((path, FileIdentity(size, mtime_ns, inode)) for path, size, mtime_ns, inode in rows)
        return found


def _unnamed(folder: Path) -> sqlite3.Connection:
    """A database that is gone with who holds it."""
    number, name = tempfile.mkstemp(prefix="listing-", dir=folder)
    os.close(number)
    try:
        # What asks the store is another thread each time.
        listed = sqlite3.connect(name, check_same_thread=False)
        # One that is gone when the process dies has nothing to be brought back by.
        listed.execute("PRAGMA journal_mode=OFF")
        listed.execute("PRAGMA synchronous=OFF")
        listed.execute(_TABLE)
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()
    return listed


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    doing = "cannot keep the list of the objects"
    with naming(doing):
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StorageError(Failure("path", f"{doing}: {error}")) from error
