"""What the output folder is known to hold: one Claim for each file that a run finished.

A claim says: this path held these bytes, from this URL, when the file had this size, mtime and inode. It holds no path and no URL, only
their SHA-256, since both may contain what came from the environment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from marscore.frozen import dataclass
from marscore.values import Validator


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells an untouched file from a changed one without reading it. `kind` is `file`, `folder` or `other` (a link, a device)."""

    size: int
    mtime_ns: int
    inode: int
    kind: str = "file"


@dataclass(frozen=True, slots=True)
class Claim:
    """A finished file. `digests` is `algorithm:hex`, always with sha256.

    `durable` is False until the file was flushed to the disk: such a claim is believed only after its sha256 was proven again,
    since a power cut may have taken what it speaks of.
    """

    path_key: str
    url_key: str
    identity: FileIdentity
    digests: tuple[str, ...]
    validator: Validator
    durable: bool


def key_of(text: str) -> str:
    """The key under which a path or a URL stands in state and journal: the first 128 bits of its SHA-256, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digests_of(data: bytes | memoryview, algorithms: Iterable[str]) -> dict[str, str]:
    """Hash bytes in memory: algorithm -> lowercase hex."""
    return {name: getattr(hashlib, name)(data, usedforsecurity=False).hexdigest() for name in algorithms}
