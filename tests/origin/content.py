"""Bodies whose every offset is known without holding them: content is a function of a seed and a position."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

#: The length of the random block that content repeats; odd, so that no power of two of bytes looks like another.
_BLOCK = 1024 * 1024 + 3


#: A file that ends before it needs no more of its block: a megabyte takes 2 ms, and some tests serve a thousand files.
_BEGINNING = 8 * 1024


@lru_cache(maxsize=32)
def _block(seed: int) -> bytes:
    return _shake(seed, _BLOCK)


@lru_cache(maxsize=2048)
def _beginning(seed: int) -> bytes:
    return _shake(seed, _BEGINNING)


def _shake(seed: int, size: int) -> bytes:
    # A longer digest begins with the shorter one.
    return hashlib.shake_256(f"marscore origin {seed}".encode()).digest(size)


def content(seed: int, start: int, end: int) -> bytes:
    """The bytes `start <= i < end` of the endless content of a seed. Each repetition of the block is marked by its number."""
    parts = []
    while start < end:
        number, offset = divmod(start, _BLOCK)
        stop = min(end, (number + 1) * _BLOCK)
        block = _beginning(seed) if offset + stop - start <= _BEGINNING else _block(seed)
        marked = number.to_bytes(8, "big") + block[8:] if offset < 8 else block
        parts.append(marked[offset : offset + stop - start])
        start = stop
    return b"".join(parts)


@lru_cache(maxsize=4096)
def sha256_of(seed: int, size: int) -> str:
    """The sha256 of the first `size` bytes."""
    running = hashlib.sha256()
    for start in range(0, size, _BLOCK):
        running.update(content(seed, start, min(size, start + _BLOCK)))
    return running.hexdigest()


@dataclass(frozen=True)
class Body:
    """A file that an origin serves: `size` bytes of the content of `seed`, or the literal `text`."""

    size: int = 0
    seed: int = 1
    text: bytes | None = None
    etag: str | None = '"v1"'
    last_modified: str | None = "Mon, 06 Jul 2026 10:00:00 GMT"
    accept_ranges: str | None = "bytes"
    content_type: str = "application/octet-stream"

    @property
    def length(self) -> int:
        """Its size in bytes."""
        return self.size if self.text is None else len(self.text)

    def read(self, start: int, end: int) -> bytes:
        """Its bytes `start <= i < end`."""
        return content(self.seed, start, end) if self.text is None else self.text[start:end]

    @property
    def sha256(self) -> str:
        """Its digest."""
        return sha256_of(self.seed, self.size) if self.text is None else hashlib.sha256(self.text).hexdigest()
