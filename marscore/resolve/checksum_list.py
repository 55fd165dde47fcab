r"""Publishers' lists of checksums, read: what SHA256SUMS, file.sha256 and their like say of which file.

    bytes --read_list--> ChecksumList --find(names, algorithm)--> Checksum | why not

| line | written by |
|---|---|
| `HEX  name`, `HEX *name` | sha256sum and its like; with `\` in front where the name is escaped |
| `SHA256 (name) = HEX` | sha256sum --tag, BSD's sha256; `SHA2-256(name)= HEX` is openssl's |
| `HEX`, `HEX  -`, `sha256:HEX` | a list of one file that it does not name |
| `# ...`, `; ...` | a comment |

In a clearsigned list (RFC 4880 section 7) what is signed counts; whether the signature holds is not looked at. Other lines say nothing: a
digest that was cut, or an HTML page, names no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from marscore.frozen import dataclass
from marscore.values import DIGEST_BYTES, Checksum

#: Of several digests of one file the first of these counts: sha256 is computed anyhow.
_PREFERRED = ("sha256", "sha512", "sha384", "blake2b", "sha1", "md5")
#: What is said by the length alone, in digits.
_BY_LENGTH = {2 * DIGEST_BYTES[name]: name for name in ("md5", "sha1", "sha256", "sha384", "sha512")}
#: What lists call algorithms, without hyphens and in lower case.
_WORDS = {"sha2256": "sha256", "sha2384": "sha384", "sha2512": "sha512", "blake2b512": "blake2b", **{name: name for name in DIGEST_BYTES}}
_MOST = 8192
_GNU = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?: \*|[ \t]+)(.+)")
_BSD = re.compile(r"(\\?)([A-Za-z0-9-]{3,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_BARE = re.compile(r"(?:([A-Za-z0-9-]{3,12}):)?([0-9A-Fa-f]{32,128})(?:[ \t]+\*?(.+))?")
_NO_NAMES = frozenset({"-", "stdin"})
_ESCAPED = re.compile(r"\\([\\nr])")
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_BLAKE2 = re.compile(r"(?i)b2sums?\b|.*(?:\.b2|blake2b?)(?:sums?)?(?:\.txt)?$")
_PAGE = re.compile(rb"(?i)\s*<(?:!doctype|html|\?xml)")


class Entry(NamedTuple):
    """A digest of the list, lowercase hex, and the line that it stands in, from 1."""

    line: int
    algorithm: str
    hex: str
    #: Whether the list says the algorithm, or only the digest's length does.
    is_said: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a list says nothing of a file, to be read behind the list's name."""

    message: str


Found: TypeAlias = Checksum | Missing


@dataclass(frozen=True, slots=True)
class ChecksumList:
    """What a list says: by the names in it, by the last parts of those, and of a file that it does not name."""

    named: dict[str, list[Entry]]
    by_last: dict[str, list[str]]
    nameless: list[Entry]

    def find(self, names: Sequence[str], algorithm: str | None) -> Found:
        """The checksum of the file that has the first of these names that the list knows: whole, or else the end of one alone."""
        where: Found | list[Entry] = self._entries(names)
        if isinstance(where, Missing | Checksum):
            return where
        fitting = [each for entry in where if (each := _as(entry, algorithm))]
        if not fitting:
            return Missing(f"has no {algorithm} of {names[0]}")
        chosen = min((each.algorithm for each in fitting), key=_PREFERRED.index)
        first, *others = [each for each in fitting if each.algorithm == chosen]
        other = next((each for each in others if each.hex != first.hex), None)
        if other is not None:
            return Missing(f"has two different {chosen} digests of {names[0]}, in lines {first.line} and {other.line}")
        return Checksum(chosen, first.hex)

    def _entries(self, names: Sequence[str]) -> list[Entry] | Missing:
        for name in names:
            if entries := self.named.get(_plain(name)):
                return entries
        for name in map(_plain, names):
            whole = [known for known in self.by_last.get(_last(name), ()) if known.endswith(f"/{name}")]
            if len(whole) == 1:
                return self.named[whole[0]]
            if whole:
                places = " and ".join(f"{known} (line {self.named[known][0].line})" for known in whole[:2])
                return Missing(f"names {name} in several folders, such as {places}: `name` can say which")
        if self.nameless and not self.named:
            return self.nameless
        if len(self.named) == 1:
            return Missing(f"does not name {names[0]}, but only {next(iter(self.named))}: `name` can say that it is the same")
        return Missing(f"does not name {names[0]}")


