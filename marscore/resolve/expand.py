"""Manifest -> Downloads: defaults merged in, templates filled, output paths decided, collisions found.

entry --OptionsMaker--> Options    entry + each --templates--> URLs and paths --paths--> Download...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from marscore.manifest import Entry, Examined, Findings, Parsed, PlainEntry, examine_mapping, examine_text
from marscore.manifest.fields import check_header_value, check_tag
from marscore.manifest.places import Advice, Path, shown
from marscore.manifest.urls import check_url_text
from marscore.resolve.awaited import AwaitedMaker, WrongListError, texts_of
from marscore.resolve.collisions import between, of_path
from marscore.resolve.forms import Form, Forms
from marscore.resolve.model import Download, Options
from marscore.resolve.options import OptionsMaker
from marscore.resolve.paths import Outputs, TakesPaths, check_output, name_in, without_suffixes
from marscore.resolve.refused import HiddenError, RefusedError
from marscore.resolve.rewriting import Rewriting
from marscore.resolve.rows import NoRows, OpenRows
from marscore.resolve.secrets import secrets_of
from marscore.resolve.templates import MAX_EXPANSIONS, EachSpec, Row, Template, compile_template, count, numeric_names, rows
from marscore.values import parse_checksum

if TYPE_CHECKING:
    from marscore.manifest import DownloadEntry, ListEntry
    from marscore.resolve.listed import Reading

_T = TypeVar("_T")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_ROWS = NoRows()


def expand(parsed: Parsed, open_rows: OpenRows = _NO_ROWS) -> tuple[Download, ...]:
    """Turn a manifest into its downloads, in its order.

    Raises:
        ManifestError: with every template, output path and collision that is wrong.
    """
    findings = Findings(parsed.places)
    manifest = parsed.manifest
    options = OptionsMaker(manifest.defaults, manifest.security.private_addresses)
    rewriting = Rewriting(manifest.mirrors)
    expansion = Expansion(options, rewriting, AwaitedMaker(manifest.defaults.checksum, rewriting), findings)
    expansion.secrets = lambda: secrets_of(parsed, ()).shown
    downloads = _expanded(dict(enumerate(manifest.downloads)), expansion, open_rows)
    if findings.found:
        raise findings.error(parsed.source)
    return downloads


def load(
    text: str, source: str, environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, open_rows: OpenRows = _NO_ROWS
) -> tuple[Parsed, tuple[Download, ...]]:
    """Read and expand a manifest; what is wrong with one download does not hide what is wrong between the others.

    Raises:
        ManifestError: with every problem of both stages, in the order of the text.
    """
    return loaded(examine_text(text, source, environment, variables), open_rows)


def load_mapping(
    data: Mapping[str, Any],
    environment: Mapping[str, str],
    variables: Mapping[str, str] = _NOTHING,
    source: str = "<dict>",
    open_rows: OpenRows = _NO_ROWS,
) -> tuple[Parsed, tuple[Download, ...]]:
    """Read and expand a manifest of Python objects.

    Raises:
        ManifestError: with every problem of both stages.
    """
    return loaded(examine_mapping(data, environment, variables, source), open_rows)


def load_in_part(
    text: str, source: str, environment: Mapping[str, str], variables: Mapping[str, str] = _NOTHING, open_rows: OpenRows = _NO_ROWS
) -> int | None:
    """Check a manifest whose names need no values yet; how many downloads it has at least, None where all have one.

    Raises:
        ManifestError: with what is wrong whatever values the names will have.
    """
    examined = examine_text(text, source, environment, variables, "allowed")
    findings = examined.findings
    if not findings.forgiven:
        return None
    left_open = findings.open_entries()
    known = {index: entry for index, entry in examined.entries.items() if index not in left_open}
    rewriting = Rewriting(examined.manifest.mirrors if examined.manifest else {})
    expansion = Expansion(
        OptionsMaker(examined.defaults, "allow"), rewriting, AwaitedMaker(examined.defaults.checksum, rewriting), findings
    )
    downloads = _expanded(known, expansion, open_rows)
    if findings.found:
        raise findings.error(source)
    return len(downloads) + len(findings.wrong_entries() | left_open)


def loaded(examined: Examined, open_rows: OpenRows) -> tuple[Parsed, tuple[Download, ...]]:
    """The whole of a manifest that was looked at.

    Raises:
        ManifestError: with every problem.
    """
    downloads = _expanded(examined.entries, expansion_of(examined), open_rows)
    return examined.parsed(), downloads


def expansion_of(examined: Examined, findings: Findings | None = None, outputs: TakesPaths | None = None) -> Expansion:
    """What makes the downloads of a manifest; where no `findings` are given, in those of its reading."""
    # A manifest that is wrong ends in an error, whatever its downloads would have been allowed to do.
    private = examined.manifest.security.private_addresses if examined.manifest else "allow"
    rewriting = Rewriting(examined.manifest.mirrors if examined.manifest else {})
    lists = AwaitedMaker(examined.defaults.checksum, rewriting)
    made = Expansion(OptionsMaker(examined.defaults, private), rewriting, lists, findings or examined.findings, outputs)
    if examined.manifest is not None and not examined.findings.found:
        made.secrets = lambda: secrets_of(examined.parsed(), ()).shown
    return made


def _expanded(entries: Mapping[int, Entry], expansion: Expansion, open_rows: OpenRows) -> tuple[Download, ...]:
    for index, entry in entries.items():
        if entry.from_ is None:
            expansion.add(("downloads", index), entry)
        else:
            for _ in expansion.add_rows(("downloads", index), entry, open_rows):
                pass
    return tuple(expansion.downloads)


class Expansion:
    """Collects the downloads of a manifest and what is wrong between them."""

    def __init__(
        self, options: OptionsMaker, rewriting: Rewriting, lists: AwaitedMaker, findings: Findings, outputs: TakesPaths | None = None
    ) -> None:
        self.downloads: list[Download] = []
        self._rewriting = rewriting
        self.mirror_origins = rewriting.origins()
        self.lists = lists
        #: What of the environment is secret; nothing where that is not known yet, since the manifest is wrong.
        self.secrets: Callable[[], Collection[str]] = tuple
        self._findings = findings
        self._options = options
        self._outputs = outputs or Outputs()

    def add(self, where: Path, entry: DownloadEntry | PlainEntry) -> None:
        """Expand one entry; its first problem ends it, but not the others."""
        try:
            if not isinstance(entry, PlainEntry) and entry.each is not None:
                self._many(where, entry, entry.each)
            else:
                self._one(where, entry)
        except RefusedError as refused:
            self._findings.add(refused.where, refused.message, "missing", refused.advice)
        except HiddenError:
            pass
        except WrongListError as wrong:
            if not (wrong.follows_defaults and self._findings.wrong_defaults()):
                self._findings.add(wrong.where, wrong.message, "missing")

    def add_rows(self, where: Path, entry: ListEntry, open_rows: OpenRows, reading: Reading | None = None) -> Iterator[None]:
        """Add the rows of a list, a step for each, unless something is wrong already.

        Raises:
            ManifestError: rows are bad, and nothing is wrong with the manifest itself.
        """
        if self._findings.found:
            return
        from marscore.resolve.listed import ListExpansion  # noqa: PLC0415 - few manifests have lists

        rows = ListExpansion(where, entry, self, self._findings, reading)
        yield from rows.read(open_rows)
        rows.check(open_rows)

    def _one(self, where: Path, entry: DownloadEntry | PlainEntry) -> None:
        options = self.options_of(where, entry, entry.headers, entry.tags)
        checksums = tuple(map(parse_checksum, texts_of(entry))) if entry.checksum else ()
        urls = tuple(dict.fromkeys((entry.url, *entry.mirrors))) if entry.mirrors else (entry.url,)
        # As `shown` writes it.
        name = f"{where[0]}[{where[1]}]"
        path = self.output(where, entry.path, entry.url, name)
        into = None if options.unpack is None else self.folder_of(where, options.unpack.into, path, name)
        awaited = self.lists.of(where, entry, entry.url) if self.lists.may_be_named(entry) else ()
        self.add_download(Download(name, urls, path, options, checksums, entry.size, into=into, awaited=awaited))

    def _many(self, where: Path, entry: DownloadEntry, each: EachSpec) -> None:
        if count(each) > MAX_EXPANSIONS:
            raise RefusedError((*where, "each"), f"makes {count(each):,} downloads; one entry may make {MAX_EXPANSIONS:,}")
        forms = self._forms(where, entry, numeric_names(each))
        if forms is None:
            return
        shared = None if forms.options_vary() else self._options_for(where, entry, forms, ())
        name = shown(where)
        for number, row in enumerate(rows(each)):
            options = shared or self._options_for(where, entry, forms, row)
            first, *mirrors = [form.make(row) for form in forms.sources]
            urls = tuple(dict.fromkeys([first, *mirrors])) if mirrors else (first,)
            checksums = tuple([form.make(row) for form in forms.checksums]) if forms.checksums else ()
            path = forms.path.make(row) if forms.path else None
            own = f"{name}[{number}]"
            place, into = self.output(where, path, first, own), None
            if options.unpack is not None:
                into = self.folder_of(where, forms.into.make(row) if forms.into else options.unpack.into, place, own)
            awaited = self.lists.of(where, entry, first, row) if self.lists.may_be_named(entry) else ()
            self.add_download(Download(own, urls, place, options, checksums, entry.size, into=into, awaited=awaited))

    def add_download(self, download: Download) -> None:
        """Add a download, with what the manifest's mirrors put in the place of its URLs."""
        self.downloads.append(self.with_mirrors(download))

    def with_mirrors(self, download: Download) -> Download:
        urls = download.sources
        sources = self._rewriting.sources_of(urls)
        if sources == urls:
            return download
        return replace(download, sources=sources, original=None if sources[0] == urls[0] else urls[0])

    def options_of(self, where: Path, entry: Entry, headers: Mapping[str, str | None] | None, tags: tuple[str, ...] | None) -> Options:
        try:
            return self._options.of(entry, headers, tags)
        except ValueError as error:
            if self._findings.wrong("defaults"):
                # A part of what is merged was not read, and has been told of.
                raise HiddenError from None
            told = Advice(help='write auth: {username: NAME, password: "${PASSWORD}"}')
            raise RefusedError(where, str(error), told) from None

    def _options_for(self, where: Path, entry: DownloadEntry, forms: Forms, row: Row) -> Options:
        headers = {name: None if form is None else form.make(row) for name, form in forms.headers.items()}
        tags = None if forms.tags is None else tuple([form.make(row) for form in forms.tags])
        return self.options_of(where, entry, headers, tags)

    def output(self, where: Path, path: str | None, url: str, name: str) -> str:
        try:
            if path is None:
                path = name_in(url)
            else:
                check_output(path)
            taken = self._outputs.claim(path, name)
        except ValueError as error:
            raise RefusedError((*where, "path"), str(error), of_path(str(error))) from None
        if taken:
            raise RefusedError((*where, "path"), taken.message, between(taken, name))
        return path

    def folder_of(self, where: Path, into: str | None, path: str, name: str) -> str:
        """The folder that an archive is unpacked into."""
        at = (*where, "unpack") if into is None else (*where, "unpack", "into")
        try:
            into = without_suffixes(path) if into is None else into
            check_output(into)
            taken = self._outputs.claim_tree(into, name)
        except ValueError as error:
            raise RefusedError(at, str(error)) from None
        if taken:
            raise RefusedError(at, taken.message, between(taken, name))
        return into

    def _forms(self, where: Path, entry: DownloadEntry, numeric: Mapping[str, bool]) -> Forms | None:
        """Compile every template of an entry; None, with all problems noted, where one is wrong."""
        before, told = len(self._findings.found), set[str]()

        def form(at: Path, text: str, read: Callable[[str], _T]) -> Form[_T]:
            try:
                template = compile_template(text, numeric)
                return Form((*where, *at), template, read, read(template.text) if template.format is None else None)
            except ValueError as error:
                # A name that is wrong in `each` is missing from all texts of the entry: that is one mistake.
                if str(error) not in told:
                    self._findings.add((*where, *at), str(error))
                told.add(str(error))
                return Form((*where, *at), Template(text), read, None)

        forms = Forms(
            sources=(
                form(("url",), entry.url, check_url_text),
                *(form(("mirrors", n), m, check_url_text) for n, m in enumerate(entry.mirrors or ())),
            ),
            path=None if entry.path is None else form(("path",), entry.path, str),
            into=form(("unpack", "into"), entry.unpack.into, str) if entry.unpack and entry.unpack.into else None,
            checksums=tuple(form(("checksum", n), text, parse_checksum) for n, text in enumerate(texts_of(entry))),
            headers={
                name: None if value is None else form(("headers", name), value, check_header_value)
                for name, value in (entry.headers or {}).items()
            },
            tags=None if entry.tags is None else tuple(form(("tags", n), tag, check_tag) for n, tag in enumerate(entry.tags)),
        )
        return forms if len(self._findings.found) == before else None
