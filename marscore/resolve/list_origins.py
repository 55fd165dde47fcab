"""Whom the rows of a list may send what the manifest sends: who writes a list that is elsewhere is not to say where credentials go.

a list that is elsewhere, and whose content the manifest does not pin by a checksum --allowed_origins--> its own origin, and those that
`url` and `mirrors` begin with
text that the manifest adds to an origin that the list names --writes_more--> may be a secret: a query, a user name, a value of the
environment that is not public (`secrets`)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from marscore.manifest.fields import is_elsewhere
from marscore.resolve.model import Options
from marscore.url import parse_url

if TYPE_CHECKING:
    from marscore.manifest import ListEntry

#: Of a list that the author of the manifest has, or pins: its rows are as good as written there.
ANYWHERE: Final = "anywhere"
#: The origins to which rows may lead with what the manifest sends.
AllowedOrigins: TypeAlias = "frozenset[str] | Literal['anywhere']"

_TYPED = re.compile(r"(?i)https?://[^/?#{}]+(?=[/?])")
_COLUMN = re.compile(r"\{[^{}]*\}")
#: Where a URL has secrets: a query, a user name and password.
_SECRET = re.compile(r"[?@]")
#: Header fields that tell nothing of who asks.
_HARMLESS = frozenset({"user-agent", "accept", "accept-encoding", "accept-language", "referer"})


def allowed_origins(entry: ListEntry) -> AllowedOrigins:
    """Where rows may lead to with what the manifest sends."""
    source = entry.from_
    if not is_elsewhere(source.url) or source.checksum:
        return ANYWHERE
    typed = [found[0] for text in (entry.url, *(entry.mirrors or ())) if (found := _TYPED.match(text))]
    own = [source.url] if source.url.lower().startswith("http") else []
    return frozenset(parse_url(f"{text}/" if text in typed else text).origin for text in (*own, *typed))


def writes_more(entry: ListEntry, of_checksums: Iterable[str] = (), secrets: Collection[str] = ()) -> bool:
    """Whether text of the manifest's that may be a secret is added to an origin that the list names.

    `of_checksums` are the URLs of publishers' lists, in which {url} stands for the row's; `secrets` are some, wherever they are.
    """
    texts = (entry.url, *(entry.mirrors or ()), *of_checksums)
    added = [_COLUMN.sub("", text) for text in texts if "{" in text and not _TYPED.match(text)]
    return any(_SECRET.search(text) or any(secret in text for secret in secrets) for text in added)


def leads_elsewhere(allowed: AllowedOrigins, options: Options, urls: Iterable[str], adds: Literal["nothing", "text"] = "nothing") -> bool:
    """Whether a row would have credentials sent where they may not go; what the manifest `adds` to its URL may be some."""
    if allowed == ANYWHERE:
        return False
    return (adds == "text" or _has_credentials(options)) and any(parse_url(url).origin not in allowed for url in urls)


@lru_cache(64)
def _has_credentials(options: Options) -> bool:
    # What netrc has for a host goes to that host, whoever names it, but not in clear to one that only the list names (`Access.chosen`).
    is_named = options.auth is not None and options.auth != "netrc"
    return is_named or options.cert is not None or any(name.lower() not in _HARMLESS for name, _ in options.headers)
