"""What a manifest's author typed of its downloads, their URLs above all: `${NAME}` unexpanded, so that nothing of the environment shows.

    tree of the text, values of `each` --fill--> URL as typed --public_as_typed--> no literal userinfo, values of token-like names masked
    tree of the text                           --> the places of lists as typed, their names unfilled, fit to be shown likewise

A lock names both so, and is compared with the manifest so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from marscore.frozen import dataclass
from marscore.manifest import Parsed
from marscore.manifest.fields import read_algorithm
from marscore.public import REFERENCE, public_as_typed
from marscore.resolve.awaited import lists_in
from marscore.resolve.model import Download
from marscore.resolve.rows import pieces
from marscore.resolve.templates import Row, compile_template, numeric_names, rows

if TYPE_CHECKING:
    from marscore.manifest import PublishedChecksum

_ID = re.compile(r"downloads\[(\d+)\](?:\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed of one download, as it may be shown to anybody: its URL, and the lists that name its checksums, if any."""

    url: str
    checksum_from: str | None = None


def as_typed(parsed: Parsed, downloads: Iterable[Download]) -> Iterator[Typed]:
    """What was typed of each download, in their order."""
    written = _Written(parsed)
    for download in downloads:
        lists = written.lists_of(download) if download.awaited else []
        yield Typed(public_as_typed(written.url_of(download)), ", ".join(lists) or None)


class _Written:
    """Looks URLs up in the tree of the text. Where there is none, a program made the manifest, and nothing came from the environment."""

    def __init__(self, parsed: Parsed) -> None:
        self._manifest = parsed.manifest
        root = parsed.places.root if parsed.has_references else None
        self._entries: Any = root.get("downloads") if isinstance(root, Mapping) else None
        self._default: Any = (root.get("defaults") or {}).get("checksum") if isinstance(root, Mapping) else None
        #: The rows of the entry that was asked for last: its downloads come one after the other.
        self._last: tuple[int, list[Row]] = (-1, [])

    def url_of(self, download: Download) -> str:
        place = _ID.fullmatch(download.id)
        if self._entries is None or place is None:
            return download.url
        index, number = int(place[1]), place[2]
        entry = self._entries[index]
        text = str(entry if isinstance(entry, str) else entry["url"])
        written, each = self._manifest.downloads[index], self._manifest.downloads[index].each
        if written.from_ is not None:
            return download.url if download.bad is not None else _of_row(download.url, written.url, text)
        if number is None or each is None:
            return text
        if self._last[0] != index:
            # The names of variables stand for their values. So many of them there are, whatever they are.
            typed = {name: _typed(entry["each"][name]) if isinstance(spec, tuple) else spec for name, spec in each.items()}
            self._last = index, list(map(_filling, rows(typed)))
        # A reference is no name of `each`.
        template = compile_template(REFERENCE.sub(lambda found: found[0].replace("{", "{{").replace("}", "}}"), text), numeric_names(each))
        return template.fill(self._last[1][int(number)])

    def lists_of(self, download: Download) -> list[str]:
        """Where its lists are, names in these unfilled; what else is said of how they are read stands behind."""
        place = _ID.fullmatch(download.id)
        assert place is not None, "what awaits a list is a download of a manifest"
        index = int(place[1])
        if self._entries is None:
            entry, default = self._manifest.downloads[index], self._manifest.defaults.checksum
            own: list[PublishedChecksum | None] = [written for _, written in lists_in(entry)]
            return [_of_model(each, default) for each in (own if entry.checksum is not None else [None])]
        written = self._entries[index]
        found = written.get("checksum") if isinstance(written, Mapping) else None
        lists = found if isinstance(found, list) else [found or self._default]
        return [_of_text(each, self._default or {}) for each in lists if isinstance(each, Mapping)]


def _of_row(url: str, template: str, typed: str) -> str:
    """The URL of a row with what was typed around its cells in the place of what came of that.

    Cells are no values of the environment. What they are is read off the URL; where that cannot be, the template itself is shown.
    """
    if "${" not in typed or not ("{" in template or "}" in template):
        return url
    around, names = pieces(template)
    as_written, same = pieces(REFERENCE.sub(lambda found: found[0].replace("{", "{{").replace("}", "}}"), typed))
    cells = re.fullmatch("(.*?)".join(map(re.escape, around)), url, re.DOTALL) if names == same else None
    if cells is None:
        return typed
    return "".join([as_written[0], *(cell + behind for cell, behind in zip(cells.groups(), as_written[1:], strict=True))])


def _of_model(written: PublishedChecksum | None, default: PublishedChecksum | None) -> str:
    sides = [each for each in (written, default) if each is not None]
    source = next(each.from_ for each in sides if each.from_)
    algorithm, name = (next((found for each in sides if (found := getattr(each, key))), None) for key in ("algorithm", "name"))
    return _shown_list(source.url, algorithm, name)


def _of_text(written: Mapping[str, Any], default: Mapping[str, Any]) -> str:
    source, algorithm, name = (written.get(key) or default.get(key) for key in ("from", "algorithm", "name"))
    return _shown_list(str(source["url"] if isinstance(source, Mapping) else source), algorithm and read_algorithm(algorithm), name)


def _shown_list(place: str, algorithm: object, name: object) -> str:
    return public_as_typed(place) + "".join(f" ({key} {value})" for key, value in (("algorithm", algorithm), ("name", name)) if value)


def _typed(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _filling(row: Row) -> Row:
    """A row whose variables fill in as they were typed, in whatever format."""
    return tuple([_AsTyped(row[at - 1]) if value is None else value for at, value in enumerate(row)])


class _AsTyped(str):
    """Text that has no other format."""

    __slots__ = ()

    def __format__(self, _spec: str) -> str:
        return str(self)
