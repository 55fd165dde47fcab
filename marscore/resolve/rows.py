"""Rows of a list (`from: FILE`), and how the texts of its entry are filled from them.

    "{id:2}/{id}.bin" + columns --Slots.form--> RowForm        one row's cells --Slots.values--> values --RowForm.make--> text, read

Where the rows come from is told by `RowFile`, which an adapter implements. A form knows by number which values it needs, so that of each
row no more than those columns is read that any form names.

Two kinds of text: one without braces is the name of a column where a column is meant (url, checksum, size, mirrors); every other is a
template. Where a text is one column alone, an empty cell means that nothing is written there; where more stands around it, the row is bad.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from marscore.frozen import dataclass
from marscore.state import key_of

if TYPE_CHECKING:
    from marscore.manifest.places import Path

_T = TypeVar("_T")

#: What stands for the key of the row's URL (`state.key_of`), where no column has that name.
KEY = "key"

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}:]+)(?::([^{}]*))?\}|[{}]")
#: `{name:2}`, the beginning of a text, and `{name:05d}` and the like, a number.
_LENGTH = re.compile(r"[1-9][0-9]?")
_NUMERIC = re.compile(r"(0[1-9][0-9]?)?[dxX]")
_NUMBER = re.compile(r"-?[0-9]{1,18}")

#: A cell as text; None where it is empty.
Cell: TypeAlias = "str | None"
#: The values that forms take, in the order of their slots.
Values: TypeAlias = "Sequence[str | int | None]"


class RowsError(Exception):
    """The file cannot be read, or read any further. `line` and `column` count from 1; None where it is the whole."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message, line, column)
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that has no cells to speak of: what is wrong with it, and at which column of the text."""

    message: str
    column: int = 1


class RowFile(Protocol):
    """A file of rows."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Its columns, in order; None where each row names its own."""

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        """For each row the line at which it begins (of a file without lines its number), from 1, and its cells in these columns.

        Raises:
            RowsError: the file cannot be read to its end. What was told before is right.
        """

    def never_seen(self) -> frozenset[str]:
        """After the last row: names that were asked for and that no row has, where each names its own."""

    def close(self) -> None:
        """Close it; more than once is as well."""


class OpenRows(Protocol):
    """Opens the files that a manifest names."""

    def open(self, place: str) -> RowFile:
        """Open one, as far as its columns.

        Raises:
            RowsError: it cannot be read, or what reads it is not installed.
        """

    def shown(self, place: str) -> str:
        """What one is called in messages: its path as seen from here, or its URL without what is secret."""

    def name(self, place: str) -> str:
        """The same in short, where a row of it is told of."""


class NoRows:
    """Where no files are read."""

    def open(self, place: str) -> RowFile:
        """Refuse it."""
        raise RowsError("cannot be read: no files are read here")

    def name(self, place: str) -> str:
        """As it is named."""
        return self.shown(place)

    def shown(self, place: str) -> str:
        """As it is named."""
        return place


class CellError(ValueError):
    """A row has not what a form needs. `column` is the name of the column that is meant."""

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class RowForm(Generic[_T]):
    """One text of an entry: which values it takes, and how it is read once it is filled in.

    `where` is its place in the entry. `constant` is what it is where it has no names, and `format` None. `alone` says that it is one
    column and nothing else.
    """

    where: Path
    format: str | None
    needs: tuple[tuple[int, str], ...]
    alone: bool
    read: Callable[[str], _T]
    constant: _T | None = None

    @property
    def column(self) -> str | None:
        """The first column that it names."""
        return self.needs[0][1] if self.needs else None

    def make(self, values: Values) -> _T | None:
        """What a row makes of it; None where nothing is written.

        Raises:
            CellError: a cell that is needed is empty, or is no number where one is needed.
            ValueError: what came of it is wrong.
        """
        if self.format is None:
            return self.constant
        for slot, name in self.needs:
            if values[slot] is None:
                if self.alone:
                    return None
                raise CellError("needs a value", name)
        return self.read(self.format.format(*values))


