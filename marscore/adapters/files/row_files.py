"""Files of rows: CSV, TSV and JSON Lines, plain or in gzip; Parquet by `row_parquet`. Read as a stream: no more than a row is held.

    FILE --its name says how--> columns, then line + cells for each row, or RowsError where it cannot be read to its end

CSV is read as RFC 4180 says, in UTF-8 with or without a byte order mark: the first line names the columns, and every row has as many cells.
Quotes that are not closed, an end of the file inside of them, and a gzip stream that is cut end the reading with an error, since rows would
be missing otherwise. An empty line is no row.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from marscore.adapters.files.row_source import Unchanged, cell_of
from marscore.resolve.rows import BadRow, Cell, RowFile, RowsError

#: The longest line, in characters, and the longest row, which may be of many lines: more is no list of URLs.
MAX_LINE = 1024 * 1024
#: Lines between two looks whether the file is what it was.
_LOOK_EVERY = 1000
_BROKEN = (OSError, EOFError, zlib.error, UnicodeDecodeError)


def rows_at(path: Path, name: str, unchanged: Unchanged) -> RowFile:
    """Open a file of rows; `name` says in lower case what it is, `unchanged` whether it is what it was.

    Raises:
        RowsError: it cannot be read, or what reads it is not installed.
    """
    if name.endswith(".parquet"):
        from marscore.adapters.files.row_parquet import ParquetRows  # noqa: PLC0415 - pyarrow takes 0.2 s to load

        return ParquetRows(path, unchanged)
    packed = name.endswith(".gz")
    plain = name.removesuffix(".gz")
    if plain.endswith((".jsonl", ".ndjson")):
        return JsonRows(path, packed, unchanged)
    return CsvRows(path, packed, unchanged, "\t" if plain.endswith(".tsv") else ",")


class _Unpacked(gzip.GzipFile):
    """What is in a gzip file, which is closed with this."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._outer = file

    def close(self) -> None:
        super().close()
        self._outer.close()


class _Lines:
    """The lines of a file, each with its ending. `number` is that of the last one, from 1."""

    def __init__(self, path: Path, packed: bool, unchanged: Unchanged) -> None:
        self.number = 0
        self._left = MAX_LINE
        self._unchanged = unchanged
        self._file = file = unchanged.opened(path)
        # gzip.open would leave its file open where it is given one.
        self._raw = cast("IO[bytes]", _Unpacked(file)) if packed else file
        # Line endings stay as they are: a cell may hold some.
        self._text = io.TextIOWrapper(self._raw, encoding="utf-8-sig", newline="")

    def __iter__(self) -> Iterator[str]:
        return self

    def end_row(self) -> None:
        """Take what comes now for another row than what came so far."""
        self._left = MAX_LINE

    def __next__(self) -> str:
        try:
            line = self._text.readline(MAX_LINE)
        except _BROKEN as error:
            raise RowsError(_told(error), self.number + 1, 1) from error
        if not line or self.number % _LOOK_EVERY == 0:
            self._look()
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) >= MAX_LINE:
            raise RowsError(f"has a line of more than {MAX_LINE:,} characters", self.number, 1)
        # A few packed kilobytes can be gigabytes of lines that quotes hold together, which are held until their row is whole, or of empty
        # ones, over which nobody hears that the run is to end.
        self._left -= len(line)
        if self._left < 0:
            raise RowsError(f"has more than {MAX_LINE:,} characters in one row, or in empty lines before it", self.number, 1)
        return line

    def _look(self) -> None:
        try:
            self._unchanged.check(self._file)
        except RowsError as error:
            raise RowsError(error.message, self.number + 1, 1) from error

    def close(self) -> None:
        self._text.close()


def _told(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text from here on"
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return "is no whole gzip file: it is damaged, or was cut"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


class CsvRows:
    """The rows of a table as text, by the columns that its first line names."""

    def __init__(self, path: Path, packed: bool, unchanged: Unchanged, delimiter: str) -> None:
        self._lines = _Lines(path, packed, unchanged)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        try:
            header = next(self._reader, None)
        except csv.Error as error:
            self._lines.close()
            raise _no_csv(error, 1) from error
        except BaseException:
            self._lines.close()
            raise
        self._lines.end_row()
        if not header:
            self._lines.close()
            raise RowsError("is empty: its first line has to name the columns", 1, 1)
        self.columns: tuple[str, ...] = tuple(header)

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        """As `RowFile` says."""
        lines, where, count = self._lines, [self.columns.index(name) for name in names], len(self.columns)
        begins = lines.number + 1
        try:
            for row in self._reader:
                if len(row) == count:
                    lines.end_row()
                    yield begins, tuple([row[at] or None for at in where])
                elif row:
                    lines.end_row()
                    yield (
                        begins,
                        BadRow(f"the row has {len(row)} cells, and the first line names {count} columns", min(len(row), count) + 1),
                    )
                begins = lines.number + 1
        except csv.Error as error:
            raise _no_csv(error, begins) from error
        finally:
            lines.close()

    def close(self) -> None:
        """As `RowFile` says."""
        self._lines.close()

    def never_seen(self) -> frozenset[str]:
        """As `RowFile` says."""
        return frozenset()


def _no_csv(error: csv.Error, begins: int) -> RowsError:
    return RowsError(f"is no CSV from this row on: {error}", begins, 1)


class JsonRows:
    """The rows of a file of JSON Lines: an object in each line, whose keys are its columns."""

    columns: tuple[str, ...] | None = None

    def __init__(self, path: Path, packed: bool, unchanged: Unchanged) -> None:
        self._lines = _Lines(path, packed, unchanged)
        self._missing: set[str] = set()

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        """As `RowFile` says."""
        self._missing, any_row = set(names), False
        try:
            for line in self._lines:
                if line.isspace():
                    continue
                self._lines.end_row()
                any_row = True
                yield self._lines.number, self._cells(line, names)
        finally:
            self._lines.close()
        if not any_row:
            self._missing.clear()

    def close(self) -> None:
        """As `RowFile` says."""
        self._lines.close()

    def never_seen(self) -> frozenset[str]:
        """As `RowFile` says."""
        return frozenset(self._missing)

    def _cells(self, line: str, names: Sequence[str]) -> tuple[Cell, ...] | BadRow:
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            return BadRow(f"is no JSON: {error.msg}", error.colno)
        except (ValueError, RecursionError) as error:
            return BadRow(f"is no JSON that can be read: {error}")
        if not isinstance(row, dict):
            return BadRow("must be a JSON object, in one line")
        if self._missing:
            self._missing.difference_update(row)
        try:
            return tuple([cell_of(row.get(name), name) for name in names])
        except ValueError as error:
            return BadRow(str(error))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found
