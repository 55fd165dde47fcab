"""How the texts of a list's entry are filled from the cells of a row, and what becomes of rows in which something is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import ManifestError
from marscore.manifest import Parsed
from marscore.resolve.expand import load, load_mapping
from marscore.resolve.model import Download
from marscore.resolve.rows import BadRow, Cell, CellError, RowFile, RowsError, Slots, pieces
from marscore.resolve.typed import as_typed

COLUMNS = ("id", "link", "sum", "page name")
SHA = "sha256:" + "ab" * 32


class Table:
    """Rows in memory; `end` is raised behind the last one."""

    def __init__(self, columns: tuple[str, ...] | None, cells: Sequence[dict[str, Cell] | BadRow], end: RowsError | None = None) -> None:
        self.columns = columns
        self._cells, self._end = cells, end

    def open(self, place: str) -> RowFile:
        return self

    def name(self, place: str) -> str:
        return place

    def shown(self, place: str) -> str:
        return f"there/{place}"

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        for line, row in enumerate(self._cells, 2):
            yield line, row if isinstance(row, BadRow) else tuple([row.get(name) for name in names])
        if self._end is not None:
            raise self._end

    def never_seen(self) -> frozenset[str]:
        return frozenset()

    def close(self) -> None:
        pass


def filled(text: str, cells: dict[str, Cell], is_column: bool = False) -> str | None:
    slots = Slots(COLUMNS)
    form = slots.form(("x",), text, str, is_column)
    return form.make(slots.values(tuple([cells.get(name) for name in slots.names])))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain", "plain"),
        ("{id}", "7"),
        ("a{id}b{link}c", "a7bhttps://h/xc"),
        ("{id:03d}-{id}", "007-7"),
        ("{id:x}", "7"),
        ("{link:5}", "https"),
        ("{page name}", "p"),
        ("{{id}}", "{id}"),
        ("{sum}", None),
    ],
)
def test_what_a_template_makes_of_cells(text: str, made: str | None) -> None:
    assert filled(text, {"id": "7", "link": "https://h/x", "page name": "p"}) == made


def test_a_column_is_named_without_braces_where_one_is_meant() -> None:
    assert filled("page name", {"page name": "p"}, is_column=True) == "p"
    assert filled("page name", {}) == "page name"
    assert filled("{id}", {"id": "1"}, is_column=True) == "1"


@pytest.mark.parametrize("text", ["{", "}", "{id", "{}", "{none}", "{id:zz}", "{id.real}", "{id:0}", "{id!r}", "{0}"])
def test_a_template_reaches_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"has a|names the column"):
        filled(text, {"id": "7"})


def test_a_cell_that_is_needed_may_not_be_empty_nor_another_text_than_a_number() -> None:
    with pytest.raises(CellError, match="needs a value"):
        filled("a{id}", {})
    with pytest.raises(CellError, match="whole number"):
        filled("{id:03d}", {"id": "1.5"})


def test_a_cell_is_never_read_as_a_template() -> None:
    assert filled("x{link}", {"link": "{id}{0}{{"}) == "x{id}{0}{{"


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=4))
def test_pieces_are_what_stands_around_names(texts: list[str]) -> None:
    escaped = [text.replace("{", "{{").replace("}", "}}") for text in texts]
    around, names = pieces("{id}".join(escaped))
    assert (around, names) == (texts, ["{id}"] * (len(texts) - 1))


def loaded(rows: Sequence[dict[str, Cell] | BadRow], end: RowsError | None = None, **entry: Any) -> tuple[Download, ...]:
    data = {"version": 1, "downloads": {"from": "a.csv", "url": "link", **entry}}
    return load_mapping(data, {}, open_rows=Table(COLUMNS, rows, end))[1]


def test_a_row_becomes_a_download() -> None:
    row: dict[str, Cell] = {"id": "1", "link": "https://h/a.bin", "sum": SHA}
    [made] = loaded([row], path="{key:2}/{key}", checksum="sum", headers={"X-Id": "{id}"}, mirrors=["https://m/{id}"], tags=["t{id}"])
    key = hashlib.sha256(b"https://h/a.bin").hexdigest()[:32]
    assert (made.id, made.path, made.sources) == ("downloads[0][0]", f"{key[:2]}/{key}", ("https://h/a.bin", "https://m/1"))
    assert (str(made.checksums[0]), made.options.headers, made.options.tags) == (SHA, (("X-Id", "1"),), ("t1",))


def test_rows_share_options_that_do_not_vary() -> None:
    rows: list[dict[str, Cell]] = [{"id": str(n), "link": f"https://h/{n}"} for n in range(3)]
    assert len({id(made.options) for made in loaded(rows, headers={"A": "b"}, threads=2)}) == 1
    assert [made.options.headers for made in loaded(rows, headers={"A": "{id}"})] == [(("A", "0"),), (("A", "1"),), (("A", "2"),)]
    assert loaded([{"link": "https://h/1"}], headers={"A": "{id}"})[0].options.headers == ()


def told(*args: Any, **entry: Any) -> str:
    with pytest.raises(ManifestError) as caught:
        loaded(*args, **entry)
    return str(caught.value)


def test_what_is_wrong_is_told_at_the_row_in_the_file() -> None:
    assert told([{"link": "https://h/a"}, {"link": "x"}]).startswith("there/a.csv:3:2: downloads[0][1].url: must begin with")
    assert told([BadRow("is no row", 4)]) == "there/a.csv:2:4: downloads[0][0]: is no row"
    assert told([], RowsError("is cut", 9, 1), on_bad_row="skip") == "there/a.csv:9:1: downloads[0].from: is cut"
    many = told([BadRow("bad")] * 80).splitlines()
    assert (len(many), "they were not read" in many[-1]) == (51, True)


@pytest.mark.parametrize(("entry", "what"), [({"url": "https://h/a{{b"}, "url"), ({"url": "{key}"}, "url"), ({"path": "{x}"}, "path")])
def test_what_is_wrong_with_the_entry_is_told_in_the_manifest(entry: dict[str, str], what: str) -> None:
    assert told([{"link": "https://h/a"}], **entry).startswith(f"<dict>: downloads[0].{what}: ")


def test_a_bad_row_has_a_name_of_its_own_and_no_url() -> None:
    rows: list[dict[str, Cell] | BadRow] = [{"link": "https://h/a.csv, line 3"}, BadRow("bad"), {"link": "https://h/b", "id": "x"}]
    rows[0] = {"link": "https://h/a", "id": "a.csv, line 3"}
    first, bad, other = loaded(rows, path="{id}", on_bad_row="skip")
    assert (first.bad, bad.bad, other.bad) == (None, "a.csv:3:1: downloads[0][1]: bad", None)
    assert (bad.path, bad.url) == ("line 3 of a list (1)", "https://bad-row.invalid/")


def test_rows_without_a_checksum_await_the_list_of_defaults() -> None:
    data = {
        "version": 1,
        "defaults": {"checksum": {"from": "{url}.sha256"}},
        "downloads": [{"from": "a.csv", "url": "link", "checksum": "sum"}],
    }
    rows: list[dict[str, Cell]] = [{"link": "https://h/a", "sum": SHA}, {"link": "https://h/b"}]
    made = load_mapping(data, {}, open_rows=Table(COLUMNS, rows))[1]
    assert [[each.source.place for each in one.awaited] for one in made] == [[], ["https://h/b.sha256"]]


def typed(url: str, environment: dict[str, str], cells: dict[str, Cell]) -> str:
    text = yaml.safe_dump({"version": 1, "downloads": {"from": "a.csv", "url": url}})
    made: tuple[Parsed, tuple[Download, ...]] = load(text, "m.yaml", environment, open_rows=Table(COLUMNS, [cells]))
    return next(as_typed(*made)).url


def test_what_was_typed_of_a_row_shows_nothing_of_the_environment() -> None:
    assert typed("https://${HOST}/{id}.bin", {"HOST": "h.internal"}, {"id": "a/b"}) == "https://${HOST}/a/b.bin"
    assert typed("${COLUMN}", {"COLUMN": "link"}, {"link": "https://h/a"}) == "https://h/a"
    assert typed("https://h/{id}", {}, {"id": "1"}) == "https://h/1"
    # What a name of the environment stands for is itself read for names: then nobody can tell one from the other.
    assert typed("https://${HOST}/{id}", {"HOST": "h.{id}"}, {"id": "ab"}) == "https://${HOST}/{id}"
