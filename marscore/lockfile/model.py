"""The lock as values: one LockedFile for each download, by its path."""

from __future__ import annotations

from collections.abc import Mapping

from marscore.frozen import dataclass

#: What the first field of a lock says.
SCHEMA = "marscore/lock/v1"


@dataclass(frozen=True, slots=True)
class LockedFile:
    """What one file was when it was locked.

    `url` is as it was typed in the manifest, `${NAME}` unexpanded and values of token-like query names masked; `size` is in bytes, None
    where the file was never fetched and the manifest gave its sha256 alone; `sha256` is lowercase hex. `etag` and `last_modified` are those
    with which the server sent it, where that is known. `checksum_from` says, as typed, which publishers' lists named the checksum.
    """

    path: str
    url: str
    sha256: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    checksum_from: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock; `source` is its name in messages."""

    source: str
    files: Mapping[str, LockedFile]
