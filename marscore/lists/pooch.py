"""A registry of pooch, read: `name hash` or `name hash URL` in a line, names with spaces in quotes, blank lines and `#` comments."""

from __future__ import annotations

import re
import shlex

from marscore.lists.model import Item, Listing
from marscore.lists.words import checksum_by_length, numbered
from marscore.resolve.checksum_lines import algorithm_of

_SHA256 = re.compile("[0-9A-Fa-f]{64}")


def read(text: str) -> Listing:
    """Read one."""
    listing = Listing()
    for number, line in numbered(text):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            words = []
        if len(words) not in (2, 3):
            listing.leave_out(number, "is no line of a registry: name hash, or name hash URL")
            continue
        name, digest, *url = words
        checksum = _checksum(digest)
        if checksum is None:
            listing.warn(number, "the checksum is not taken: its algorithm is not known here")
        listing.items.append(Item(number, url[0] if url else None, name, checksums=() if checksum is None else (checksum,)))
    return listing


def _checksum(text: str) -> str | None:
    """A hash without an algorithm is of sha256, as pooch has it."""
    if _SHA256.fullmatch(text):
        return f"sha256:{text.lower()}"
    word, colon, digest = text.partition(":")
    if not colon:
        return checksum_by_length(text)
    algorithm = algorithm_of(word)
    return None if algorithm is None else f"{algorithm}:{digest.lower()}"
