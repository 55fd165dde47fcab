"""Metalink, read: version 4 (RFC 5854) and 3.

It is a stranger's XML: expat alone reads it, a document type is refused where it begins (so there are no entities, within or without), and
nesting is bounded. expat is used as it is, since no reader above it tells the line of an element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from xml.parsers import expat

from marscore.frozen import dataclass
from marscore.lists.model import Item, ListError, Listing
from marscore.lists.words import of_http
from marscore.resolve.checksum_lines import algorithm_of
from marscore.resolve.paths import relative

_V4, _V3 = "urn:ietf:params:xml:ns:metalink", "http://www.metalinker.org/"
_MAX_DEPTH = 32
#: What version 3 puts around what version 4 has without.
_AROUND = frozenset({"files", "verification", "resources"})
#: Where a URL without a priority stands (RFC 5854 section 4.2.16.1.1), and the best preference of version 3.
_LAST, _BEST = 999_999, 100
_SILENT = frozenset(
    {"copyright", "description", "identity", "language", "logo", "os", "publisher", "version", "license", "tags", "changelog"}
)


@dataclass(slots=True)
class _File:
    """A file while its elements are read; `urls` are (rank, line, URL)."""

    line: int
    name: str | None
    size: str | None = None
    hashes: list[str] = field(default_factory=list)
    urls: list[tuple[int, int, str]] = field(default_factory=list)


def read(text: str) -> Listing:
    """Read one.

    Raises:
        ListError: it is no Metalink, is not well-formed, or has a document type.
    """
    return _Reader().read(text)


class _Reader:
    def __init__(self) -> None:
        self._listing = Listing()
        self._parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        #: The elements that are open, and those of them that say where something stands.
        self._open: list[tuple[str, Mapping[str, str], int]] = []
        self._text: list[str] = []
        self._file: _File | None = None

    def read(self, text: str) -> Listing:
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as error:
            raise ListError(f"is not well-formed XML: {expat.errors.messages.get(error.code, 'unknown')}", error.lineno) from None
        return self._listing

    def _doctype(self, *_: object) -> None:
        raise ListError("has a document type, which no Metalink needs and nobody should read", self._parser.CurrentLineNumber)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        line = self._parser.CurrentLineNumber
        # What belongs to another namespace is an extension, with all that is in it.
        ours = namespace in (_V4, _V3, "")
        if not self._open and not (ours and local == "metalink"):
            raise ListError("is XML, and no Metalink", line)
        if len(self._open) >= _MAX_DEPTH:
            raise ListError(f"nests deeper than {_MAX_DEPTH} levels", line)
        self._open.append((local if ours else "?", attributes, line))
        self._text.clear()
        if local == "file" and self._place() == "metalink/file":
            self._file = _File(line, attributes.get("name"))

    def _characters(self, text: str) -> None:
        self._text.append(text)

    def _end(self, _: str) -> None:
        place, text = self._place(), "".join(self._text).strip()
        local, attributes, line = self._open.pop()
        self._text.clear()
        if self._file is None or local in _AROUND:
            return
        if place == "metalink/file":
            self._close(self._file)
            self._file = None
        elif act := _ACTS.get(place.removeprefix("metalink/file/")):
            act(self._file, text, attributes, (line, self._listing))
        elif place.count("/") == 2 and place.rpartition("/")[2] not in _SILENT | {"?"}:
            self._listing.warn(line, f"the element {place.rpartition('/')[2][:64]} is not taken")

    def _place(self) -> str:
        return "/".join(local for local, _, _ in self._open if local not in _AROUND)

    def _close(self, file: _File) -> None:
        ranked = sorted(file.urls, key=lambda url: url[0])
        urls = of_http(((line, url) for _, line, url in ranked), self._listing)
        if not urls:
            self._listing.leave_out(file.line, "names no URL of http or https")
            return
        first, *mirrors = dict.fromkeys(urls)
        name = None if file.name is None else relative(file.name)
        self._listing.items.append(Item(file.line, first, name, tuple(mirrors), tuple(dict.fromkeys(file.hashes)), file.size))


_At = tuple[int, Listing]


def _size(file: _File, text: str, _attributes: Mapping[str, str], _at: _At) -> None:
    file.size = text


def _hash(file: _File, text: str, attributes: Mapping[str, str], at: _At) -> None:
    line, listing = at
    word = attributes.get("type", "")
    algorithm = algorithm_of(word)
    if algorithm is None:
        listing.warn(line, f"a checksum is not taken: {word[:32] or 'its type'} is not known here")
    else:
        file.hashes.append(f"{algorithm}:{text.lower()}")


def _url(file: _File, text: str, attributes: Mapping[str, str], at: _At) -> None:
    line, listing = at
    if attributes.get("type", "").lower() == "bittorrent":
        listing.warn(line, "torrents are not fetched: a source is not taken")
        return
    if "location" in attributes:
        listing.warn(line, "where a mirror is (location) is not taken: mirrors are asked in the order of their priority")
    file.urls.append((_rank(attributes), line, text))


def _rank(attributes: Mapping[str, str]) -> int:
    """Smaller is asked first: as `priority` has it, and `preference` of version 3 the other way round."""
    for name, first in (("priority", None), ("preference", _BEST)):
        written = attributes.get(name, "")
        if written.isascii() and written.isdigit() and len(written) <= 6:
            return int(written) if first is None else first - int(written)
    return _LAST


def _metaurl(_file: _File, _text: str, attributes: Mapping[str, str], at: _At) -> None:
    kind = attributes.get("mediatype", "")
    at[1].warn(at[0], "torrents are not fetched: a metaurl is not taken" if kind == "torrent" else "a metaurl is not taken")


def _pieces(_file: _File, _text: str, _attributes: Mapping[str, str], at: _At) -> None:
    at[1].warn(at[0], "checksums of pieces are not taken: the whole file's is what is checked")


def _signature(_file: _File, _text: str, _attributes: Mapping[str, str], at: _At) -> None:
    at[1].warn(at[0], "a signature is not taken, and nobody looked at it")


_ACTS: Mapping[str, Callable[[_File, str, Mapping[str, str], _At], None]] = {
    "size": _size,
    "hash": _hash,
    "url": _url,
    "metaurl": _metaurl,
    "pieces": _pieces,
    "signature": _signature,
}
