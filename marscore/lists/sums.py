r"""Lists of checksums, read: SHA256SUMS and its kin. They name files and no URLs.

| line | written by |
|---|---|
| `HEX  name`, `HEX *name` | sha256sum and its like; with `\` in front where the name is escaped |
| `SHA256 (name) = HEX` | sha256sum --tag, BSD's sha256, Fedora's CHECKSUM |
| `# name: 123 bytes` | Fedora's CHECKSUM: the size |
| `HEX` | a file.iso.sha256, which is named after its file |

Of a clearsigned list (RFC 4880 section 7) what is signed counts; nobody looks whether the signature holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from marscore.lists.model import Item, Listing
from marscore.lists.words import algorithm_of, checksum_by_length, numbered, relative

_GNU = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?: \*|[ \t]+)(.+)")
_BSD = re.compile(r"(\\?)([A-Za-z0-9/-]{3,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_BARE = re.compile(r"[0-9A-Fa-f]{32,128}")
_SIZE = re.compile(r"#\s*(.+): (\d{1,18}) bytes")
_ESCAPED = re.compile(r"\\([\\nr])")
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_BLAKE2 = re.compile(r"(?i)b2|blake2")
#: What stands between two dashes of armor (RFC 4880 section 6.2).
_SIGNED, _SIGNATURE = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"


def read(text: str, title: str) -> Listing:
    """Read one; `title` is the list's own name, which may say what its digests are, or whose (`file.iso.sha256`)."""
    listing = Listing()
    found: dict[str, tuple[int, list[str]]] = {}
    sizes: dict[str, int] = {}
    for number, line in _signed(text, listing):
        if size := _SIZE.fullmatch(line):
            sizes[_plain(size[1])] = int(size[2])
        if not line or line[0] in "#;":
            continue
        read_line = _read(line, title)
        if read_line is None:
            listing.leave_out(number, "is no line of a list of checksums: HEX  name, or SHA256 (name) = HEX")
        else:
            name, checksum = read_line
            _take(found.setdefault(name, (number, []))[1], checksum, number, listing)
    listing.items += [
        Item(number, None, name, checksums=tuple(checksums), size=sizes.get(name)) for name, (number, checksums) in found.items()
    ]
    return listing


def _take(checksums: list[str], checksum: str | None, number: int, listing: Listing) -> None:
    if checksum is None:
        listing.warn(number, "the checksum is not taken: its algorithm is not known here")
    elif checksum not in checksums:
        if any(known.partition(":")[0] == checksum.partition(":")[0] for known in checksums):
            listing.warn(number, "is another digest of a file that has one already: both have to hold")
        checksums.append(checksum)


def _read(line: str, title: str) -> tuple[str, str | None] | None:
    """The name and the checksum in a line, None for one that is not known here; None where it is no such line."""
    if found := _GNU.fullmatch(line):
        escaped, name = found[1], found[3]
        checksum = checksum_by_length(found[2], "blake2b" if _BLAKE2.search(title) else "sha512")
    elif found := _BSD.fullmatch(line):
        escaped, name, algorithm = found[1], found[3], algorithm_of(found[2])
        checksum = None if algorithm is None else f"{algorithm}:{found[4].lower()}"
    elif _BARE.fullmatch(line) and "." in title:
        escaped, name, checksum = "", PurePosixPath(title).stem, checksum_by_length(line)
    else:
        return None
    return _plain(_ESCAPED.sub(lambda mark: _UNESCAPED[mark[1]], name) if escaped else name), checksum


def _plain(name: str) -> str:
    return relative(name)


def _signed(text: str, listing: Listing) -> Iterator[tuple[int, str]]:
    """The lines; of a clearsigned text those that are signed, without the dashes that escape others."""
    lines = [(number, line.rstrip()) for number, line in numbered(text)]
    begin = next((at for at, (_, line) in enumerate(lines) if line == _SIGNED), None)
    if begin is None:
        yield from lines
        return
    listing.warn(lines[begin][0], "is signed, and nobody looked at the signature: gpg --verify does")
    # What stands before is not signed, and up to the first empty line there are headers of the armor.
    is_head = True
    for number, line in lines[begin + 1 :]:
        if line == _SIGNATURE:
            return
        if not is_head:
            yield number, line.removeprefix("- ")
        is_head = is_head and bool(line)
