"""The lock of a manifest, found, read and applied: what is fetched is held to it.

manifest's place, settings --lock_of--> Lock    Downloads + Lock --resolve.locked--> Downloads that are held, or a ManifestError
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.files.text import cannot_read, read_text
from marscore.errors import ManifestError, Problem
from marscore.manifest import Parsed
from marscore.resolve.model import Download
from marscore.settings import MAX_MANIFEST, ManifestInput, RunSettings

if TYPE_CHECKING:
    from marscore.lockfile.model import Lock
    from marscore.resolve.locked import Mismatch

#: The largest lock, in bytes: a line of it says more than most entries of a manifest.
MAX_LOCK = 4 * MAX_MANIFEST
_INDEX = re.compile(r"downloads\[(\d+)\]")


def held_to_lock(
    manifest: ManifestInput, settings: RunSettings, parsed: Parsed, downloads: tuple[Download, ...]
) -> tuple[tuple[Download, ...], frozenset[str]]:
    """The downloads as the lock in use holds them, and the ids of those that it does not name; as they are, where none is.

    Raises:
        ManifestError: the lock is wrong, or contradicts the manifest, or does not cover it as `settings` ask; or a checksum is missing.
    """
    lacking: frozenset[str] = frozenset()
    lock = None if settings.locking == "none" else lock_of(manifest, settings)
    if lock is not None:
        from marscore.resolve.locked import contradictions, hold, mismatches  # noqa: PLC0415 - most runs have no lock
        from marscore.resolve.typed import as_typed  # noqa: PLC0415 - as above

        exact = settings.locking == "exact"
        wrong = mismatches(downloads, as_typed(parsed, downloads), lock) if exact else list(contradictions(downloads, lock))
        if wrong:
            raise refusal(parsed, wrong)
        downloads, without = hold(downloads, lock)
        lacking = frozenset(without)
    elif settings.locking == "exact":
        place = settings.lock or place_of_lock(manifest)
        raise ManifestError(str(place or manifest.source), (Problem("", "there is no lock: `marscore lock` makes one"),))
    if settings.checksums == "required":
        _demand_checksums(parsed, downloads)
    return downloads, lacking


def lock_of(manifest: ManifestInput, settings: RunSettings) -> Lock | None:
    """The lock that the settings name, or the one beside the manifest, if it is there.

    Raises:
        ManifestError: it cannot be read, or is none.
    """
    place = settings.lock or place_of_lock(manifest)
    if place is None:
        return None
    try:
        text = read_text(Path(place), str(place), MAX_LOCK)
    except FileNotFoundError as error:
        if settings.lock is None:
            return None
        raise ManifestError(str(place), (Problem("", cannot_read(error)),)) from error
    from marscore.lockfile.text import read_lock  # noqa: PLC0415 - most runs have no lock

    return read_lock(text, str(place))


def place_of_lock(manifest: ManifestInput) -> Path | None:
    """Where the lock of a manifest is: beside it, with the suffix `.lock` in the place of its own. None of one that is no file."""
    if manifest.text is None or manifest.source == "-":
        return None
    return manifest.folder / Path(manifest.source).with_suffix(".lock").name


def refusal(parsed: Parsed, wrong: Iterable[Mismatch]) -> ManifestError:
    """What manifest and lock say otherwise, at the downloads' places."""
    return parsed.places.error(parsed.source, [_problem(parsed, each.id, each.message) for each in wrong])


def _problem(parsed: Parsed, download: str | None, message: str) -> Problem:
    index = None if download is None else _INDEX.match(download)
    if index is None:
        return Problem("", message)
    found = parsed.places.problem(("downloads", int(index[1])), message)
    return Problem(download or "", message, found.line, found.column)


def _demand_checksums(parsed: Parsed, downloads: Iterable[Download]) -> None:
    without = [download for download in downloads if not download.checksums and not download.awaited and not download.bad]
    if without:
        message = "has no checksum, in the manifest or in a lock"
        raise parsed.places.error(parsed.source, [_problem(parsed, download.id, f"{message} ({download.path})") for download in without])