@dataclass(slots=True)
class Slots:
    """Which columns are read, and in which order forms are given them. `columns` are those that the file has, if it says so."""

    columns: tuple[str, ...] | None
    names: list[str] = field(default_factory=list)
    #: (name, whether a number) -> its place among the values.
    _slots: dict[tuple[str, bool], int] = field(default_factory=dict)
    #: For each slot the place of its cell among those of `names`; that of the key has none.
    _cells: list[int | None] = field(default_factory=list)
    #: The slots that hold numbers, with their names, and that of the key.
    _numbers: list[tuple[int, str]] = field(default_factory=list)
    _key: int | None = None

    def form(self, where: Path, text: str, read: Callable[[str], _T], is_column: bool = False) -> RowForm[_T]:
        """Read one text of an entry. `is_column`: without braces it is the name of a column.

        Raises:
            ValueError: there is no such column, a brace stands alone, or a format is none.
        """
        if is_column and "{" not in text and "}" not in text:
            slot = self._slot(text, is_number=False)
            return RowForm(where, f"{{{slot}}}", ((slot, text),), alone=True, read=read)
        needs: dict[int, str] = {}

        def piece(match: re.Match[str]) -> str:
            name, spec = match[1], match[2] or ""
            if name is None:
                if len(match[0]) == 1:
                    raise ValueError("has a brace that belongs to no name; write {{ or }} for a brace")
                return match[0]
            slot = self._slot(name, is_number=_is_number(name, spec))
            needs[slot] = name
            return f"{{{slot}:.{spec}}}" if _LENGTH.fullmatch(spec) else f"{{{slot}:{spec}}}" if spec else f"{{{slot}}}"

        form = _PIECE.sub(piece, text)
        if not needs:
            return RowForm(where, None, (), alone=False, read=read, constant=read(form.format()))
        alone = _PIECE.fullmatch(text) is not None
        return RowForm(where, form, tuple(needs.items()), alone, read)

    @property
    def has_key(self) -> bool:
        """Whether any form needs the key of the URL."""
        return self._key is not None

    def values(self, cells: tuple[Cell, ...]) -> list[str | int | None]:
        """The values for the forms, of one row's cells in the columns `names`. That of the key is put in by who knows the URL.

        Raises:
            CellError: a number is needed and the cell holds none.
        """
        values: list[str | int | None] = [None if at is None else cells[at] for at in self._cells]
        for slot, name in self._numbers:
            cell = values[slot]
            values[slot] = _number(name, cell) if isinstance(cell, str) else None
        return values

    def put_key(self, values: list[str | int | None], url: str) -> None:
        """Put the key of the row's URL among its values."""
        assert self._key is not None, "who asks for none, has none"
        values[self._key] = key_of(url)

    def position(self, name: str | None) -> int:
        """The number of a column in the file, from 1; 1 where that is not known."""
        return 1 if name is None or not self.columns or name not in self.columns else self.columns.index(name) + 1

    def _slot(self, name: str, is_number: bool) -> int:
        if self._is_column(name) or (self.columns is None and name != KEY):
            if name not in self.names:
                self.names.append(name)
        elif name != KEY:
            raise ValueError(self._lacks(name))
        known = self._slots.get((name, is_number))
        return self._new_slot(name, is_number) if known is None else known

    def _new_slot(self, name: str, is_number: bool) -> int:
        slot = self._slots[name, is_number] = len(self._slots)
        at = self.names.index(name) if name in self.names else None
        self._cells.append(at)
        if is_number:
            self._numbers.append((slot, name))
        elif at is None:
            self._key = slot
        return slot

    def _is_column(self, name: str) -> bool:
        if self.columns is None or name not in self.columns:
            return False
        if self.columns.count(name) > 1:
            raise ValueError(f"names the column {name[:64]!r}, which the file has twice")
        return True

    def _lacks(self, name: str) -> str:
        there = ", ".join(column[:64] for column in (self.columns or ())[:20])
        return f"names the column {name[:64]!r}, which the file has not; it has {there or 'none'}"


def pieces(text: str) -> tuple[list[str], list[str]]:
    """A template's texts around its names, and these names; there is one text more."""
    around, names, reached = [""], [], 0
    for match in _PIECE.finditer(text):
        around[-1] += text[reached : match.start()] + ("" if match[1] else match[0][0])
        reached = match.end()
        if match[1]:
            names.append(match[0])
            around.append("")
    around[-1] += text[reached:]
    return around, names


def _is_number(name: str, spec: str) -> bool:
    if not spec or _LENGTH.fullmatch(spec):
        return False
    if not _NUMERIC.fullmatch(spec):
        raise ValueError(f"has a format for {{{name[:64]}}} that is none of 2 (the first two characters), d, x, X, or 05d and the like")
    return True


def _number(name: str, cell: str) -> int:
    if not _NUMBER.fullmatch(cell):
        raise CellError("needs a whole number", name)
    return int(cell)
