"""Text from a stranger, made safe for a terminal, and how many cells of it that text takes."""

from __future__ import annotations

import re
import unicodedata

#: C0 and C1 controls move the cursor or begin escapes; the bidirectional ones and line separators rearrange what is read;
#: lone surrogates cannot be encoded.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Replace every control character by its escape, such as `\x1b`, so that text from a stranger cannot steer a terminal."""
    return UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def cells(text: str) -> int:
    """How many columns of a terminal a printable text takes: wide characters two, combining ones none (UAX 11)."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
