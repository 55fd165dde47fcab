"""Publishers' lists of checksums, read: what SHA256SUMS, file.sha256 and their like say of which file.

    bytes --read_list--> ChecksumList --find(names, algorithm)--> Checksum | why not

Of a line that `resolve.checksum_lines` does not know nothing is taken: a digest that was cut, or an HTML page, names no file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from marscore.frozen import dataclass
from marscore.resolve.checksum_lines import of_128_digits, read_line, signed
from marscore.resolve.paths import relative
from marscore.values import DIGEST_BYTES, Checksum

#: Of several digests of one file the first of these counts: sha256 is computed anyhow.
_PREFERRED = ("sha256", "sha512", "sha384", "blake2b", "sha1", "md5")
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
            if entries := self.named.get(relative(name)):
                return entries
        for name in map(relative, names):
            # A name that begins or ends with a blank is seldom meant: of a list that was typed, it may be this file.
            whole = [known for known in self.by_last.get(_last(name), ()) if f"/{known.strip()}".endswith(f"/{name}")]
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
    if _PAGE.match(data):
        # Whatever digest stands somewhere in it.
        return Missing("is an HTML page, and no list of checksums")
    of_128 = of_128_digits(title)
    named: dict[str, list[Entry]] = {}
    by_last: dict[str, list[str]] = {}
    nameless: list[Entry] = []
    for number, line in signed(enumerate(_decoded(data).split("\n"), 1))[0]:
        name, entry = _read(number, line, of_128)
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
        return Missing("holds no checksum")
    return ChecksumList(named, by_last, nameless)


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        # As PowerShell writes.
        return data.decode("utf-16", errors="replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")


def _read(number: int, line: str, of_128: str) -> tuple[str | None, Entry | None]:
    """The name and the digest in a line; no entry where it has none that is known here."""
    said = read_line(line)
    algorithm = None if said is None else said.algorithm(of_128)
    if said is None or algorithm is None or len(said.hex) != 2 * DIGEST_BYTES[algorithm]:
        return None, None
    return said.name, Entry(number, algorithm, said.hex, said.word is not None)


def _as(entry: Entry, algorithm: str | None) -> Entry | None:
    """The entry, if it is one of this algorithm. Where only its length speaks, another one of that length may be meant."""
    if algorithm is None or entry.algorithm == algorithm:
        return entry
    may_be = not entry.is_said and len(entry.hex) == 2 * DIGEST_BYTES[algorithm]
    return entry._replace(algorithm=algorithm) if may_be else None


def _last(name: str) -> str:
    return name.rpartition("/")[2].strip()
