"""What the output folder is known to hold: one Claim for each file that a run finished.

A claim says: this path held these bytes, from this URL, when the file had this size, mtime and inode. It holds no path and no URL, only
their SHA-256, since both may contain what came from the environment.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from marscore.frozen import dataclass
from marscore.hashes import digests_of
from marscore.validator import Validator


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells an untouched file from a changed one without reading it. `kind` is `file`, `folder` or `other` (a link, a device)."""

    size: int
    mtime_ns: int
    inode: int
    kind: str = "file"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a file gets besides its content before it gets its name: permission bits, and its modification time in Unix nanoseconds.

    None leaves what the system gives to a file that is made. `replaces` is what was there when it was decided to fetch the file, None:
    nothing; an object store puts it on condition that this is so still, a folder looks at nothing of that.
    """

    mode: int | None = None
    mtime_ns: int | None = None
    replaces: FileIdentity | None = None


AS_MADE = Attributes()


@dataclass(frozen=True, slots=True)
class Claim:
    """A finished file. `digests` is `algorithm:hex`, always with sha256.

    `durable` is False until the file was flushed to the disk: such a claim is believed only after its sha256 was proven again,
    since a power cut may have taken what it speaks of. `validator_of` is the key of the URL that the validator belongs to, where that
    is not the download's own but one of its mirrors.
    """

    path_key: str
    url_key: str
    identity: FileIdentity
    digests: tuple[str, ...]
    validator: Validator
    durable: bool
    validator_of: str | None = None

    def validator_at(self, url: str) -> Validator:
        """What is known of the version that this URL served; nothing where it was another URL's (RFC 9110 section 8.8.3)."""
        return self.validator if (self.validator_of or self.url_key) == key_of(url) else _NO_VALIDATOR


#: The key of the URL of a file of which only the content is known.
UNKNOWN_URL = ""
#: A claim as a store holds it: its fields in their order, those of its parts in place of the part; digests as JSON, the inode as text.
#: The last but one is how many bytes the digests were made of. Where that is not the file's size, the row tells of two files, and is none.
Row: TypeAlias = tuple[str, str, int, int, str, str, str | None, str | None, str | None, int, int]

_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]+")
#: The usual list of digests: the sha256 alone.
_ONE_DIGEST = re.compile(r'\["([a-z0-9]+:[0-9a-f]+)"\]')
_INODE = re.compile(r"[0-9]{1,40}")
_NO_VALIDATOR = Validator()
#: What a row may hold; etag, last_modified and whose these are may be null.
_TEXT = (str, type(None))
_ROW_TYPES = {(str, str, int, int, str, str, etag, date, of, int, int) for etag, date, of in itertools.product(_TEXT, _TEXT, _TEXT)}


def row_of(claim: Claim) -> Row:
    """A claim as a store holds it."""
    identity, validator = claim.identity, claim.validator
    return (
        claim.path_key,
        claim.url_key,
        identity.size,
        identity.mtime_ns,
        str(identity.inode),
        json.dumps(claim.digests),
        validator.etag,
        validator.last_modified,
        claim.validator_of,
        identity.size,
        int(claim.durable),
    )


def claim_of(row: tuple[Any, ...]) -> Claim | None:
    """The claim that a row makes; None where it makes no sense."""
    # Types are compared all at once: a hundred thousand rows are read before a run begins.
    if tuple(map(type, row)) not in _ROW_TYPES:
        return None
    path_key, url_key, size, mtime_ns, inode, digests, etag, last_modified, of, verified, durable = row
    known = digests_in(digests)
    if known is None or verified != size or not _INODE.fullmatch(inode):
        return None
    validator = _NO_VALIDATOR if etag is None and last_modified is None else Validator(etag, last_modified)
    return Claim(path_key, url_key, FileIdentity(size, mtime_ns, int(inode)), known, validator, bool(durable), of)


class Claims(Mapping[str, Claim]):
    """Claims by path key, each made of its row when it is asked for. A row that makes no sense is none, as if the file were unknown."""

    def __init__(self, rows: Mapping[str, tuple[Any, ...]]) -> None:
        self._rows = rows
        self.row = rows.get

    def __getitem__(self, path_key: str) -> Claim:
        claim = claim_of(self._rows[path_key])
        if claim is None:
            raise KeyError(path_key)
        return claim

    def __iter__(self) -> Iterator[str]:
        return (key for key, row in self._rows.items() if claim_of(row))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def digests_in(text: object) -> tuple[str, ...] | None:
    """The digests that a row tells of; None where it makes no sense."""
    if not isinstance(text, str):
        return None
    if one := _ONE_DIGEST.fullmatch(text):
        return (one[1],)
    try:
        digests = json.loads(text)
    except (ValueError, RecursionError):
        return None
    sound = isinstance(digests, list) and all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests)
    return tuple(digests) if sound else None


# A small file asks four times for two of them, soon after each other.
@lru_cache(4096)
def key_of(text: str) -> str:
    """The key under which a path or a URL stands in state and journal: the first 128 bits of its SHA-256, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found out of one file while it was open: what identifies it, and the digests of its content (algorithm -> lowercase hex)."""

    identity: FileIdentity
    digests: Mapping[str, str]


class Content:
    """The whole of a file in memory, with digests that were made of these very bytes: algorithm -> lowercase hex."""

    __slots__ = ("_data", "_digests")

    def __init__(self, data: bytes | memoryview, algorithms: Iterable[str]) -> None:
        self._data = bytes(data)
        self._digests = digests_of(self._data, algorithms)

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self._data

    @property
    def digests(self) -> Mapping[str, str]:
        """Their digests."""
        return self._digests
