"""What a row's cells make of the texts of its entry: each read as its place wants it, or what is wrong with it and where."""

from __future__ import annotations

from typing import TypeVar

from marscore.manifest.fields import MAX_SIZE, check_header_value, check_tag, read_size, read_text
from marscore.manifest.output import check_output
from marscore.manifest.places import Path
from marscore.manifest.urls import check_url_text
from marscore.resolve.rows import Cell, CellError, RowForm, Slots, Values

_T = TypeVar("_T")


class BadCellError(Exception):
    """Something is wrong with a row: at which place of the entry, what, and which column is meant."""

    def __init__(self, at: Path, message: str, column: str | None) -> None:
        super().__init__(at, message, column)
        self.at, self.message, self.column = at, message, column


def filled(form: RowForm[_T], values: Values) -> _T | None:
    """What a row makes of a text.

    Raises:
        BadCellError: it lacks what that takes, or what comes of it is wrong.
    """
    try:
        return form.make(values)
    except CellError as error:
        raise BadCellError(form.where, str(error), error.column) from None
    except ValueError as error:
        raise BadCellError(form.where, str(error), form.column) from None


def values_of(slots: Slots, cells: tuple[Cell, ...]) -> list[str | int | None]:
    """The values that forms take, of a row's cells.

    Raises:
        BadCellError: a number is needed and the cell holds none.
    """
    try:
        return slots.values(cells)
    except CellError as error:
        raise BadCellError((), str(error), error.column) from None


def read_url(text: str) -> str:
    """A URL."""
    return check_url_text(read_text(text))


def read_path(text: str) -> str:
    """A path that no row has a part in, and that is wrong for all of them if it is."""
    check_output(read_text(text))
    return text


def read_header(text: str) -> str:
    """The value of a header field; an empty one stays empty."""
    return check_header_value(read_text(text)) if text else ""


def read_tag(text: str) -> str:
    """A tag."""
    return check_tag(read_text(text))


def read_row_size(text: str) -> int:
    """A number of bytes."""
    size = read_size(text)
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"must be at most {MAX_SIZE}")
    return size
