"""A manifest is locked: what is not known of its files yet is fetched as a run would, and what each of them is gets written down.

Downloads + old Lock --sorted_out--> known, asked      asked --a run--> claims in the state --> known      known --write_lock--> the file
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from marscore.adapters.terminal.named_outputs import Output
from marscore.errors import ManifestError, Problem, StorageError
from marscore.frozen import dataclass
from marscore.held import lock_of, place_of_lock
from marscore.job import Job, Rows, check_whole, job_of, read
from marscore.lockfile.changes import changes
from marscore.lockfile.model import Lock, LockedFile
from marscore.lockfile.text import write_lock
from marscore.own_folder import seen_by
from marscore.report.ended import Ended
from marscore.resolve.locked import Mismatch, mismatches, sha256_of, sorted_out
from marscore.resolve.model import Download
from marscore.resolve.select import select
from marscore.resolve.typed import Typed, as_typed
from marscore.settings import ManifestInput, RunSettings
from marscore.state import Claim, key_of
from marscore.values import Failure

#: A download and what was typed of it.
_Asked: TypeAlias = tuple[Download, Typed]


@dataclass(frozen=True, slots=True)
class Locked:
    """How the locking ended: the lock's path, what changed in it, and the run that it took, if any.

    Where that run did not bring everything, nothing was written, and `changes` is None.
    """

    place: str
    downloads: int
    changes: tuple[str, ...] | None
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a locking may have to have done: `publish` has the lists of checksums that a job's downloads await, `carry_out` fetches.

    `rows` is how files of rows are had that are elsewhere.
    """

    publish: Callable[[Job], Job]
    carry_out: Callable[[Job], Ended]
    rows: Rows | None = None


def lock(manifest: ManifestInput, settings: RunSettings, upgrade: Iterable[str], work: Work) -> Locked:
    """Write the lock of a manifest. Entries of an old one stay as they are, but for those that any of `upgrade` names (globs, tags).

    Raises:
        ManifestError: the manifest is wrong, or the old lock is.
        StorageError: the lock cannot be written, or the state cannot be read.
    """
    parsed, downloads = read(manifest, settings, work.rows)
    check_whole(parsed)
    place = _place(manifest, settings)
    old = lock_of(manifest, replace(settings, lock=None)) if settings.lock is None else _named(manifest, settings)
    patterns = tuple(upgrade)
    upgraded = {download.id for download in select(downloads, patterns)} if patterns else set()
    known, asked = sorted_out(downloads, as_typed(parsed, downloads), old, upgraded)
    wanted = tuple(_asked_again(download) if download.id in upgraded else download for download, _ in asked)
    job = work.publish(job_of(parsed, wanted, manifest, settings))
    told, job, asked = _told_by_lists(job, asked)
    known.update(told)
    ended = None
    if asked:
        ended = work.carry_out(job)
        if ended.head.exit_code != 0:
            return Locked(str(place), len(downloads), None, ended)
        known.update(_found(job, asked, ended))
    noted = seen_by(job).claims
    files = [_completed(known[download.path], download, old, noted) for download in downloads]
    new = Lock(str(place), {file.path: file for file in files})
    changed = tuple(changes(old or Lock(str(place), {}), new))
    if old is None or changed or old.files != new.files:
        Output(place, "the lock").write_whole(lambda: write_lock(files))
    return Locked(str(place), len(files), changed, ended)


def check(manifest: ManifestInput, settings: RunSettings) -> list[Mismatch]:
    """In what the manifest differs from its lock.

    Raises:
        ManifestError: the manifest is wrong, or the lock is, or there is none.
    """
    parsed, downloads = read(manifest, settings)
    there = lock_of(manifest, settings)
    if there is None:
        raise ManifestError(str(_place(manifest, settings)), (Problem("", "there is no lock: `marscore lock` makes one"),))
    return mismatches(downloads, as_typed(parsed, downloads), there)


def difference(manifest: ManifestInput, settings: RunSettings, old: Path) -> list[str]:
    """In what the manifest's lock differs from an older one, in words.

    Raises:
        ManifestError: one of them cannot be read, or is none.
    """
    before, after = (lock_of(manifest, replace(settings, lock=place)) for place in (old, _place(manifest, settings)))
    assert before is not None, "a lock that is named is there, or is an error"
    assert after is not None, "as above"
    return list(changes(before, after))


def _place(manifest: ManifestInput, settings: RunSettings) -> Path:
    place = settings.lock or place_of_lock(manifest)
    if place is None:
        raise ManifestError(manifest.source, (Problem("", "has no place for a lock beside it: name one by --lock"),))
    return Path(place)


def _named(manifest: ManifestInput, settings: RunSettings) -> Lock | None:
    """The lock that the settings name, which need not be there yet."""
    assert settings.lock is not None, "it is named"
    return lock_of(manifest, settings) if Path(settings.lock).exists() else None


def _asked_again(download: Download) -> Download:
    """The server says, by a conditional request where it can, whether the file is still current."""
    return replace(download, options=replace(download.options, if_exists="refresh"))


def _told_by_lists(job: Job, asked: list[_Asked]) -> tuple[dict[str, LockedFile], Job, list[_Asked]]:
    """What a lock can say of downloads whose sha256 a list named; and the others, which have to be fetched."""
    known: dict[str, LockedFile] = {}
    left: list[_Asked] = []
    for download, (before, written) in zip(job.downloads, asked, strict=True):
        sha256 = sha256_of(download) if before.awaited and download.id not in job.refused else None
        if sha256 is None:
            left.append((download, written))
        else:
            known[download.path] = LockedFile(download.path, written.url, sha256, download.size, checksum_from=written.checksum_from)
    return known, replace(job, downloads=tuple(download for download, _ in left)), left


def _found(job: Job, asked: Iterable[_Asked], ended: Ended) -> Iterable[tuple[str, LockedFile]]:
    """What a run that brought everything has noted of these."""
    told = {entry["path"]: entry for entry in map(json.loads, ended.entries())}
    claims = seen_by(job).claims
    for download, written in asked:
        claim, entry = claims.get(key_of(download.path)), told.get(download.path, {})
        # What could not be noted may stand there as it was before.
        if claim is None or claim.identity.size != entry.get("size") or entry.get("checksum") not in claim.digests:
            raise StorageError(Failure("path", f"the state does not say what {download.path} is, so the lock was not written"))
        yield download.path, _locked(download, written, claim)


def _completed(file: LockedFile, download: Download, old: Lock | None, noted: Mapping[str, Claim]) -> LockedFile:
    """A new entry with what an earlier run noted of the file with this very sha256."""
    claim = noted.get(key_of(download.path))
    is_new = old is None or old.files.get(file.path) != file
    if file.size is not None or not is_new or claim is None or f"sha256:{file.sha256}" not in claim.digests:
        return file
    validator = claim.validator_at(download.url)
    return replace(file, size=claim.identity.size, etag=validator.etag, last_modified=validator.last_modified)


def _locked(download: Download, written: Typed, claim: Claim) -> LockedFile:
    sha256 = next(digest.removeprefix("sha256:") for digest in claim.digests if digest.startswith("sha256:"))
    # A mirror's is not the URL's own, and the lock names that.
    validator = claim.validator_at(download.url)
    told = claim.identity.size, validator.etag, validator.last_modified
    return LockedFile(download.path, written.url, sha256, *told, written.checksum_from)
