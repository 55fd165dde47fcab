"""A list that is written to while it is read, or between two readings, ends the reading: rows of two lists are none."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from marscore.adapters.files.row_files import MAX_LINE
from marscore.adapters.files.row_folder import RowFiles
from marscore.resolve.rows import BadRow, RowsError

pyarrow = pytest.importorskip("pyarrow")
MANY = 20_000


def as_csv(path: Path, word: str) -> None:
    path.write_text("url\n" + "".join(f"{word}{number:06d}\n" for number in range(MANY)))


def as_jsonl(path: Path, word: str) -> None:
    path.write_text("".join(json.dumps({"url": f"{word}{number:06d}"}) + "\n" for number in range(MANY)))


def as_parquet(path: Path, word: str) -> None:
    import pyarrow.parquet  # noqa: PLC0415

    table = pyarrow.table({"url": [f"{word}{number:06d}" for number in range(MANY)]})
    with path.open("wb") as file:
        pyarrow.parquet.write_table(table, file, write_page_checksum=True, compression="NONE", use_dictionary=False)


WRITERS = pytest.mark.parametrize(("name", "write"), [("l.csv", as_csv), ("l.jsonl", as_jsonl), ("l.parquet", as_parquet)])


def rewrite(path: Path, write: Callable[[Path, str], None]) -> None:
    before = path.stat().st_mtime_ns
    write(path, "b")
    # Two writings within one tick of the file system's clock are no matter of two lists that people write.
    os.utime(path, ns=(before + 10**9, before + 10**9))


@WRITERS
def test_one_that_is_written_in_the_middle_is_not_read_to_its_end(tmp_path: Path, name: str, write: Callable[[Path, str], None]) -> None:
    write(tmp_path / name, "a")
    rows = RowFiles(tmp_path).open(name).rows(["url"])
    next(rows)
    rewrite(tmp_path / name, write)
    with pytest.raises(RowsError, match="changed by another program"):
        list(rows)


@WRITERS
def test_nor_is_one_that_is_another_when_it_is_read_again(tmp_path: Path, name: str, write: Callable[[Path, str], None]) -> None:
    files = RowFiles(tmp_path)
    write(tmp_path / name, "a")
    assert len(list(files.open(name).rows(["url"]))) == MANY
    assert len(list(files.open(name).rows(["url"]))) == MANY
    rewrite(tmp_path / name, write)
    with pytest.raises(RowsError, match="changed by another program"):
        files.open(name)


def test_a_parquet_page_that_is_not_what_its_checksum_says_is_no_list(tmp_path: Path) -> None:
    place = tmp_path / "l.parquet"
    as_parquet(place, "a")
    data = place.read_bytes()
    at = data.index(b"a010000")
    place.write_bytes(data[:at] + b"Q" + data[at + 1 :])
    with pytest.raises(RowsError, match="no Parquet file that can be read"):
        list(RowFiles(tmp_path).open(place.name).rows(["url"]))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_what_is_no_finite_number_is_a_bad_row(tmp_path: Path, number: str) -> None:
    (tmp_path / "l.jsonl").write_text(f'{{"url": {number}}}\n')
    [(line, found)] = RowFiles(tmp_path).open("l.jsonl").rows(["url"])
    assert (line, found) == (1, BadRow("has no finite number in 'url'"))


@pytest.mark.parametrize(
    ("name", "head", "more"),
    [
        ("l.csv.gz", "url\na\n", '"ab\n",'),
        ("l.csv.gz", "", '"ab\n",'),
        ("l.csv.gz", "url\na\n", "\n"),
        ("l.jsonl.gz", '{"url": "a"}\n', " \n"),
    ],
)
def test_a_row_of_many_lines_has_an_end_and_so_have_empty_lines(tmp_path: Path, name: str, head: str, more: str) -> None:
    # Each line is short: it is the quotes that make a row of them, or there is nothing in them.
    (tmp_path / name).write_bytes(gzip.compress((head + more * (MAX_LINE + 1)).encode()))
    with pytest.raises(RowsError, match=r"has more than 1,048,576 characters in one row, or in empty lines before it"):
        list(RowFiles(tmp_path).open(name).rows(["url"]))


def test_rows_of_many_lines_are_counted_by_themselves(tmp_path: Path) -> None:
    text = "".join(f'u{number},"{"b" * 1000}\n"\n' for number in range(2000))
    (tmp_path / "l.csv").write_text(f"url,more\n{text}")
    assert len(list(RowFiles(tmp_path).open("l.csv").rows(["url"]))) == 2000
