"""Rows are read apart from what is made of them, and come to the same."""

from __future__ import annotations

import pytest

from marscore.manifest import examine_text
from marscore.resolve import streamed
from marscore.resolve.rows import RowsError
from marscore.resolve.streamed import Streamed
from marscore.resolve.taken import HashedOutputs


class Numbers:
    """Implements `rows.OpenRows` and `rows.RowFile`: so many rows, after which it breaks, or not."""

    columns = ("link", "name")

    def __init__(self, names, breaks=False):
        self.names, self.breaks, self.read = names, breaks, 0

    def open(self, place):
        return self

    def name(self, place):
        return place

    shown = name

    def rows(self, names):
        for number, name in enumerate(self.names):
            self.read += 1
            yield number + 2, tuple({"link": f"https://origin.example/{number}", "name": name}[column] for column in names)
        if self.breaks:
            raise RowsError("is cut", len(self.names) + 2, 1)

    def never_seen(self):
        return frozenset()

    def close(self):
        pass


TEXT = """version: 1
output_dir: output
downloads:
- url: https://origin.example/first
- {from: rows.csv, url: link, path: "{name}", on_bad_row: skip}
- url: https://origin.example/last
"""


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch):
    monkeypatch.setattr(streamed, "BATCH", 3)


def stream(names, breaks=False):
    rows = Numbers(names, breaks)
    return Streamed(examine_text(TEXT, "m", {}, {}), rows, ()), rows


def test_pieces_that_are_read_ahead_become_what_batches_are():
    of, _ = stream("abcdefgcha")
    batches = list(of.batches())
    ahead = list(of.pieces(HashedOutputs({})))
    assert [piece.made() for piece in ahead] == batches
    assert [len(batch) for batch in batches] == [1, 3, 3, 3, 1, 1]
    assert [download.path for batch in batches for download in batch if download.bad is None] == ["first", *"abcdefgh", "last"]
    assert [download.id for batch in batches for download in batch if download.bad] == ["downloads[1][7]", "downloads[1][9]"]


def test_no_more_is_read_than_the_pieces_that_were_wanted():
    of, rows = stream("abcdefghij")
    pieces = of.pieces(HashedOutputs({}))
    next(pieces)
    assert rows.read == 0
    next(pieces)
    assert rows.read == 3


def test_what_is_wrong_with_the_file_comes_behind_what_was_read_of_it():
    of, _ = stream("abcd", breaks=True)
    pieces = of.pieces(HashedOutputs({}))
    assert [[download.path for download in next(pieces).made()] for _ in range(3)] == [["first"], ["a", "b", "c"], ["d"]]
    with pytest.raises(streamed.ManifestError, match="is cut"):
        next(pieces)


def told_of(names, breaks=False, wrong="", missing=()):
    """What a look at a list tells in which bad rows end the run: rows of these names are bad, and these columns are never seen."""
    rows = Numbers(names, breaks)
    rows.never_seen = lambda: frozenset(missing)
    text = TEXT.replace("on_bad_row: skip", 'size: "{name}"' if wrong else "on_bad_row: fail")
    of = Streamed(examine_text(text, "m", {}, {}), rows, ())
    with pytest.raises(streamed.ManifestError) as caught:
        of.look()
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize("count", [52, 53, 54, 60])
def test_of_many_bad_rows_the_first_are_told_and_that_there_may_be_more(count):
    found = told_of(["x"] * count, wrong="x")
    assert [line for line, _ in found] == [*range(2, 52), 51]
    assert found[-1][1] == "more rows may be bad: they were not read"


def test_a_bad_row_is_told_before_what_is_wrong_with_the_file_behind_it_and_hides_a_column_that_was_not_seen():
    assert [line for line, _ in told_of(["1", "x"], breaks=True, wrong="x")] == [3, 4]
    assert [line for line, _ in told_of(["1", "x"], wrong="x", missing=["name"])] == [3]
    assert [message for _, message in told_of(["1"], wrong="x", missing=["name"])] == ["names 'name', which no row of the file has"]
