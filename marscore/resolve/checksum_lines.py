r"""The lines of lists of checksums: SHA256SUMS, file.sha256 and their like.

    lines --signed--> those that count --read_line--> Line: which file, which digest

| line | written by |
|---|---|
| `HEX  name`, `HEX *name` | sha256sum and its like; with `\` in front where the name is escaped |
| `SHA256 (name) = HEX` | sha256sum --tag, BSD's sha256, Fedora's CHECKSUM; `SHA2-256(name)= HEX` is openssl's |
| `HEX`, `HEX  -`, `sha256:HEX`, `sha256:HEX  name` | a list of one file, which it may not name |
| `# ...`, `; ...` | a comment |

All that stands behind the two characters after the digest is the name, blanks at its ends included, as GNU coreutils have it; but where
the second is none of theirs, blanks only line the names up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from marscore.resolve.paths import relative
from marscore.values import DIGEST_BYTES

#: What lists call the algorithms that a manifest knows, without hyphens and in lower case.
_NAMES: Mapping[str, str] = {
    **{name: name for name in DIGEST_BYTES},
    "sha": "sha1",
    "sha2256": "sha256",
    "sha2384": "sha384",
    "sha2512": "sha512",
    "blake2b512": "blake2b",
    "b2": "blake2b",
}
#: What a digest's length in digits says of its algorithm.
_BY_LENGTH: Mapping[int, str] = {2 * DIGEST_BYTES[name]: name for name in ("md5", "sha1", "sha256", "sha384", "sha512")}
#: The longest line that is looked at: no file has such a name.
_MOST = 8192
_GNU = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?:[ \t][ *]|[ \t]+)(.+)")
_BSD = re.compile(r"(\\?)([A-Za-z0-9/-]{3,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_BARE = re.compile(r"(?:([A-Za-z0-9-]{3,12}):)?([0-9A-Fa-f]{32,128})(?:[ \t]+\*?(.+))?")
_NO_NAMES = frozenset({"-", "stdin"})
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_BLAKE2 = re.compile(r"(?i)b2sums?\b|.*(?:\.b2|blake2b?)(?:sums?)?(?:\.txt)?$")
#: What stands between two dashes of armor (RFC 4880 section 6.2).
_SIGNED, _SIGNATURE = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"


class Line(NamedTuple):
    """What a line says: the file's name, None where it names none; what it calls the algorithm, None where it does not; lowercase hex."""

    name: str | None
    word: str | None
    hex: str

    def algorithm(self, of_128: str = "sha512") -> str | None:
        """The algorithm as a manifest calls it, by its name or else by the digest's length, of which `of_128` is what 128 digits are.

        None: a manifest does not know it.
        """
        return algorithm_by_length(self.hex, of_128) if self.word is None else algorithm_of(self.word)


def read_line(line: str) -> Line | None:
    """What a line without its end says; None where it is a comment or no line of such a list."""
    line = line.lstrip(" \t")
    if not line or line[0] in "#;" or len(line) > _MOST:
        return None
    name: str | None
    if (found := _GNU.fullmatch(line)) and found[3].strip(" \t"):
        escaped, word, digest, name = found[1], None, found[2], found[3]
    elif found := _BSD.fullmatch(line):
        escaped, word, name, digest = found[1], found[2], found[3], found[4]
    elif found := _BARE.fullmatch(line.rstrip(" \t")):
        escaped, word, digest, name = "", found[1], found[2], found[3]
    else:
        return None
    if name in _NO_NAMES:
        name = None
    if name is not None and escaped:
        if not all(mark in _UNESCAPED for mark in _ESCAPED.findall(name)):
            # Nobody writes that, and what it would mean nobody says.
            return None
        name = _ESCAPED.sub(lambda mark: _UNESCAPED[mark[1]], name)
    return Line(None if name is None else relative(name), word, digest.lower())


def signed(lines: Iterable[tuple[int, str]]) -> tuple[list[tuple[int, str]], int | None]:
    """The numbered lines that count, without their ends, and the number of the line in which a signed text begins.

    Of a clearsigned list (RFC 4880 section 7) those count that are signed, without the dashes that escape some; whether the signature
    holds is not looked at. None: nothing is signed, and all count.
    """
    kept: list[tuple[int, str]] = []
    begin, state = None, "plain"
    for number, raw in lines:
        # Blanks at the end are no part of what is signed (RFC 4880 section 7.1); in a plain list, they are of the name.
        line = raw.rstrip("\r \t")
        if line == _SIGNED:
            if begin is None:
                # What stands before it is not signed.
                begin, kept = number, []
            state = "armor"
        elif state == "armor":
            state = "armor" if line else "signed"
        elif state == "signed" and line == _SIGNATURE:
            state = "signature"
        elif state == "signed":
            kept.append((number, line.removeprefix("- ")))
        elif state == "plain":
            kept.append((number, raw.removesuffix("\r")))
    return kept, begin


def of_128_digits(title: str) -> str:
    """The algorithm of a digest of 128 digits in a list of this name: `B2SUMS` is one of BLAKE2b."""
    return "blake2b" if _BLAKE2.match(title) else "sha512"


def algorithm_of(word: str) -> str | None:
    """The algorithm that a list calls so (`SHA-256`, `sha256sum`), as a manifest calls it; None for one that it does not know."""
    plain = re.sub(r"[-_/ ]", "", word.lower())
    return _NAMES.get(plain) or _NAMES.get(plain.removesuffix("sum"))


def algorithm_by_length(digest: str, of_128: str = "sha512") -> str | None:
    """The algorithm of a digest in hex that comes without a name; None where its length is that of none."""
    return of_128 if len(digest) == 128 else _BY_LENGTH.get(len(digest))
