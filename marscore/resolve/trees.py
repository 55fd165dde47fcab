"""The record of what was unpacked of one archive: lines of JSON, by which a later run knows each file again.

    Tree --encode--> a header, a line for each file, link and folder, the count and sum of all --decode--> Tree

Paths are relative to the tree's own folder, with `/` between their parts. No URL stands there, only its key.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from marscore.frozen import dataclass
from marscore.resolve.model import Download
from marscore.state import Claim, FileIdentity, claim_of, row_of
from marscore.values import Unpacked

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a tree: what identifies it, and its sha256 in lowercase hex."""

    path: str
    identity: FileIdentity
    sha256: str


@dataclass(frozen=True, slots=True)
class Tree:
    """What was unpacked into a folder of the output folder.

    `archive` is what is known of the archive at `archive_path`, which `stays` there or went once it was unpacked. `links` are symbolic ones
    with their targets; `folders` are those that the archive names or its files need.
    """

    into: str
    archive_path: str
    archive: Claim
    strip: int = 0
    only: tuple[str, ...] = ()
    files: tuple[TreeFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    stays: bool = True

    @property
    def told(self) -> Unpacked:
        """What is told of it."""
        return Unpacked(self.into, len(self.files), sum(file.identity.size for file in self.files))

    def is_made_as(self, download: Download) -> bool:
        """Whether it was made in the way that the download wants."""
        unpack = download.options.unpack
        return unpack is not None and (self.into, self.strip, self.only) == (download.into, unpack.strip, unpack.only)


def encode(tree: Tree) -> bytes:
    """Write a tree down."""
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in _lines(tree)).encode()
    return text + f"{json.dumps({'end': zlib.crc32(text)})}\n".encode()


def _lines(tree: Tree) -> Iterator[Any]:
    header: dict[str, Any] = {
        "into": tree.into,
        "path": tree.archive_path,
        "archive": row_of(tree.archive),
        "strip": tree.strip,
        "only": tree.only,
    }
    header["stays"] = tree.stays
    yield {"marscore_tree": FORMAT, **header}
    for file in tree.files:
        identity = file.identity
        yield [file.path, identity.size, identity.mtime_ns, str(identity.inode), file.sha256]
    yield from (list(link) for link in tree.links)
    yield from ([folder] for folder in tree.folders)


def decode(data: bytes) -> Tree | None:
    """Read a tree; None where the text is not whole, or none. Never raises, whatever the bytes are."""
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    try:
        if json.loads(last) != {"end": zlib.crc32(body)}:
            return None
        header, *lines = map(json.loads, body.decode().splitlines())
        return _tree(header, lines) if header["marscore_tree"] == FORMAT else None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError):
        return None


def _tree(header: dict[str, Any], lines: list[list[Any]]) -> Tree | None:
    row = header["archive"]
    # As earlier versions wrote it: without whose the validator is.
    archive = claim_of((*row[:8], None, *row[8:]) if len(row) == 10 else tuple(row))
    if archive is None:
        return None
    files = [
        TreeFile(path, FileIdentity(size, mtime_ns, int(inode)), sha256)
        for path, size, mtime_ns, inode, sha256 in (line for line in lines if len(line) == 5)
    ]
    links = [(path, target) for path, target in (line for line in lines if len(line) == 2)]
    folders = [line[0] for line in lines if len(line) == 1]
    only = tuple(header["only"])
    return Tree(
        header["into"], header["path"], archive, header["strip"], only, tuple(files), tuple(links), tuple(folders), bool(header["stays"])
    )