def read_list(data: bytes, title: str) -> ChecksumList | Missing:
    """Read a list; `title` is its own name, which may say what its digests are (B2SUMS)."""
    by_length = {**_BY_LENGTH, 128: "blake2b"} if _BLAKE2.match(title) else _BY_LENGTH
    named: dict[str, list[Entry]] = {}
    by_last: dict[str, list[str]] = {}
    nameless: list[Entry] = []
    for number, line in _signed(enumerate(_decoded(data).split("\n"), 1)):
        name, entry = _read(number, line, by_length)
        if entry is None:
            continue
        if name is None:
            nameless.append(entry)
            continue
        if (known := named.get(name)) is None:
            known = named[name] = []
            by_last.setdefault(_last(name), []).append(name)
        known.append(entry)
    if not named and not nameless:
        return Missing("is an HTML page, and no list of checksums" if _PAGE.match(data) else "holds no checksum")
    return ChecksumList(named, by_last, nameless)


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        # As PowerShell writes.
        return data.decode("utf-16", errors="replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")


def _signed(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines, without their ends; of a clearsigned text those that are signed, without the dashes that escape others."""
    state = "plain"
    before: list[tuple[int, str]] = []
    for number, raw in lines:
        line = raw.rstrip("\r \t")
        if line == "-----BEGIN PGP SIGNED MESSAGE-----":
            # What stands before it is not signed.
            before, state = [], "armor"
        elif state == "armor":
            state = "armor" if line else "signed"
        elif state == "signed" and line == "-----BEGIN PGP SIGNATURE-----":
            state = "signature"
        elif state == "signed":
            before.append((number, line.removeprefix("- ")))
        elif state == "plain":
            before.append((number, line))
    return iter(before)


def _read(number: int, line: str, by_length: dict[int, str]) -> tuple[str | None, Entry | None]:
    """The name and the digest in a line; no entry where it has none that is known here."""
    if not line or line[0] in "#;" or len(line) > _MOST:
        return None, None
    name: str | None
    if found := _GNU.fullmatch(line):
        escaped, word, digest, name = found[1], None, found[2], found[3]
    elif found := _BSD.fullmatch(line):
        escaped, word, name, digest = found[1], found[2], found[3], found[4]
    elif found := _BARE.fullmatch(line):
        escaped, word, digest, name = "", found[1], found[2], found[3]
    else:
        return None, None
    algorithm = by_length.get(len(digest)) if word is None else _WORDS.get(word.lower().replace("-", ""))
    if algorithm is None or len(digest) != 2 * DIGEST_BYTES[algorithm]:
        return None, None
    entry = Entry(number, algorithm, digest.lower(), word is not None)
    if name is None or name in _NO_NAMES:
        return None, entry
    return _plain(_ESCAPED.sub(lambda mark: _UNESCAPED[mark[1]], name) if escaped else name), entry


def _as(entry: Entry, algorithm: str | None) -> Entry | None:
    """The entry, if it is one of this algorithm. Where only its length speaks, another one of that length may be meant."""
    if algorithm is None or entry.algorithm == algorithm:
        return entry
    may_be = not entry.is_said and len(entry.hex) == 2 * DIGEST_BYTES[algorithm]
    return entry._replace(algorithm=algorithm) if may_be else None


def _plain(name: str) -> str:
    while name.startswith("./"):
        name = name[2:]
    return name


def _last(name: str) -> str:
    return name.rpartition("/")[2]
