"""Which URLs can be fetched."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_URL = re.compile(r"(?i)https?://(?:[^/?#@\\]*@)?(?:\[[0-9a-f:.%]+\]|[^/?#@:\\\[\]]+)(?::0*(\d{1,5}))?(?:[/?#].*)?")
_NOT_IN_URL = re.compile(r"[\s\x00-\x20\x7f-\x9f\ud800-\udfff]")
#: What no rule below has anything against: the usual case, in one step.
_ORDINARY = re.compile(r"https?://[A-Za-z0-9.-]+(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?(?:/[!-~]*)?")


def check_url_text(url: str) -> str:
    """Refuse what no http request can be sent to."""
    if _ORDINARY.fullmatch(url):
        return url
    if _NOT_IN_URL.search(url):
        raise ValueError("must not hold spaces or control characters; write a space as %20")
    if not re.match(r"(?i)https?://", url):
        raise ValueError("must begin with http:// or https://")
    match = _URL.fullmatch(url)
    if not match or not _splits(url):
        raise ValueError("must name a host and, if any, a port from 1 to 65535")
    if match[1] and not 1 <= int(match[1]) <= 65535:
        raise ValueError("must have a port from 1 to 65535")
    return url


def _splits(url: str) -> bool:
    # The standard library has opinions of its own, on IPv6 literals and on characters that normalise to delimiters.
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
