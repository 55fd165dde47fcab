"""The lines of a curl config (`curl -K`) as options: `url = "..."`, `--url "..."`, `-o name`, `#` comments.

Quoted values know the escapes of curl's man page (`\\\\` `\\"` `\\t` `\\n` `\\r` `\\v`); one without quotes ends at the first space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from marscore.lists.model import Listing
from marscore.lists.words import numbered

_LINE = re.compile(r"\s*(--?)?([A-Za-z0-9#][A-Za-z0-9.-]*)\s*(?:[=:]\s*)?(.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?(.*)')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}
#: The letters of curl's short options that have a value, and what they stand for.
_WITH_VALUE = {
    "o": "output",
    "H": "header",
    "u": "user",
    "A": "user-agent",
    "e": "referer",
    "x": "proxy",
    "U": "proxy-user",
    "E": "cert",
    "b": "cookie",
    "m": "max-time",
    "C": "continue-at",
    "X": "request",
    "d": "data",
    "F": "form",
    "T": "upload-file",
    "r": "range",
    "Y": "speed-limit",
    "y": "speed-time",
    "w": "write-out",
    "z": "time-cond",
    "c": "cookie-jar",
    "D": "dump-header",
    "K": "config",
}
_WITHOUT = {
    "O": "remote-name",
    "L": "location",
    "f": "fail",
    "s": "silent",
    "S": "show-error",
    "k": "insecure",
    "g": "globoff",
    "Z": "parallel",
    "R": "remote-time",
    "J": "remote-header-name",
    "#": "progress-bar",
    "I": "head",
    "G": "get",
    "n": "netrc",
    "v": "verbose",
    "i": "include",
    "q": "disable",
    ":": "next",
}


class Option(NamedTuple):
    """An option by its long name; `value` is "" where none is written."""

    line: int
    name: str
    value: str


def options(text: str, listing: Listing) -> Iterator[Option]:
    """The options of a config, in its order; lines that are none are noted."""
    for number, line in numbered(text):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            listing.warn(number, "is no option of curl")
        elif found[1] == "-":
            yield from _short(number, line.strip()[1:], listing)
        else:
            yield Option(number, found[2].lower(), _value(number, found[3], listing))


def _short(number: int, text: str, listing: Listing) -> Iterator[Option]:
    """`-sSLo name` and `-oname` as the options that they are."""
    for at, letter in enumerate(text):
        if letter.isspace():
            if text[at:].strip():
                listing.warn(number, "what stands behind belongs to no option of curl")
            return
        if letter in _WITH_VALUE:
            yield Option(number, _WITH_VALUE[letter], _value(number, text[at + 1 :].lstrip(), listing))
            return
        yield Option(number, _WITHOUT.get(letter, f"-{letter}"), "")


def _value(number: int, written: str, listing: Listing) -> str:
    if quoted := _QUOTED.fullmatch(written):
        return _ESCAPE.sub(lambda mark: _ESCAPES.get(mark[1], mark[1]), quoted[1])
    value, _, rest = written.partition(" ") if "\t" not in written else written.replace("\t", " ").partition(" ")
    if rest.strip() and not rest.lstrip().startswith("#"):
        listing.warn(number, "what stands behind the first space is no part of a value without quotes, as curl reads it")
    return value
