"""The entries of a run's downloads until its report is written: in memory while they are few, in a spool once they are many.

number + entry --Entries.add--> a list of texts    or, beyond `ROOM` characters,    spool + where each begins: 8 bytes a download
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Protocol

#: So many characters of entries are kept in memory; some 30,000 downloads have as many.
ROOM = 16 * 1024 * 1024


class Spool(Protocol):
    """Keeps texts in their order, elsewhere than in memory."""

    def write(self, text: str) -> int:
        """Keep a text; returns where it begins, from 0."""

    def read(self, place: int) -> str:
        """The text that begins there."""


class Entries:
    """Texts by number, each added once. Without `make_spool` all stay in memory."""

    def __init__(self, make_spool: Callable[[], Spool] | None = None, room: int = ROOM) -> None:
        self._make_spool = make_spool
        self._room = room
        self._texts: list[str | None] = []
        self._spool: Spool | None = None
        #: Where each begins in the spool, from 1; 0: there is none yet.
        self._places = array("Q")

    def __len__(self) -> int:
        return len(self._texts) if self._spool is None else len(self._places)

    def grow(self, count: int) -> None:
        """Make room for so many more."""
        if self._spool is None:
            self._texts.extend([None] * count)
        else:
            self._places.frombytes(bytes(8 * count))

    def has(self, number: int) -> bool:
        """Whether it was added."""
        return self._texts[number] is not None if self._spool is None else self._places[number] != 0

    def add(self, number: int, text: str) -> None:
        """Keep one."""
        if self._spool is not None:
            self._places[number] = self._spool.write(text) + 1
            return
        self._texts[number] = text
        self._room -= len(text)
        if self._room < 0 and self._make_spool is not None:
            self._move(self._make_spool())

    def get(self, number: int) -> str | None:
        """One that was added, or None."""
        if self._spool is None:
            return self._texts[number]
        place = self._places[number]
        return self._spool.read(place - 1) if place else None

    def _move(self, spool: Spool) -> None:
        self._places = array("Q", [0 if text is None else spool.write(text) + 1 for text in self._texts])
        self._texts, self._spool = [], spool
