"""An entry with `from`: the rows of a file become downloads, one after the other; no row is kept.

    entry + columns --open--> RowForms      each row --make--> Download, or a problem at file:line:column

What is wrong with the entry itself is told at its place in the manifest, what is wrong with a row at that row's: with `on_bad_row: fail`
all such rows are told and nothing starts; with `skip` a bad row is a download that fails, under a name of its own, so that it counts.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from marscore.errors import ManifestError, Problem
from marscore.frozen import dataclass
from marscore.manifest import Entry, Findings
from marscore.manifest.fields import read_text
from marscore.manifest.places import Advice, Path, shown
from marscore.resolve.awaited import AwaitedMaker, WrongListError, texts_of
from marscore.resolve.cells import BadCellError, filled, read_header, read_path, read_row_size, read_tag, read_url, values_of
from marscore.resolve.list_origins import ANYWHERE, allowed_origins, leads_elsewhere, writes_more
from marscore.resolve.model import Download, Options
from marscore.resolve.refused import RefusedError
from marscore.resolve.rows import BadRow, Cell, OpenRows, RowFile, RowForm, RowsError, Slots, Values
from marscore.values import Checksum, parse_checksum

if TYPE_CHECKING:
    from marscore.manifest import ListEntry

_T = TypeVar("_T")
#: A row as it is read: its number in the list, from 0, the line at which it begins, and its cells in the columns that are wanted.
NumberedRow: TypeAlias = "tuple[int, int, tuple[Cell, ...] | BadRow]"

#: So many bad rows are told.
MOST_TOLD = 50
#: What is known of a bad row is no URL. No host is called so (RFC 2606 section 2), and nothing is ever sent there.
NO_URL = "https://bad-row.invalid/"
_ELSEWHERE = (
    "would have what the manifest sends (headers, auth, cert) sent to another origin than that of the list: "
    "url can begin with the origin that is meant, or the list have a checksum"
)


class Expanding(Protocol):
    """What collects the downloads of a manifest (`expand`), and knows which paths are taken."""

    lists: AwaitedMaker
    downloads: list[Download]
    #: Those of the manifest's `mirrors`.
    mirror_origins: frozenset[str]
    #: What of the environment stands in the manifest and is secret.
    secrets: Callable[[], Collection[str]]

    def options_of(self, where: Path, entry: Entry, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        """The options of a download."""

    def output(self, where: Path, path: str | None, url: str, name: str) -> str:
        """The path of a download, which is then taken."""

    def folder_of(self, where: Path, into: str | None, path: str, name: str) -> str:
        """The folder that an archive is unpacked into, which is then taken."""

    def with_mirrors(self, download: Download) -> Download:
        """A download with what the manifest's mirrors put in the place of its URLs."""


@dataclass(frozen=True, slots=True)
class _Forms:
    """The texts of an entry."""

    url: RowForm[str]
    path: RowForm[str] | None
    mirrors: tuple[RowForm[str], ...]
    checksums: tuple[RowForm[Checksum], ...]
    size: RowForm[int] | None
    into: RowForm[str] | None
    headers: Mapping[str, RowForm[str] | None]
    tags: tuple[RowForm[str], ...] | None

    def options_vary(self) -> bool:
        return any(form and form.format is not None for form in (*self.headers.values(), *(self.tags or ())))

    def first_column(self, at: Path) -> str | None:
        """The first column of the text at a place in the entry; that of the URL where there is none, as it names the file then."""
        forms = (self.path, *self.mirrors, *self.checksums, self.size, self.into, *self.headers.values(), *(self.tags or ()))
        named = next((form.column for form in forms if form is not None and form.where == at), None)
        return named or self.url.column


@dataclass(frozen=True, slots=True)
class Reading:
    """What becomes of bad rows, and the line of each row by its number, where they are kept: whose path is taken is told with it."""

    on_bad_row: Literal["fail", "skip"]
    lines: array[int] | None = None


