"""Which keys hold header fields, or seem to: whose values may be secrets, whatever their names are."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

#: What holds header fields, or would in other programs.
_HEADERS = ("headers", "header", "http-headers", "http_headers")


@lru_cache(maxsize=1024)
def _is_headers(name: str) -> bool:
    """Whether a key is called like the one that holds header fields, or nearly so. Those of `forward_headers` are names alone."""
    word = name.lower()[:64]
    if word.startswith("forward"):
        return False
    return word.endswith("headers") or bool(difflib.get_close_matches(word, _HEADERS, n=1, cutoff=0.8))


def holds_headers(names: tuple[str, ...]) -> bool:
    """Whether the last of the keys above a place is one of these."""
    return bool(names) and _is_headers(names[-1])


def speaks_of_headers(text: str) -> bool:
    """Whether any key of a text is called like the one that holds header fields, or nearly so."""
    return any(map(_is_headers, re.findall(r"(?m)^\s*(?:- +)*[\"']?([\w-]{3,64})[\"']?\s*:", text)))
