"""A lock and a manifest's downloads: what each is held to, and whether the two speak of the same.

Downloads + Lock --hold--> Downloads with size and sha256 of the lock, and those that it lacks
Downloads, what was typed of them + Lock --mismatches--> what the manifest says otherwise
                                         --sorted_out--> what is known of each, and those that have to be looked at
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from marscore.frozen import dataclass
from marscore.lockfile.model import Lock, LockedFile
from marscore.resolve.model import Download, Held
from marscore.resolve.typed import Typed
from marscore.values import Checksum


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What manifest and lock say of each other. `id` is the download's place in the manifest; None for a path that only the lock names."""

    id: str | None
    message: str


def hold(downloads: Iterable[Download], lock: Lock) -> tuple[tuple[Download, ...], tuple[str, ...]]:
    """The downloads, held to what the lock names of their paths, and the ids of those that it does not name.

    What contradicts the manifest (`contradictions`) is held to both, so that no file can be right.
    """
    held: list[Download] = []
    lacking: list[str] = []
    for download in downloads:
        file = lock.files.get(download.path)
        if file is None:
            lacking.append(download.id)
            held.append(download)
        else:
            held.append(_held(download, file))
    return tuple(held), tuple(lacking)


def _held(download: Download, file: LockedFile) -> Download:
    named = Checksum("sha256", file.sha256)
    checksums = download.checksums if named in download.checksums else (*download.checksums, named)
    size = file.size if download.size is None else download.size
    # What a publisher's list would say has been looked up when it was locked.
    return replace(download, checksums=checksums, size=size, held=Held(file.size, file.sha256), awaited=())


def contradictions(downloads: Iterable[Download], lock: Lock) -> Iterator[Mismatch]:
    """What the manifest says of a file's content that cannot be true beside the lock."""
    for download in downloads:
        if (file := lock.files.get(download.path)) is not None and (told := _contradiction(download, file)):
            yield Mismatch(download.id, told)


def _contradiction(download: Download, file: LockedFile) -> str | None:
    if any(checksum.algorithm == "sha256" and checksum.hex != file.sha256 for checksum in download.checksums):
        return f"has another sha256 in the lock, {file.sha256}"
    if None not in (download.size, file.size) and download.size != file.size:
        return f"has another size in the lock, {file.size} bytes"
    return None


def mismatches(downloads: Sequence[Download], typed: Iterable[Typed], lock: Lock) -> list[Mismatch]:
    """Everything in which a manifest differs from its lock: what it lacks, what it has besides, other URLs, other content.

    `typed` is what the manifest's text says of the downloads (`as_typed`).
    """
    found: list[Mismatch] = []
    for download, written in zip(downloads, typed, strict=True):
        file = lock.files.get(download.path)
        if file is None:
            found.append(Mismatch(download.id, f"is not in the lock ({download.path})"))
        elif file.url != written.url:
            found.append(Mismatch(download.id, f"comes from another URL in the lock, {file.url}"))
        elif file.checksum_from != written.checksum_from:
            found.append(Mismatch(download.id, f"has its checksum in the lock from {file.checksum_from or 'no list'}"))
        elif told := _contradiction(download, file):
            found.append(Mismatch(download.id, told))
    wanted = {download.path for download in downloads}
    besides = [Mismatch(None, f"the lock names {path}, which the manifest does not") for path in lock.files if path not in wanted]
    return found + besides


def sorted_out(
    downloads: Sequence[Download], typed: Iterable[Typed], old: Lock | None, upgraded: Collection[str]
) -> tuple[dict[str, LockedFile], list[tuple[Download, Typed]]]:
    """What a new lock can say at once, by path, and the downloads that have to be fetched or looked at first, with what was typed of them.

    An entry of the old lock stays as it is, unless its download changed or is among the `upgraded` ids.
    """
    known: dict[str, LockedFile] = {}
    asked: list[tuple[Download, Typed]] = []
    for download, written in zip(downloads, typed, strict=True):
        file = old.files.get(download.path) if old else None
        own = None if download.awaited else sha256_of(download)
        is_same = file is not None and (file.url, file.checksum_from) == (written.url, written.checksum_from)
        if file is not None and is_same and _contradiction(download, file) is None and (own or download.id not in upgraded):
            known[download.path] = file
        elif own is not None:
            # There is nothing that a server could say otherwise.
            known[download.path] = LockedFile(download.path, written.url, own, download.size, checksum_from=written.checksum_from)
        else:
            asked.append((download, written))
    return known, asked


def sha256_of(download: Download) -> str | None:
    """The sha256 that a download must have, in lowercase hex; None where none is named."""
    return next((checksum.hex for checksum in download.checksums if checksum.algorithm == "sha256"), None)
