"""Everything in a manifest that must never be shown, and what is shown for it.

A value of the environment is a secret unless the manifest says that its variable is public, by `public` or by naming it in a path. A
credential (a password, userinfo of a URL, a header that speaks of authorization) stays one, whatever else it is used for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import unquote

from marscore.frozen import dataclass
from marscore.manifest import USERINFO, AnyManifest, Entry, Parsed, Used
from marscore.public import MASK, is_telling
from marscore.resolve.awaited import lists_in
from marscore.resolve.model import Download, Options
from marscore.resolve.templates import names_in
from marscore.values import Credentials

#: Where a name stands, as `manifest.Used` tells it.
Place: TypeAlias = tuple[str | int, ...]

#: The user information of a URL, whatever else is wrong with it; a proxy may be written without a scheme.
_USERINFO = re.compile(r"(?:[^/?#]*//)?([^/?#]*)@")
#: Where a name stands in the path of a file.
_PATHS = frozenset({("output_dir",), ("downloads", "path"), ("downloads", "unpack", "into"), ("defaults", "unpack", "into")})
_WORD = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Each secret value with what is shown for it: `${NAME}` for one of the environment, stars for any other.

    `words` are those that also are words of the manifest's own paths, as when a token has the name of a folder.
    """

    shown: Mapping[str, str]
    words: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self.shown.values())})"


def secrets_of(parsed: Parsed, downloads: Iterable[Download]) -> Secrets:
    """What must not be shown of a manifest and of its downloads."""
    credentials = _of_downloads(downloads)
    ordinary: dict[str, str] = {}
    for name, used in parsed.used.items():
        if _is_credential(used, parsed.manifest):
            credentials[used.value] = f"${{{name}}}"
        elif name not in parsed.manifest.public and not _is_in_path(used, parsed.manifest):
            ordinary[used.value] = f"${{{name}}}"
    return Secrets({**credentials, **ordinary}, _words(ordinary.keys() - credentials.keys(), parsed.manifest))


def own_secrets(download: Download) -> dict[str, str]:
    """What must not be shown of a download by itself, as `secrets_of` has it for all."""
    return _of_downloads((download,))


def secrets_of_options(options: Options) -> frozenset[str]:
    """What must not be shown of all downloads with these options."""
    return frozenset(_of_options(options))


def _of_downloads(downloads: Iterable[Download]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[int] = set()
    for download in downloads:
        lists = (url for each in download.awaited for url in each.source.urls) if download.awaited else ()
        for url in (download.url, *download.sources, *lists):
            if "@" in url:
                found.update((text, MASK) for text in userinfo_secrets(url))
        # Options are shared by many downloads.
        if id(download.options) not in seen:
            seen.add(id(download.options))
            found.update((text, MASK) for text in _of_options(download.options))
    return found


def _is_credential(used: Used, manifest: AnyManifest) -> bool:
    return any(_speaks_of_credentials(place) or _stands_in(place, manifest, _credentials_of) for place in used.places)


def _speaks_of_credentials(place: Place) -> bool:
    *above, last = ("", *place)
    if above[-1] == "headers":
        return is_telling(str(last))
    return last == USERINFO or (above[-1], last) in (("auth", "password"), ("cert", "password"))


def _is_in_path(used: Used, manifest: AnyManifest) -> bool:
    return any(place in _PATHS or _stands_in(place, manifest, _path_of) for place in used.places)


def _stands_in(place: Place, manifest: AnyManifest, texts_of: Callable[[Entry], Iterable[str]]) -> bool:
    """Whether a place is a name in `each` that stands in some texts of its entry."""
    match place:
        case ("downloads", int(index), "each", name):
            return any(name in names_in(text) for text in texts_of(manifest.downloads[index]))
        case _:
            return False


def _credentials_of(entry: Entry) -> Iterator[str]:
    yield from (value for name, value in (entry.headers or {}).items() if value and is_telling(name))
    lists = (written.from_ for _, written in lists_in(entry) if written.from_)
    urls = (entry.url, *(entry.mirrors or ()), *(url for each in lists for url in (each.url, *(each.mirrors or ()))))
    yield from (found[1] for url in urls if (found := _USERINFO.match(url)))


def _path_of(entry: Entry) -> tuple[str, ...]:
    return () if entry.path is None else (entry.path,)


def _given_in_path(entry: Entry) -> Iterator[str]:
    """The path that an entry gives, and the values that its names have."""
    yield from _path_of(entry)
    if entry.each and entry.path is not None:
        for name in names_in(entry.path):
            values = entry.each.get(name, ())
            yield from values if isinstance(values, tuple) else ()


def _words(values: Iterable[str], manifest: AnyManifest) -> frozenset[str]:
    """Those of some values that stand by themselves in a path that the manifest gives."""
    candidates = [value for value in values if _WORD.fullmatch(value)]
    if not candidates:
        return frozenset()
    text = "\n".join([manifest.output_dir, *(path for entry in manifest.downloads for path in _given_in_path(entry))])
    return frozenset(v for v in candidates if v in text and re.search(rf"(?<![\w.-]){re.escape(v)}(?![\w.-])", text))


def _of_options(options: Options) -> Iterator[str]:
    for name, value in options.headers:
        if is_telling(name):
            yield value
            # Without its scheme too: `Bearer abc` is a secret for its second word.
            yield from value.split()[1:]
    if isinstance(options.auth, Credentials):
        yield from basic_secrets(options.auth.username, options.auth.password)
    if options.cert and options.cert.password:
        yield options.cert.password
    if options.proxies:
        for proxy in (options.proxies.http, options.proxies.https):
            yield from userinfo_secrets(proxy or "")


def basic_secrets(username: str, password: str) -> Iterator[str]:
    """What of a user name and password must not be shown: the password, and both as they are sent (RFC 7617 section 2).

    A user name alone is a token.
    """
    if username or password:
        yield password or username
        yield base64.b64encode(f"{username}:{password}".encode()).decode()


def userinfo_secrets(url: str) -> Iterator[str]:
    """What of a URL's userinfo must not be shown, as it is written and as it is sent."""
    found = _USERINFO.match(url) if "@" in url else None
    username, _, password = found[1].partition(":") if found else ("", "", "")
    if username or password:
        yield password or username
        yield from basic_secrets(unquote(username), unquote(password))
