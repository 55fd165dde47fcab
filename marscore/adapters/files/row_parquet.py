"""The rows of a Parquet file, by pyarrow (`marscore[lists]`): its columns, and of each batch of rows no column that nobody asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from marscore.adapters.files.row_source import Unchanged, cell_of
from marscore.extras import installing
from marscore.resolve.rows import BadRow, Cell, RowsError

#: Rows that are held at once.
_BATCH = 8192


class ParquetRows:
    """As `RowFile` says. What it tells as lines are the numbers of rows, from 1."""

    def __init__(self, path: Path, unchanged: Unchanged) -> None:
        try:
            import pyarrow  # noqa: PLC0415 - an extra
            import pyarrow.parquet  # noqa: PLC0415 - as above
        except ImportError as error:
            raise RowsError(f"needs pyarrow: {installing('lists')}") from error
        self._broken: tuple[type[Exception], ...] = (OSError, ValueError, pyarrow.ArrowException)
        self._unchanged = unchanged
        self._raw = unchanged.opened(path)
        try:
            self._file: Any = pyarrow.parquet.ParquetFile(self._raw, pre_buffer=False, page_checksum_verification=True)
            self.columns: tuple[str, ...] = tuple(self._file.schema_arrow.names)
        except self._broken as error:
            self._raw.close()
            raise RowsError(_told(error)) from error

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        """As `RowFile` says."""
        number = 0
        try:
            for columns, count in self._batches(names):
                for row in zip(*columns, strict=True) if columns else [()] * count:
                    number += 1
                    yield number, _cells(row, names)
        except self._broken as error:
            raise RowsError(_told(error), number + 1, 1) from error
        finally:
            self._raw.close()

    def close(self) -> None:
        """As `RowFile` says."""
        self._raw.close()

    def never_seen(self) -> frozenset[str]:
        """As `RowFile` says."""
        return frozenset()

    def _batches(self, names: Sequence[str]) -> Iterator[tuple[list[list[Any]], int]]:
        for batch in self._file.iter_batches(batch_size=_BATCH, columns=list(names), use_threads=False):
            self._unchanged.check(self._raw)
            yield [batch.column(name).to_pylist() for name in names], batch.num_rows


def _cells(row: tuple[Any, ...], names: Sequence[str]) -> tuple[Cell, ...] | BadRow:
    try:
        return tuple([_cell(value, name) for value, name in zip(row, names, strict=True)])
    except ValueError as error:
        return BadRow(str(error))


def _cell(value: object, name: str) -> Cell:
    # Gaps, as pandas writes them.
    return None if isinstance(value, float) and math.isnan(value) else cell_of(value, name)


def _told(error: Exception) -> str:
    return f"is no Parquet file that can be read: {' '.join(str(error).split())[:200]}"
