"""Writes what a run finished into the state database, in bulk.

A claim is committed as soon as a piece's worth of bytes, or a quarter of a second, is at stake, so that a kill -9 costs no more than it
may. It is marked durable only after the file was flushed to the disk, once for all at the end; until then it has to be proven again
before it is believed.

That a claim cannot be written, on a full disk or while another program has the database locked, ends no run: the file is in place, and
is tried again after a pause that grows. What is not written in the end is noted in a journal, by which the next run proves the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from marscore.adapters.files.flushing import Flushing
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.leftovers import Leftover, forgotten, told
from marscore.adapters.state.claims import claim_of
from marscore.errors import StorageError
from marscore.events import DownloadFinished, Event
from marscore.journal import PIECE_SIZE, Header
from marscore.ports import Clock, StateStore
from marscore.resolve.model import Download
from marscore.state import UNKNOWN_URL, Claim, Claims, Row, key_of, row_of
from marscore.state import claim_of as claim_in
from marscore.validator import Validator

_COMMIT_EVERY = 0.25
#: The longest pause after claims could not be written, in seconds; the first is `_COMMIT_EVERY`, and each is twice the one before.
_LONGEST_PAUSE = 8.0


class ClaimWriter:
    """Keeps claims for finished downloads; one thread uses it. `trouble` says why some are not written down, if so.

    Where downloads are read while the run goes on, `downloads` grows with them: `expect` says what was known of their files, and `forget`
    that they are over. After `many` files that came they are flushed while the run goes on, so that one of millions that is killed has most
    of them to its credit.
    """

    many = 50_000

    def __init__(self, state: StateStore, folder: Folder, clock: Clock, downloads: Mapping[str, Download]) -> None:
        self.trouble: str | None = None
        #: Whether what comes from the cache is known to be what its download's URL brings.
        self.urls_of_cached = True
        self._state = state
        self._folder = folder
        self._clock = clock
        self._downloads = downloads
        self._left = folder.partial_keys()
        self._open: list[Row] = []
        self._done_with: list[str] = []
        self._finished: set[str] = set()
        #: The paths of files that are still to be flushed, by key; None for an archive that went once it was unpacked.
        self._written: dict[str, str | None] = {}
        self._at_stake = 0
        self._committed_at = clock.ticks()
        self._pause = 0.0
        self._flushing: Flushing | None = None
        #: Where downloads come while the run goes on: the rows of their claims, what was left here before, and whose of it is theirs.
        self._rows: dict[str, tuple[Any, ...]] | None = None
        self._old: set[str] = set()
        self._own: set[str] = set()

    @cached_property
    def before(self) -> Claims:
        """What was known when the run began."""
        return self._state.claims()

    def expect(self, downloads: Iterable[Download], claims: Claims) -> None:
        """Take note of downloads, and of what was known of their files."""
        if self._rows is None:
            self._rows = {}
            self.before = Claims(self._rows)
            self._old = set(self._folder.leftovers())
        keys = [key_of(download.path) for download in downloads]
        self._rows.update((key, row) for key in keys if (row := claims.row(key)))
        if self._old:
            self._own |= self._old.intersection(keys)

    def forget(self, download: Download) -> None:
        """Forget what was known of a download that is over."""
        if self._rows is not None:
            self._rows.pop(key_of(download.path), None)

    def download(self, id_: str) -> Download:
        """The download of this id."""
        return self._downloads[id_]

    def note(self, event: Event, row: Row | None = None) -> None:
        """Take note of a finished download; `row` is what the state is to hold of it, where that is made."""
        if not isinstance(event, DownloadFinished):
            return
        download = self._downloads[event.download]
        path = download.path
        if row is None or event.status != "downloaded":
            row = self._row(event)
        key, durable = row[0], row[-1]
        # Only these can have a journal: a small file that came at once has none, and there may be a million of them.
        may_be_left = event.size >= PIECE_SIZE or event.segments > 1 or key in self._left
        if may_be_left:
            self._done_with.append(path)
        if may_be_left or self._rows is None or key in self._own:
            self._finished.add(key)
        if not durable or claim_in(row) != self.before.get(key):
            self._open.append(row)
            self._at_stake += event.size
        if not durable:
            self._written[key] = path if download.stays else None
        waited = self._clock.ticks() - self._committed_at
        if waited >= self._pause and (self._at_stake >= PIECE_SIZE or waited >= _COMMIT_EVERY):
            self.commit()

    def _row(self, event: DownloadFinished) -> Row:
        """What the state is to hold, with what was known before and still holds."""
        claim = claim_of(event, self._downloads[event.download])
        if event.status == "cached" and not self.urls_of_cached:
            claim = replace(claim, url_key=UNKNOWN_URL)
        before = self.before.get(claim.path_key) if event.status == "up_to_date" else None
        if before is None or not _have_one_content(before, claim):
            return row_of(claim)
        # What was known of this content still holds, also where it was copied or touched.
        if not claim.validator and before.url_key == claim.url_key:
            claim = replace(claim, validator=before.validator, validator_of=before.validator_of)
        digests = tuple(dict.fromkeys((*claim.digests, *before.digests)))
        # That its content is right makes no other URL the one that it came from.
        return row_of(replace(claim, url_key=before.url_key, digests=digests, durable=before.durable and before.identity == claim.identity))

    def commit(self) -> None:
        """Write the open claims down, and drop the journals of their files. Where that fails, the next commit tries again."""
        self._at_stake = 0
        written = not self._open or self._tried(lambda: self._state.record(self._open))
        # From here on: what failed has taken its time as well.
        self._committed_at = self._clock.ticks()
        self._pause = 0.0 if written else min(max(_COMMIT_EVERY, 2 * self._pause), _LONGEST_PAUSE)
        if not written:
            return
        for path in self._done_with:
            self._folder.forget_partial(path)
        self._open = []
        self._done_with = []
        if len(self._written) >= self.many:
            self._flush_some()

    def _flush_some(self) -> None:
        """Have what came so far flushed by a helper, and mark what the last one has flushed."""
        if self._flushing is not None and not self._flushing.is_over:
            return
        self._mark_flushed()
        written, self._written = self._written, {}
        self._flushing = Flushing(self._folder, written)

    def _mark_flushed(self) -> None:
        if self._flushing is None:
            return
        flushing, self._flushing = self._flushing, None
        if not flushing.result() or not self._marked(flushing.files):
            # They are tried once more at the end.
            self._written = {**flushing.files, **self._written}

    def _marked(self, keys: Iterable[str]) -> bool:
        """Mark claims durable. That this can be written does not mend what could not be before."""
        before = self.trouble
        # In the order of the table: each of its pages is read and written once.
        marked = self._tried(lambda: self._state.flushed(sorted(keys)))
        self.trouble = before or self.trouble
        return marked

    def close(self) -> None:
        """Flush all finished files to the disk and mark their claims durable."""
        self.commit()
        self._mark_flushed()
        for row in self._open:
            if path := self._written.get(row[0]):
                self._folder.note_finished(path, *_noted(row))
        if self._written and self._folder.flush([path for path in self._written.values() if path is not None]):
            self._marked(self._written)
        self._written = {}

    def clear(self, all_in_place: bool) -> str | None:
        """Remove what is left of the run's own downloads that are in place and claimed, and, where all are, what everybody has forgotten.

        Whatever else is there belongs to others, who may go on with it. Returns what there is to say of what was forgotten.
        """
        left = self._folder.leftovers()
        own = self._own_of(left)
        claimed = (own if all_in_place else self._finished) - {row[0] for row in self._open}
        old = forgotten(left, own, self._clock.now()) if all_in_place else {}
        self._folder.remove_left(left.keys() & (claimed | old.keys()))
        self._folder.leave_empty()
        return told(old.values()) if old else None

    def _own_of(self, left: Mapping[str, Leftover]) -> set[str]:
        """Which keys are those of this run's downloads, at least of those under which something is left."""
        if self._rows is None:
            return {key_of(download.path) for download in self._downloads.values()} if left else set()
        # What was not there when the run began, under the folder's lock, is its own.
        return {key for key in left if key not in self._old or key in self._own}

    def _tried(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except StorageError as error:
            self.trouble = error.failure.message
            return False
        self.trouble = None
        return True


def _noted(row: Row) -> tuple[Header, str]:
    """What a journal is to say of a file whose claim is not written."""
    claim = claim_in(row)
    assert claim is not None
    sha256 = next(digest.split(":", 1)[1] for digest in claim.digests if digest.startswith("sha256:"))
    return Header(claim.url_key, claim.identity.size, claim.validator if claim.validator_of is None else Validator()), sha256


def _have_one_content(one: Claim, other: Claim) -> bool:
    shared = set(one.digests) & set(other.digests)
    return one.identity.size == other.identity.size and any(digest.startswith("sha256:") for digest in shared)
