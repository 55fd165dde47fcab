"""Files from the cache to their places, and finished ones into it.

Fetch | Resume of a known sha256 --Cache.bring, Folder.bring--> Cached        DownloadFinished --Keeper--> Cache.keep
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence

from marscore.adapters.files.cache import Cache, DamagedError, Link
from marscore.adapters.files.copying import Check
from marscore.adapters.files.folder import OLD_READ, Folder
from marscore.adapters.files.hashing import digests_of_file
from marscore.adapters.files.positioned import choose
from marscore.adapters.files.side_by_side import SideBySide, StoppedError
from marscore.errors import StorageError
from marscore.events import DownloadFinished
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Cached, Decision, Fetch, Resume
from marscore.settings import Network
from marscore.state import AS_MADE, Attributes, FileIdentity, key_of

#: Seconds between two looks whether the run is told to stop, and those that it then waits: what copies looks up more often than that.
_LOOK_EVERY, _PATIENCE = 0.1, 1.0


def cached_sha256(decision: Decision, cache: Cache, network: Network = "used") -> str | None:
    """The digest of what the cache has for a download that would be fetched; None where it has nothing for it."""
    is_asked_for = decision.download.options.if_exists == "replace" and network == "used"
    if not isinstance(decision, Fetch | Resume) or is_asked_for:
        return None
    download = decision.download
    sha256 = next((checksum.hex for checksum in download.checksums if checksum.algorithm == "sha256"), None)
    return sha256 if sha256 is not None and cache.holds(sha256, key_of(download.url)) else None


def bring_all(
    place: tuple[Folder, Cache], decisions: Sequence[Decision], network: Network, watch: Callable[[], None], warn: Callable[[str], None]
) -> list[Decision]:
    """Put in place what the cache has; the other decisions stay as they are, also where what it had turned out to be of no use.

    `watch` is called a few times a second, and may raise to end it. `warn` is told of entries that are damaged.
    """
    folder, cache = place
    damaged: list[str] = []

    def brought(task: tuple[Decision, str]) -> Decision:
        decision, sha256 = task
        try:
            return _brought(folder, cache, decision.download, sha256, working.check)
        except DamagedError:
            damaged.append(sha256)
        except (OSError, StorageError, _UnsuitableError):
            # It is fetched, or that says why not.
            pass
        return decision

    tasks = [(decision, sha256) for decision in decisions if (sha256 := cached_sha256(decision, cache, network)) is not None]
    working: SideBySide[tuple[Decision, str], Decision] = SideBySide(tasks, brought)
    found = iter(working.results(watch))
    for sha256 in damaged:
        warn(f"the cache's file of sha256 {sha256} has other bytes; it is set aside, and the download is fetched")
    if cache.trouble is not None:
        warn(f"the cache {cache.root} cannot be looked into: {cache.trouble}")
    asked = {id(decision) for decision, _ in tasks}
    return [next(found) if id(decision) in asked else decision for decision in decisions]


class _UnsuitableError(Exception):
    """The cache's file is not what the manifest wants besides its sha256."""


def _brought(folder: Folder, cache: Cache, download: Download, sha256: str, check: Check) -> Cached:
    digests = {"sha256": sha256}

    options = download.options
    # What is linked shares its mode and its times with the cache's own.
    link: Link | None = None if options.mode is None and options.mtime == "server" else "auto"

    def make(part: str) -> tuple[os.stat_result, Attributes]:
        status = cache.bring(sha256, part, check, link)
        if download.size not in (None, status.st_size):
            raise _UnsuitableError
        others = [checksum for checksum in download.checksums if checksum.algorithm != "sha256"]
        if others:
            digests.update(_digests(part, status.st_size, tuple(checksum.algorithm for checksum in others)))
        if any(digests[checksum.algorithm] != checksum.hex for checksum in download.checksums):
            raise _UnsuitableError
        if status.st_nlink > 1:
            return status, AS_MADE
        return status, Attributes(options.mode, cache.mtime_ns(sha256) if options.mtime == "server" else None)

    identity = folder.bring(download.path, make, sha256)
    return Cached(download, "it was in the cache", identity, tuple(f"{name}:{value}" for name, value in digests.items()))


def _digests(part: str, size: int, algorithms: tuple[str, ...]) -> dict[str, str]:
    fd = os.open(part, OLD_READ)
    try:
        return digests_of_file(choose()(fd), size, algorithms)
    finally:
        os.close(fd)


class Keeper:
    """Takes what was fetched into the cache, in a thread of its own, so that nobody waits for it before the end."""

    def __init__(self, cache: Cache, folder: Folder, done_with: Callable[[Download, DownloadFinished], None] = lambda *_: None) -> None:
        """`done_with` is told of each download, in the keeper's own thread, once its file is no longer needed here."""
        self._cache = cache
        self._done_with = done_with
        self._folder = folder
        self._queue: queue.SimpleQueue[tuple[Download, DownloadFinished] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._given_up = self._hurried = False
        self.trouble: str | None = None

    def put(self, download: Download, event: DownloadFinished) -> None:
        """Take a finished download in, soon."""
        if self._given_up:
            self._done_with(download, event)
            return
        self._queue.put((download, event))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="marscore-cache", daemon=True)
            try:
                self._thread.start()
            except (RuntimeError, MemoryError):
                self._thread, self._given_up = None, True
                self._done_with(download, event)

    def close(self, hurried: Callable[[], bool]) -> None:
        """Wait until all is taken in; once the run is told to stop, only a moment for what ends what is being taken in."""
        self._queue.put(None)
        while self._thread is not None and self._thread.is_alive():
            if hurried():
                self._given_up = self._hurried = True
                self._thread.join(_PATIENCE)
                return
            self._thread.join(_LOOK_EVERY)

    def _check(self) -> None:
        if self._given_up:
            raise StoppedError

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            if not self._given_up:
                self._keep(*task)
            if not self._hurried:
                self._done_with(*task)

    def _keep(self, download: Download, event: DownloadFinished) -> None:
        sha256 = next((digest.removeprefix("sha256:") for digest in event.digests if digest.startswith("sha256:")), None)
        if sha256 is None:
            return
        identity = FileIdentity(event.size, event.mtime_ns, event.inode)
        try:
            self._cache.keep(self._folder.place(download.path), identity, sha256, key_of(download.url), self._check)
        except PermissionError:
            # A cache that others fill is only read.
            self._given_up = True
        except OSError as error:
            self._given_up = True
            self.trouble = error.strerror or str(error)
        except (StorageError, StoppedError):
            # It is not wanted any more, or not what it was when it was verified. The next run sees that.
            pass
