"""Lists in JSON, read: objects with `url`, in a list or wherever they stand; names with URLs (`{"a.bin": "https://..."}`); JSON Lines.

A key is known by any of its usual names, the first of a row before the others:

    url           url uri href link download_url browser_download_url; the further URLs of a list are mirrors
    path          path filename file_name file output out dest destination target name
    checksum      sha256 and its like, or checksum hash digest integrity: `alg:hex`, SRI, hex, {algorithm, value}, {sha256: hex}, or a list
    size          size bytes length content_length filesize file_size, if it is exact
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from marscore.lists.json_text import Node, located
from marscore.lists.model import Item, Listing
from marscore.lists.words import checksum_by_length, has_scheme, is_http, numbered
from marscore.resolve.checksum_lines import algorithm_of
from marscore.resolve.paths import relative

_URLS = ("url", "uri", "href", "link", "download_url", "browser_download_url", "urls")
_MIRRORS = ("mirrors", "mirror")
_PATHS = ("path", "filename", "file_name", "file", "output", "out", "dest", "destination", "target", "name")
_CHECKSUMS = ("checksum", "checksums", "hash", "hashes", "digest", "digests", "integrity")
_SIZES = ("size", "bytes", "length", "content_length", "filesize", "file_size")
_SRI = re.compile(r"sha(?:256|384|512)-[A-Za-z0-9+/_-]+={0,2}")


def read(text: str) -> Listing:
    """Read JSON.

    Raises:
        ListError: it is none.
    """
    listing = Listing()
    _walk(located(text), None, listing)
    return listing


def read_lines(text: str) -> Listing:
    """Read JSON Lines: a value in each line that is not blank.

    Raises:
        ListError: a line is no JSON.
    """
    listing = Listing()
    for number, line in numbered(text):
        if line.strip():
            _walk(located(line, number), None, listing)
    return listing


def _walk(node: Node, key: str | None, listing: Listing) -> None:
    """Find what is a download; `key` is what the node stands under."""
    match node.value:
        case str(text):
            _text(text, node.line, key, listing)
        case list(inner):
            for each in inner:
                _walk(each, None, listing)
        case dict(fields) if any(name in fields for name in _URLS):
            _download(node, key, listing)
        case dict(fields):
            for name, each in fields.items():
                _walk(each, name, listing)


def _text(text: str, line: int, key: str | None, listing: Listing) -> None:
    if is_http(text):
        listing.items.append(Item(line, text, _file_name(key)))
    elif "://" in text and has_scheme(text) and " " not in text:
        listing.leave_out(line, "only http and https are fetched")


def _file_name(key: str | None) -> str | None:
    """A key that names a file, as it does in `{"model.bin": "https://..."}`; others are labels."""
    return key if key is not None and "." in key.strip(".") else None


def _download(node: Node, key: str | None, listing: Listing) -> None:
    fields: dict[str, Node] = node.value
    sources = [url for name in (*_URLS, *_MIRRORS) if name in fields for url in _texts(fields[name])]
    wanted = [url for url in sources if is_http(url) or not has_scheme(url)]
    if not wanted:
        listing.leave_out(node.line, "names no URL of http or https")
        return
    if len(wanted) < len(sources):
        listing.warn(node.line, "only http and https are fetched: other sources are not taken")
    known = {*_URLS, *_MIRRORS, *_PATHS, *_SIZES, "headers", "tags"}
    others = [name for name in fields if name not in known and not _is_checksum(name)]
    for name in others:
        listing.warn(fields[name].line, f"the key {name[:64]} is not taken")
    first, *mirrors = dict.fromkeys(wanted)
    path = _path(fields, first, listing) or _file_name(key)
    checksums = tuple(dict.fromkeys(_all_checksums(fields, listing)))
    listing.items.append(Item(node.line, first, path, tuple(mirrors), checksums, _size(fields, listing), _options(fields, listing)))


def _texts(node: Node) -> list[str]:
    if isinstance(node.value, list):
        return [inner.value for inner in node.value if isinstance(inner.value, str)]
    return [node.value] if isinstance(node.value, str) else []


def _path(fields: dict[str, Node], url: str, listing: Listing) -> str | None:
    name = next((name for name in _PATHS if name in fields and isinstance(fields[name].value, str)), None)
    if name is None:
        return None
    path: str = fields[name].value
    if name == "name" and "." not in path and "." in url.partition("?")[0].rpartition("/")[2]:
        listing.warn(fields[name].line, "the key name is taken for a label, and the file is called as its URL says")
        return None
    return relative(path)


def _size(fields: dict[str, Node], listing: Listing) -> int | None:
    node = next((fields[name] for name in _SIZES if name in fields), None)
    if node is None or node.value is None:
        return None
    if type(node.value) is int:
        return int(node.value)
    if isinstance(node.value, str) and re.fullmatch("[0-9]{1,18}", node.value):
        return int(node.value)
    listing.warn(node.line, "the size is not taken: only a whole number of bytes is exact")
    return None


def _options(fields: dict[str, Node], listing: Listing) -> dict[str, Any]:
    options: dict[str, Any] = {}
    headers = fields.get("headers")
    if headers is not None and isinstance(headers.value, dict):
        options["headers"] = {name: node.value for name, node in headers.value.items() if isinstance(node.value, str)}
    elif headers is not None:
        listing.warn(headers.line, "the headers are not taken: they must be an object")
    if "tags" in fields and (tags := _texts(fields["tags"])):
        options["tags"] = tags
    return options


def _is_checksum(name: str) -> bool:
    return name.lower() in _CHECKSUMS or algorithm_of(name) is not None


def _all_checksums(fields: dict[str, Node], listing: Listing) -> Iterator[str]:
    for name, node in fields.items():
        if _is_checksum(name):
            yield from _checksums(algorithm_of(name), node, listing)


def _checksums(algorithm: str | None, node: Node, listing: Listing) -> Iterator[str]:
    """The checksums that a value says; `algorithm` is what its key says, if it does."""
    match node.value:
        case None:
            return
        case list(inner):
            for each in inner:
                yield from _checksums(algorithm, each, listing)
        case dict(fields):
            yield from _of_object(fields, node, listing)
        case str(text):
            found = [_checksum(word, algorithm) for word in text.split()]
            yield from (each for each in found if each is not None)
            if None in found:
                listing.warn(node.line, "a checksum is not taken: its algorithm is not known here")
        case _:
            listing.warn(node.line, "a checksum is not taken: it is no text")


def _of_object(fields: dict[str, Node], node: Node, listing: Listing) -> Iterator[str]:
    named = next((fields[name] for name in ("algorithm", "type", "alg") if name in fields), None)
    value = next((fields[name] for name in ("value", "hex", "digest", "hash") if name in fields), None)
    if named is not None and value is not None and isinstance(named.value, str):
        algorithm = algorithm_of(named.value)
        if algorithm is None:
            listing.warn(node.line, f"a checksum is not taken: {named.value[:32]} is not known here")
        else:
            yield from _checksums(algorithm, value, listing)
        return
    for name, inner in fields.items():
        if (algorithm := algorithm_of(name)) is not None:
            yield from _checksums(algorithm, inner, listing)
        else:
            listing.warn(inner.line, f"a checksum is not taken: {name[:32]} is not known here")


def _checksum(text: str, algorithm: str | None) -> str | None:
    if _SRI.fullmatch(text):
        return text
    word, colon, digest = text.partition(":")
    if colon:
        said = algorithm_of(word)
        return None if said is None else f"{said}:{digest.lower()}"
    return checksum_by_length(text) if algorithm is None else f"{algorithm}:{text.lower()}"
