"""Which prefixes of URLs a manifest rewrites, and what with: how they are written. `resolve.rewriting` rewrites.

    mirrors: {"https://files.example.org/pub/": ["https://mirror.internal/ex/", "https://files.example.org/pub/"]}
              prefix                              bases

Both are parsed as every URL is, so that no other reading decides what host is asked. Nothing here repeats a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marscore.url import Url, parse_url


def check_prefix(text: str) -> str:
    """Refuse what no URL of a download begins with."""
    if "$" in text:
        raise ValueError("must be a URL as it is: names of the environment are not filled in on the left")
    if _base(text).username is not None:
        raise ValueError("must not hold a user name or password: URLs are compared without theirs")
    return text


def check_base(text: str) -> str:
    """Refuse what the rest of a URL cannot be put behind."""
    _base(text)
    return text


def check_mirrors(mirrors: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Refuse two prefixes that are one, however they are written."""
    if len({(url.origin, url.target) for url in map(parse_url, mirrors)}) < len(mirrors):
        raise ValueError("names one prefix twice (upper and lower case of a host are the same, and so is a default port)")
    return mirrors


def _base(text: str) -> Url:
    url = parse_url(text)
    if "?" in text or "#" in text:
        raise ValueError("must not hold a query or a fragment: what follows a path is put behind it")
    return url
