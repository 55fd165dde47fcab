"""Running digests by name: those of hashlib, and CRC-32, which origins announce and hashlib has not."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from typing import Protocol


class Running(Protocol):
    """A digest that takes in bytes."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class Crc32:
    """CRC-32 (ISO-HDLC, that of zip and zlib), as hashlib's digests are used."""

    __slots__ = ("_value",)

    def __init__(self, data: bytes | memoryview = b"") -> None:
        self._value = zlib.crc32(data)

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in the next bytes."""
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """The value, high byte first."""
        return f"{self._value:08x}"


def new_hash(name: str) -> Running:
    """Begin a digest; `name` is hashlib's, or crc32."""
    return Crc32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)


def digests_of(data: bytes | memoryview, algorithms: Iterable[str]) -> dict[str, str]:
    """Hash bytes in memory: algorithm -> lowercase hex."""
    return {name: _digest_of(data, name) for name in algorithms}


def _digest_of(data: bytes | memoryview, name: str) -> str:
    if name == "crc32":
        return Crc32(data).hexdigest()
    # Not hashlib.new: of a small file it takes as long as the hashing itself.
    digest: str = getattr(hashlib, name)(data, usedforsecurity=False).hexdigest()
    return digest
