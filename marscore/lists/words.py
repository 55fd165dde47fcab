"""What lists have in common: lines, digests without a name, folders, and which URLs can be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from marscore.lists.model import Listing
from marscore.manifest.output import check_output
from marscore.resolve.checksum_lines import algorithm_by_length

_HEX = re.compile(r"[0-9A-Fa-f]+")
_HTTP = re.compile(r"(?i)https?://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def checksum_by_length(digest: str) -> str | None:
    """`algorithm:hex` of a digest without a name; None where its length is that of none."""
    algorithm = algorithm_by_length(digest) if _HEX.fullmatch(digest) else None
    return None if algorithm is None else f"{algorithm}:{digest.lower()}"


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text and their numbers, from 1; not those that only Unicode calls lines."""
    for number, line in enumerate(text.split("\n"), 1):
        yield number, line.removesuffix("\r")


def is_http(url: str) -> bool:
    """Whether a URL is one of http or https."""
    return _HTTP.match(url) is not None


def has_scheme(url: str) -> bool:
    """Whether a URL says what it is spoken to with."""
    return _SCHEME.match(url) is not None


def of_http(urls: Iterable[tuple[int, str]], listing: Listing) -> list[str]:
    """Those URLs that can be fetched, with a note for each other one."""
    found = []
    for line, url in urls:
        if is_http(url) or not has_scheme(url):
            found.append(url)
        else:
            listing.warn(line, f"only http and https are fetched: a source of {url.partition(':')[0].lower()[:32]} is not taken")
    return found


def folder_under_output(folder: str, line: int, listing: Listing) -> str | None:
    """A folder that a list names, if it is one under the output folder; else None, with a note."""
    plain = "/".join(part for part in folder.strip().split("/") if part not in ("", "."))
    try:
        if plain or folder.startswith("/"):
            check_output(folder if folder.startswith("/") else plain)
    except ValueError as error:
        listing.warn(line, f"the folder is not taken, since it {error}: the file goes to the output folder itself")
        return None
    return plain or None


def number(text: str) -> int | str:
    """A whole number, where a text is one; else the text, of which the manifest's reader says what is wrong."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text
