"""Everything in a manifest that must never be shown, and what is shown for it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from marscore.manifest import Parsed
from marscore.policy.redact import MASK
from marscore.resolve.model import Download, Options
from marscore.values import Basic

#: Header fields whose values open doors.
_CREDENTIALS = re.compile(r"(?i)authorization|cookie|token|secret|api-?key|auth")
#: The user information of a URL, whatever else is wrong with it; a proxy may be written without a scheme.
_USERINFO = re.compile(r"(?:[^/?#]*//)?([^/?#]*)@")


def secrets_of(parsed: Parsed, downloads: Iterable[Download]) -> dict[str, str]:
    """Map each secret value to what is shown for it: `${NAME}` for one of the environment, stars for any other."""
    found: dict[str, str] = {}
    seen: set[int] = set()
    for download in downloads:
        for url in download.sources:
            if "@" in url:
                found.update((text, MASK) for text in userinfo_secrets(url))
        # Options are shared by many downloads.
        if id(download.options) not in seen:
            seen.add(id(download.options))
            found.update((text, MASK) for text in _of_options(download.options))
    return {**found, **_from_environment(parsed.secrets)}


def _from_environment(secrets: Mapping[str, str]) -> Mapping[str, str]:
    return {value: shown for value, shown in secrets.items() if value}


def _of_options(options: Options) -> Iterator[str]:
    for name, value in options.headers:
        if _CREDENTIALS.search(name):
            yield value
            # Without its scheme too: `Bearer abc` is a secret for its second word.
            yield from value.split()[1:]
    if isinstance(options.auth, Basic):
        yield from basic_secrets(options.auth.username, options.auth.password)
    if options.proxies:
        for proxy in (options.proxies.http, options.proxies.https):
            yield from userinfo_secrets(proxy or "")


def basic_secrets(username: str, password: str) -> Iterator[str]:
    """What of a user name and password must not be shown: the password, and both as they are sent (RFC 7617 section 2)."""
    if password:
        yield password
        yield base64.b64encode(f"{username}:{password}".encode()).decode()


def userinfo_secrets(url: str) -> Iterator[str]:
    """What of a URL's userinfo must not be shown, as it is written and as it is sent."""
    found = _USERINFO.match(url) if "@" in url else None
    username, _, password = found[1].partition(":") if found else ("", "", "")
    if password:
        yield password
        yield from basic_secrets(unquote(username), unquote(password))
