"""The URLs of a manifest's downloads as its author typed them: `${NAME}` unexpanded, so that nothing of the environment shows.

    tree of the text, values of `each` --fill--> URL as typed --public_as_typed--> no literal userinfo, values of token-like names masked

A lock names the downloads' URLs so, and is compared with the manifest so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marscore.manifest import Parsed
from marscore.policy.redact import REFERENCE, public_as_typed
from marscore.resolve.model import Download
from marscore.resolve.templates import Row, compile_template, numeric_names, rows

_ID = re.compile(r"downloads\[(\d+)\](?:\[(\d+)\])?")


def typed_urls(parsed: Parsed, downloads: Iterable[Download]) -> Iterator[str]:
    """The URL of each download, in their order, as it may be shown to anybody."""
    written = _Written(parsed)
    for download in downloads:
        yield public_as_typed(written.url_of(download))


class _Written:
    """Looks URLs up in the tree of the text. Where there is none, a program made the manifest, and nothing came from the environment."""

    def __init__(self, parsed: Parsed) -> None:
        self._manifest = parsed.manifest
        root = parsed.places.root if parsed.has_references else None
        self._entries: Any = root.get("downloads") if isinstance(root, Mapping) else None
        #: The rows of the entry that was asked for last: its downloads come one after the other.
        self._last: tuple[int, list[Row]] = (-1, [])

    def url_of(self, download: Download) -> str:
        place = _ID.fullmatch(download.id)
        if self._entries is None or place is None:
            return download.url
        index, number = int(place[1]), place[2]
        entry = self._entries[index]
        text = str(entry if isinstance(entry, str) else entry["url"])
        each = self._manifest.downloads[index].each
        if number is None or each is None:
            return text
        if self._last[0] != index:
            # The names of variables stand for their values. So many of them there are, whatever they are.
            typed = {name: _typed(entry["each"][name]) if isinstance(spec, tuple) else spec for name, spec in each.items()}
            self._last = index, list(map(_filling, rows(typed)))
        # A reference is no name of `each`.
        template = compile_template(REFERENCE.sub(lambda found: found[0].replace("{", "{{").replace("}", "}}"), text), numeric_names(each))
        return template.fill(self._last[1][int(number)])


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
