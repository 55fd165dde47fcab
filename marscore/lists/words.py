"""What lists have in common: names of hash algorithms, lines, folders, and which URLs can be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from marscore.lists.model import Listing
from marscore.manifest.output import check_output
from marscore.values import DIGEST_BYTES

#: Other names of the algorithms that a manifest knows, without hyphens and in lower case.
_NAMES: Mapping[str, str] = {
    **{name: name for name in DIGEST_BYTES},
    "sha": "sha1",
    "sha2256": "sha256",
    "sha2384": "sha384",
    "sha2512": "sha512",
    "blake2b512": "blake2b",
    "b2": "blake2b",
}
#: What a digest's length says of its algorithm.
_BY_LENGTH: Mapping[int, str] = {2 * DIGEST_BYTES[name]: name for name in ("md5", "sha1", "sha256", "sha384", "sha512")}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_HTTP = re.compile(r"(?i)https?://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def algorithm_of(word: str) -> str | None:
    """The algorithm that a list calls so (`SHA-256`, `sha256sum`), as a manifest calls it; None for one that it does not know."""
    plain = re.sub(r"[-_/ ]", "", word.lower())
    return _NAMES.get(plain) or _NAMES.get(plain.removesuffix("sum"))


def checksum_by_length(digest: str, of_128: str = "sha512") -> str | None:
    """`algorithm:hex` of a digest without a name; None where its length is that of none. `of_128` is what 128 digits are."""
    if not _HEX.fullmatch(digest):
        return None
    algorithm = of_128 if len(digest) == 128 else _BY_LENGTH.get(len(digest))
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


def relative(path: str) -> str:
    """A path without `./` in front of it."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


def number(text: str) -> int | str:
    """A whole number, where a text is one; else the text, of which the manifest's reader says what is wrong."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text
