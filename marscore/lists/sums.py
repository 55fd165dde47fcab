"""Lists of checksums, read (`resolve.checksum_lines` has the grammar): they name files and no URLs, and Fedora's tell sizes in comments."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from marscore.lists.model import Item, Listing
from marscore.lists.words import numbered
from marscore.resolve.checksum_lines import of_128_digits, read_line, signed
from marscore.resolve.paths import relative

#: `# name: 123 bytes` in Fedora's CHECKSUM.
_SIZE = re.compile(r"#\s*(.+): (\d{1,18}) bytes")


def read(text: str, title: str) -> Listing:
    """Read one; `title` is the list's own name, which may say what its digests are, or whose (`file.iso.sha256`)."""
    listing = Listing()
    found: dict[str, tuple[int, list[str]]] = {}
    sizes: dict[str, int] = {}
    lines, begin = signed(numbered(text))
    if begin is not None:
        listing.warn(begin, "is signed, and nobody looked at the signature: gpg --verify does")
    for number, line in lines:
        if size := _SIZE.fullmatch(line):
            sizes[relative(size[1])] = int(size[2])
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        said = _read(line, title)
        if said is None:
            listing.leave_out(number, "is no line of a list of checksums: HEX  name, or SHA256 (name) = HEX")
        else:
            name, checksum = said
            if name != name.strip():
                listing.warn(number, "a blank at an end of the name is part of it, as sha256sum reads this line")
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
    """The name and the checksum in a line, None for one that is not known here; None where it is no such line, or names no file."""
    said = read_line(line)
    if said is None or (said.name is None and "." not in title):
        return None
    # A list of one file has that one's name, and a suffix.
    name = PurePosixPath(title).stem if said.name is None else said.name
    algorithm = said.algorithm(of_128_digits(title))
    return name, None if algorithm is None else f"{algorithm}:{said.hex}"
