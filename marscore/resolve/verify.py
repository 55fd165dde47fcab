"""What each file in place should be, and whether it is: by the lock, else by the manifest, else by what the state knows of it.

    Downloads, Lock, Claims --expected_of--> Expected...     Expected + what was measured --judged--> Finding

Pure: who calls it has looked at the disk. No server is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.lockfile.model import Lock
from marscore.resolve.model import Download
from marscore.state import Claim, FileIdentity, Measured, key_of
from marscore.values import Checksum, Failure

Status: TypeAlias = Literal["ok", "missing", "changed", "unknown", "unreadable", "extra"]
By: TypeAlias = Literal["lock", "manifest", "state"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file should be. `checksums` must all hold; without any, nothing is known of its content. `by` says who names it."""

    path: str
    checksums: tuple[Checksum, ...]
    size: int | None
    by: By | None

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the file has to be hashed with."""
        return tuple(dict.fromkeys(checksum.algorithm for checksum in self.checksums))


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: `ok`, or what is wrong with it and why. `size` is in bytes, of the file that is there."""

    path: str
    status: Status
    reason: str
    by: By | None = None
    size: int | None = None


def of_downloads(downloads: Iterable[Download], claims: Mapping[str, Claim]) -> Iterator[Expected]:
    """What a manifest's files should be. Downloads come as the lock holds them."""
    for download in downloads:
        if download.held is not None:
            yield Expected(download.path, download.checksums, download.size, "lock")
        elif download.checksums:
            yield Expected(download.path, download.checksums, download.size, "manifest")
        else:
            claim = claims.get(key_of(download.path))
            known = claim is not None and claim.url_key in map(key_of, (download.url, *download.sources))
            yield _by_state(download.path, claim if known else None, download.size)


def of_lock(lock: Lock) -> Iterator[Expected]:
    """What the files of a lock should be."""
    for file in lock.files.values():
        yield Expected(file.path, (Checksum("sha256", file.sha256),), file.size, "lock")


def of_folder(paths: Iterable[str], claims: Mapping[str, Claim]) -> Iterator[Expected]:
    """What those files of a folder should be of which the state knows anything."""
    for path in paths:
        if (claim := claims.get(key_of(path))) is not None:
            yield _by_state(path, claim, None)


def _by_state(path: str, claim: Claim | None, size: int | None) -> Expected:
    if claim is None:
        return Expected(path, (), size, None)
    checksums = tuple(Checksum(*digest.split(":", 1)) for digest in claim.digests)
    return Expected(path, checksums, claim.identity.size if size is None else size, "state")


def at_once(expected: Expected, file: FileIdentity | None) -> Finding | None:
    """What can be said of a file without reading it; None where it has to be hashed."""
    path, by = expected.path, expected.by
    if file is None:
        return Finding(path, "missing", "it is not there", by)
    if file.kind != "file":
        return Finding(path, "changed", f"a {'folder' if file.kind == 'folder' else 'link or a device'} is there", by)
    if expected.size is not None and file.size != expected.size:
        return Finding(path, "changed", f"it has {file.size} bytes, and {_names(expected)} {expected.size}", by, file.size)
    if not expected.checksums:
        return Finding(path, "unknown", "neither lock nor manifest nor state name its content", by, file.size)
    return None


def judged(expected: Expected, found: Measured | Failure) -> Finding:
    """What is said of a file that was hashed, or could not be read."""
    if isinstance(found, Failure):
        return Finding(expected.path, "unreadable", found.message, expected.by)
    size = found.identity.size
    for checksum in expected.checksums:
        if (digest := found.digests[checksum.algorithm]) != checksum.hex:
            reason = f"its {checksum.algorithm} is {digest}, and {_names(expected)} {checksum.hex}"
            return Finding(expected.path, "changed", reason, expected.by, size)
    return Finding(expected.path, "ok", f"it is what {'the ' + expected.by if expected.by else 'nobody'} names", expected.by, size)


def _names(expected: Expected) -> str:
    return f"the {expected.by or 'manifest'} names"