class ListExpansion:
    """The rows of one entry on their way to downloads. `problems` are those of rows, which end the run before it begins."""

    def __init__(self, where: Path, entry: ListEntry, expanding: Expanding, findings: Findings, reading: Reading | None = None) -> None:
        self.problems: list[Problem] = []
        self._reading = reading or Reading(entry.on_bad_row, array("Q"))
        self._where = where
        self._entry = entry
        self._expanding = expanding
        self._findings = findings
        self._name = shown(where)
        self._allowed = allowed_origins(entry)
        self._adds: Literal["nothing", "text"] = "nothing"
        if self._allowed != ANYWHERE and writes_more(entry, expanding.lists.urls_for(entry), expanding.secrets()):
            self._adds = "text"
        #: The options of rows, each once.
        self._of_rows: dict[Options, Options] = {}
        self._line = 0
        #: Whether no more rows are wanted; what broke the file off; and what no row of it had.
        self._is_over = False
        self._cut: RowsError | None = None
        self._never_seen: frozenset[str] = frozenset()
        self._slots: Slots
        self._forms: _Forms
        #: The options of every row, where they are the same for all.
        self.shared: Options | None = None
        self._of_bad: Options
        #: What the file is called where a row of it is told of.
        self._file = ""
        #: The entry without checksums: for rows that have none, `defaults` may name a list.
        self._bare = entry.model_copy(update={"checksum": None})
        #: Whose lists name checksums of rows that have some of their own, and of those that have none; None: no list does.
        self._lists_of_some, self._lists_of_none = (
            each if expanding.lists.may_be_named(each) else None for each in (entry, self._bare if texts_of(entry) else entry)
        )

    def read(self, open_rows: OpenRows) -> Iterator[None]:
        """Add a download for each row, or note what is wrong with it; a step for each row."""
        for row in self.rows(open_rows):
            if (download := self.make(row)) is not None:
                self._expanding.downloads.append(download)
            yield

    def rows(self, open_rows: OpenRows) -> Iterator[NumberedRow]:
        """The rows, to be made downloads in this order, each at once or later; once all are, `check` says what is wrong."""
        file = self.open(open_rows)
        if file is None:
            return
        with contextlib.closing(file):
            try:
                for number, (line, cells) in enumerate(file.rows(self._slots.names)):
                    if self._reading.lines is not None:
                        self._reading.lines.append(line)
                    yield number, line, cells
                    if self._is_over:
                        break
            except RowsError as error:
                self._cut = error
            self._never_seen = file.never_seen()

    def make(self, row: NumberedRow) -> Download | None:
        """Make the download of a row; None, once it is noted what is wrong, and of all rows behind one after which no more are wanted."""
        if self._is_over:
            return None
        number, self._line, cells = row
        own = f"{self._name}[{number}]"
        try:
            if isinstance(cells, BadRow):
                return self._bad(own, Problem(own, cells.message, self._line, cells.column), NO_URL)
            return self._row(own, self._slots, self._forms, cells, self.shared)
        except WrongListError as wrong:
            self._findings.add(wrong.where, wrong.message, "missing")
            self._is_over = True
            return None
        finally:
            if len(self.problems) >= MOST_TOLD and not self._is_over:
                self.problems.append(Problem(self._name, "more rows may be bad: they were not read", self._line, 1))
                self._is_over = True

    def check(self, open_rows: OpenRows) -> None:
        """Note what is wrong with the whole, of which all rows were made.

        Raises:
            ManifestError: rows are bad, or the file is, and nothing is wrong with the manifest.
        """
        if self._cut is not None and len(self.problems) <= MOST_TOLD:
            self._broken(self._cut)
        # What was not read may have it; and problems are to be told.
        for name in () if self.problems else sorted(self._never_seen):
            self._findings.add(self._where, f"names {name[:64]!r}, which no row of the file has", "missing")
        if self.problems and not self._findings.found:
            raise ManifestError(open_rows.shown(self._entry.from_.url), tuple(self.problems))

    def look(self, open_rows: OpenRows) -> None:
        """Note what is wrong with the entry, as far as that shows without its rows."""
        if file := self.open(open_rows):
            file.close()

    def open(self, open_rows: OpenRows) -> RowFile | None:
        """Open the file, and read the entry's texts for its columns, which `make` needs. None, once it is noted what is wrong."""
        self._file = open_rows.name(self._entry.from_.url)
        try:
            file = open_rows.open(self._entry.from_.url)
        except RowsError as error:
            if error.line is None:
                self._findings.add((*self._where, "from"), error.message)
            else:
                self._broken(error)
            return None
        self._slots = Slots(file.columns)
        forms = self._read_texts(self._slots)
        if forms is None or not self._share(forms):
            file.close()
            return None
        return file

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Those of its file, once it is open; None where each row names its own."""
        return self._slots.columns

    def _share(self, forms: _Forms) -> bool:
        """Make what all rows have in common; says whether that is possible."""
        self._forms = forms
        try:
            # Those of a bad row; where these can be made, others can.
            self._of_bad = self._expanding.options_of(self._where, self._bare, None, None)
            self.shared = None if forms.options_vary() else self._options(forms, ())
        except RefusedError as refused:
            self._findings.add(refused.where, refused.message, "missing", refused.advice)
            return False
        return True

    def _broken(self, error: RowsError) -> None:
        self.problems.append(Problem(f"{self._name}.from", error.message, error.line or 1, error.column or 1))

    def _row(self, own: str, slots: Slots, forms: _Forms, cells: tuple[Cell, ...], shared: Options | None) -> Download | None:
        url = NO_URL
        try:
            values = values_of(slots, cells)
            found = filled(forms.url, values)
            if found is None:
                raise BadCellError(("url",), "is empty", forms.url.column)
            url = found
            if slots.has_key:
                slots.put_key(values, url)
            return self._expanding.with_mirrors(self._download(own, url, forms, values, shared))
        except RefusedError as refused:
            at = refused.where[len(self._where) :]
            is_one = forms.path is not None and forms.path.format is None and f"{self._name}[" in refused.message
            if at == ("path",) and is_one and self._reading.on_bad_row == "fail":
                self._tell_of_one_path(forms, slots)
                return None
            return self._bad_cell(own, BadCellError(at, self._told(refused.message), forms.first_column(at)), url, slots)
        except BadCellError as bad:
            return self._bad_cell(own, bad, url, slots)

    def _tell_of_one_path(self, forms: _Forms, slots: Slots) -> None:
        """Tell once that the path names no column, where a second row has come: then the entry is wrong, and not its rows."""
        named = next((f"{{{name}}}" for name in slots.columns or () if forms.path and name == forms.path.constant), None)
        help_ = f'did you mean "{named}"?' if named else 'name a column in braces, as in path: "{name}.bin"'
        self._findings.add((*self._where, "path"), "is the same for every row", advice=Advice(help=help_))
        self._is_over = True

    def _download(self, own: str, url: str, forms: _Forms, values: list[str | int | None], shared: Options | None) -> Download:
        where, expanding = self._where, self._expanding
        options = shared or self._options(forms, values)
        mirrors = [mirror for form in forms.mirrors if (mirror := filled(form, values)) is not None] if forms.mirrors else ()
        checksums = tuple([each for form in forms.checksums if (each := filled(form, values)) is not None]) if forms.checksums else ()
        size = None if forms.size is None else filled(forms.size, values)
        path = None if forms.path is None else filled(forms.path, values)
        into = None if forms.into is None else filled(forms.into, values)
        urls = tuple(dict.fromkeys([url, *mirrors])) if mirrors else (url,)
        if self._allowed != ANYWHERE and leads_elsewhere(self._allowed, options, urls, self._adds):
            raise BadCellError(("url",), _ELSEWHERE, forms.url.column)
        lists = self._lists_of_some if checksums else self._lists_of_none
        awaited = () if lists is None else expanding.lists.of(where, lists, url)
        place, folder = expanding.output(where, path, url, own), None
        if options.unpack is not None:
            folder = expanding.folder_of(where, into if forms.into else options.unpack.into, place, own)
        return Download(own, urls, place, options, checksums, size, into=folder, awaited=awaited)

    def _options(self, forms: _Forms, values: Values) -> Options:
        headers: dict[str, str | None] = {}
        for name, form in forms.headers.items():
            value = None if form is None else filled(form, values)
            # One that is to be removed is None; one of an empty cell is as if it were not written.
            if form is None or value is not None:
                headers[name] = value
        made = None if forms.tags is None else [filled(form, values) for form in forms.tags]
        tags = None if made is None else tuple([tag for tag in made if tag is not None])
        options = self._expanding.options_of(self._where, self._entry, headers, tags)
        if self._allowed == ANYWHERE:
            return options
        # Other origins than these are the list's choice, and the manifest's author knows nothing of them.
        of_rows = replace(options, chosen=self._allowed | self._expanding.mirror_origins)
        return self._of_rows.setdefault(of_rows, of_rows)

    def _told(self, message: str) -> str:
        """A message with the line beside each row of this list that it names."""
        head, mark, number = message.rpartition(f"{self._name}[")
        digits = number.partition("]")[0]
        lines = self._reading.lines or ()
        if not mark or not digits.isdigit() or int(digits) >= len(lines):
            return message
        line = lines[int(digits)]
        return f"{head}{mark}{digits}] ({self._file}:{line}){number.partition(']')[2]}"

    def _bad_cell(self, own: str, bad: BadCellError, url: str, slots: Slots) -> Download | None:
        named = "" if bad.column is None else f" (column {bad.column[:64]})"
        path = f"{own}.{shown(bad.at)}" if bad.at else own
        return self._bad(own, Problem(path, f"{bad.message}{named}", self._line, slots.position(bad.column)), url)

    def _bad(self, own: str, problem: Problem, url: str) -> Download | None:
        """A row is bad: a problem, or a download that fails with it."""
        if self._reading.on_bad_row == "fail":
            self.problems.append(problem)
            return None
        name = self._file
        message = f"{name}:{problem.line}:{problem.column}: {problem.path}: {problem.message}"
        path = self._place_of_bad(PurePath(name).name, own)
        return self._expanding.with_mirrors(Download(own, (url,), path, self._of_bad, bad=message))

    def _place_of_bad(self, name: str, own: str) -> str:
        """A path for a row that has none: nothing is ever put there."""
        for candidate in self._candidates(name):
            try:
                return self._expanding.output(self._where, candidate, NO_URL, own)
            except RefusedError:
                continue
        raise AssertionError("some name is free")

    def _candidates(self, name: str) -> Iterator[str]:
        line = self._line
        yield f"{name}, line {line}"
        count = 1
        while True:
            yield f"line {line} of a list ({count})"
            count += 1

    def _read_texts(self, slots: Slots) -> _Forms | None:
        """Read every text of the entry; None, with all problems noted, where one is wrong."""
        before, entry, told = len(self._findings.found), self._entry, set[str]()

        def form(at: Path, text: str, read: Callable[[str], _T], is_column: bool = False) -> RowForm[_T]:
            try:
                return slots.form(at, text, read, is_column)
            except ValueError as error:
                # A column that the file has not may be named in many texts.
                if str(error) not in told:
                    self._findings.add((*self._where, *at), str(error))
                told.add(str(error))
                return RowForm(at, None, (), alone=False, read=read)

        url = form(("url",), entry.url, read_url, is_column=True)
        if len(self._findings.found) == before and (url.format is None or slots.has_key):
            self._findings.add((*self._where, "url"), "must name a column, by itself or in braces")
        made = _Forms(
            url=url,
            path=None if entry.path is None else form(("path",), entry.path, read_text if "{" in entry.path else read_path),
            mirrors=tuple([form(("mirrors", n), text, read_url, is_column=True) for n, text in enumerate(entry.mirrors or ())]),
            checksums=tuple([form(("checksum", n), text, parse_checksum, is_column=True) for n, text in enumerate(texts_of(entry))]),
            size=None if entry.size is None else form(("size",), entry.size, read_row_size, is_column=True),
            into=form(("unpack", "into"), entry.unpack.into, read_text) if entry.unpack and entry.unpack.into else None,
            headers={
                name: None if value is None else form(("headers", name), value, read_header)
                for name, value in (entry.headers or {}).items()
            },
            tags=None if entry.tags is None else tuple([form(("tags", n), tag, read_tag) for n, tag in enumerate(entry.tags)]),
        )
        return made if len(self._findings.found) == before else None
