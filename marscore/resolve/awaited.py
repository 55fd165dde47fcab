"""Which publisher's lists name a download's checksums, as the manifest says it: templates filled, what `defaults` say taken over.

    checksum: {from, algorithm, name} + defaults.checksum + names of `each` --AwaitedMaker.of--> Awaited...

A list is asked for where the manifest's `mirrors` say, as any download is. In `from` and `name`, {url} stands for
the download's own URL, besides the names in `each`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from marscore.frozen import dataclass
from marscore.manifest import Entry
from marscore.manifest.places import Path
from marscore.manifest.urls import check_url_text
from marscore.resolve.model import Awaited, ListSource
from marscore.resolve.rewriting import Rewriting
from marscore.resolve.templates import Row, Template, compile_template, numeric_names
from marscore.url import parse_url
from marscore.values import Checksum, parse_checksum

if TYPE_CHECKING:
    from marscore.manifest import PublishedChecksum

_T = TypeVar("_T")
_DEFAULT: Path = ("defaults", "checksum")


class WrongListError(Exception):
    """What is said of a list is wrong: where it is written, and why; whether defaults that are right would have helped."""

    def __init__(self, where: Path, message: str, follows_defaults: bool = False) -> None:
        super().__init__(where, message, follows_defaults)
        self.where, self.message, self.follows_defaults = where, message, follows_defaults


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with names in it, and where it is written."""

    where: Path
    template: Template

    def read(self, row: Row, reader: Callable[[str], _T]) -> _T:
        try:
            return reader(self.template.fill(row))
        except ValueError as error:
            raise WrongListError(self.where, str(error)) from None


@dataclass(frozen=True, slots=True)
class _Form:
    """An Awaited before its names are filled in."""

    place: _Text
    mirrors: tuple[_Text, ...]
    checksums: tuple[_Text, ...]
    algorithm: str | None
    name: _Text | None

    def fill(self, row: Row, rewriting: Rewriting) -> Awaited:
        place = self.place.read(row, _check_place)
        mirrors = tuple(each.read(row, check_url_text) for each in self.mirrors)
        if mirrors and "://" not in place:
            raise WrongListError(self.place.where, "must be a URL where it has mirrors")
        checksums: tuple[Checksum, ...] = tuple(each.read(row, parse_checksum) for each in self.checksums)
        name = None if self.name is None else self.name.read(row, _not_empty)
        source = ListSource(place, mirrors, checksums)
        asked = rewriting.sources_of(source.urls)
        return Awaited(source if asked == source.urls else replace(source, asked=asked), self.algorithm, name)


class AwaitedMaker:
    """Makes what downloads await; equal lists are one object, since a hundred thousand downloads may name one."""

    def __init__(self, default: PublishedChecksum | None, rewriting: Rewriting) -> None:
        self._default = default
        self._rewriting = rewriting
        self._known: dict[object, tuple[Awaited, ...]] = {}
        #: The forms of the entry that was asked for last: its downloads come one after the other.
        self._last: tuple[Entry | None, tuple[_Form, ...]] = (None, ())

    def may_be_named(self, entry: Entry) -> bool:
        """Whether a list may name a checksum of this entry."""
        return self._default is not None if entry.checksum is None else bool(lists_in(entry))

    def urls_for(self, entry: Entry) -> Iterable[str]:
        """Where the lists of an entry's downloads are, with names that are still to be filled in."""
        named = [written.from_ for _, written in lists_in(entry)]
        for source in (*named, self._default and self._default.from_):
            if source:
                yield from (source.url, *(source.mirrors or ()))

    def of(self, where: Path, entry: Entry, url: str, row: Row = ()) -> tuple[Awaited, ...]:
        """What a download of an entry awaits. `row` holds its values of the names in `each`.

        Raises:
            WrongListError: no list is named, or something about one is wrong.
        """
        if self._last[0] is not entry:
            self._last = entry, tuple(self._forms(where, entry))
        made = tuple(form.fill((*row, url, None), self._rewriting) for form in self._last[1])
        return self._known.setdefault(made, made)

    def _forms(self, where: Path, entry: Entry) -> Iterable[_Form]:
        numeric = {} if entry.each is None else numeric_names(entry.each)
        numeric.setdefault("url", False)
        if entry.checksum is None:
            assert self._default is not None, "else nothing is awaited"
            yield self._form(_DEFAULT, self._default, numeric)
            return
        for at, written in lists_in(entry):
            yield self._form((*where, *at), written, numeric)

    def _form(self, where: Path, written: PublishedChecksum, numeric: dict[str, bool]) -> _Form:
        default = self._default
        source = written.from_ or (default.from_ if default else None)
        if source is None:
            raise WrongListError(where, "needs from, the URL or the path of a list", follows_defaults=True)
        at = (*(where if written.from_ else _DEFAULT), "from")
        name = written.name or (default.name if default else None)

        def text(place: Path, value: str) -> _Text:
            try:
                return _Text(place, compile_template(value, numeric))
            except ValueError as error:
                raise WrongListError(place, str(error)) from None

        return _Form(
            text((*at, "url"), source.url),
            tuple(text((*at, "mirrors", n), mirror) for n, mirror in enumerate(source.mirrors or ())),
            tuple(text((*at, "checksum", n), checksum) for n, checksum in enumerate(source.checksum or ())),
            written.algorithm or (default.algorithm if default else None),
            None if name is None else text((*where, "name"), name),
        )


def names_of(url: str, awaited: Awaited) -> tuple[str, ...]:
    """What a list may call the file of this URL, the best first: as the manifest says, else its path beside the list, else its own name."""
    if awaited.name is not None:
        return (awaited.name,)
    origin, path = _place_of(url)
    last = path.rpartition("/")[2]
    if awaited.source.urls:
        there, beside = _place_of(awaited.source.place)
        folder = beside[: beside.rfind("/") + 1]
        if there == origin and folder and path.startswith(folder) and path[len(folder) :] != last:
            return (path[len(folder) :], last)
    return (last,)


def _place_of(url: str) -> tuple[str, str]:
    """Origin and path of a URL; bytes that are no UTF-8 as lists have them."""
    parsed = parse_url(url)
    return parsed.origin, unquote(parsed.target.partition("?")[0], errors="surrogateescape")


def texts_of(entry: Entry) -> tuple[str, ...]:
    """The checksums that an entry gives itself."""
    return tuple(each for each in entry.checksum if isinstance(each, str)) if isinstance(entry.checksum, tuple) else ()


def lists_in(entry: Entry) -> list[tuple[Path, PublishedChecksum]]:
    """The lists that an entry names itself, and where in it they stand."""
    if isinstance(entry.checksum, tuple):
        return [(("checksum", number), each) for number, each in enumerate(entry.checksum) if not isinstance(each, str)]
    return [] if entry.checksum is None else [(("checksum",), entry.checksum)]


def _check_place(text: str) -> str:
    return check_url_text(text) if "://" in text else _not_empty(text)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text
