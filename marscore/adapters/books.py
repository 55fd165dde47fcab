"""Writes what a run finished into the state database, in bulk.

A claim is committed as soon as a piece's worth of bytes, or a quarter of a second, is at stake, so that a kill -9 costs no more than it
may. It is marked durable only after the file was flushed to the disk, once for all at the end; until then it has to be proven again
before it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from marscore.adapters import durable
from marscore.adapters.files import Folder
from marscore.events import DownloadFinished, Event
from marscore.journal import PIECE_SIZE
from marscore.ports import Clock, StateStore
from marscore.resolve.model import Download
from marscore.state import Claim, FileIdentity, key_of
from marscore.values import Validator

_COMMIT_EVERY = 0.25


class Books:
    """Keeps claims for finished downloads; one thread uses it."""

    def __init__(self, root: Path, state: StateStore, folder: Folder, clock: Clock, downloads: Mapping[str, Download]) -> None:
        self._root = root
        self._state = state
        self._folder = folder
        self._clock = clock
        self._downloads = downloads
        self._open: list[Claim] = []
        self._written: list[tuple[Claim, str]] = []
        self._at_stake = 0
        self._committed_at = clock.ticks()

    def note(self, event: Event) -> None:
        """Take note of a finished download."""
        if not isinstance(event, DownloadFinished):
            return
        download = self._downloads[event.download]
        identity = FileIdentity(event.size, event.mtime_ns, event.inode)
        validator = Validator(event.etag, event.last_modified)
        claim = Claim(key_of(download.path), key_of(download.url), identity, event.digests, validator, durable=False)
        self._open.append(claim)
        self._written.append((claim, download.path))
        self._at_stake += event.size
        if self._at_stake >= PIECE_SIZE or self._clock.ticks() - self._committed_at >= _COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Write the open claims down, and drop the journals of their files."""
        if not self._open:
            return
        self._state.record(self._open)
        for claim, path in self._written[-len(self._open) :]:
            if claim.identity.size >= PIECE_SIZE:
                self._folder.forget_partial(path)
        self._open = []
        self._at_stake = 0
        self._committed_at = self._clock.ticks()

    def close(self) -> None:
        """Flush all finished files to the disk and mark their claims durable."""
        self.commit()
        if self._written and durable.flush(self._root, [self._root / path for _, path in self._written]):
            self._state.record(replace(claim, durable=True) for claim, _ in self._written)
        self._written = []
