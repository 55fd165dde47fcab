"""A list's items held against the rules of a manifest, by the reader of manifests itself: what it refuses is left out and told.

Listing + base --entries--> mappings with texts as typed --load_mapping--> problems, each at the line of its item
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from marscore.errors import ManifestError
from marscore.lists.model import Item, ListError, Listing
from marscore.lists.secret_names import Secrets
from marscore.lists.words import has_scheme, number
from marscore.manifest import escape
from marscore.resolve.expand import load_mapping
from marscore.resolve.paths import name_in
from marscore.url import parse_url, resolve

#: What a name may hold in a URL as it is (RFC 3986 section 3.3); all else is percent-encoded.
_AS_IT_IS = "/!$&'()*+,;=:@~"
_PLACE = re.compile(r"downloads\[(\d+)\]\.?")


def check_base(base: str, title: str) -> str:
    """The base as the URL of a folder: of a list's own URL, its folder.

    Raises:
        ValueError: it is no URL that others can stand below.
    """
    url = parse_url(base)
    if "?" in base or "#" in base or url.username is not None:
        raise ValueError("must have no query, no fragment and no user name, since other URLs are made of it")
    if title and base.endswith(f"/{quote(title, safe=_AS_IT_IS)}"):
        return base[: -len(quote(title, safe=_AS_IT_IS))]
    return base if base.endswith("/") else f"{base}/"


def entries(listing: Listing, base: str | None, secrets: Secrets) -> list[dict[str, Any]]:
    """The entries of a manifest that say what the items do. What breaks a rule is left out, with a note in the listing.

    Raises:
        ListError: items name no URL, and there is no base.
    """
    _demand_base(listing, base)
    items = _distinct([_located(item, base, listing) for item in listing.items], listing)
    made = [_entry(item, secrets) for item in items]
    wrong = _refused(made, items, secrets, listing)
    kept = [entry for place, entry in enumerate(made) if place not in wrong]
    again = _problems(kept, secrets.values)
    assert not again, f"what is left of a list is a manifest: {again}"
    return kept


def _demand_base(listing: Listing, base: str | None) -> None:
    nameless = [item for item in listing.items if item.url is None]
    if nameless and base is None:
        count = "1 entry names" if len(nameless) == 1 else f"{len(nameless)} entries name"
        raise ListError(f"{count} a file and no URL, the first here: --base URL says where they are", nameless[0].line)


def _located(item: Item, base: str | None, listing: Listing) -> Item:
    """The item with URLs that are whole and with the path that its folder makes."""
    if any("#" in url for url in (item.url or "", *item.mirrors)):
        # It may be what opens a file to its reader: a manifest is kept and shown.
        listing.warn(item.line, "what stands behind # in a URL is sent to no server, and is not taken")
    url = _below(base, item.path or "") if item.url is None else _whole(item.url.partition("#")[0], base)
    mirrors = tuple(_whole(mirror.partition("#")[0], base) for mirror in item.mirrors)
    path = item.path
    if item.folder is not None:
        try:
            path = f"{item.folder}/{path or name_in(url)}"
        except ValueError as error:
            listing.warn(item.line, f"the folder is not taken, since a path {error}")
    return Item(item.line, url, path, mirrors, item.checksums, item.size, item.options)


def _below(base: str | None, name: str) -> str:
    return f"{base}{quote(name, safe=_AS_IT_IS, errors='surrogatepass')}"


def _whole(url: str, base: str | None) -> str:
    if base is None or has_scheme(url):
        return url
    try:
        return resolve(parse_url(base), url).text
    except ValueError:
        # The reader of manifests says what is wrong with it.
        return url


def _distinct(items: list[Item], listing: Listing) -> list[Item]:
    """Without those that say nothing but what another one said."""
    seen: dict[Any, list[Item]] = {}
    kept = []
    for item in items:
        key = (item.url, item.path, item.mirrors, item.checksums, item.size)
        twin = next((other for other in seen.get(key, ()) if other.options == item.options), None)
        if twin is not None:
            listing.warn(item.line, f"says the same as line {twin.line}")
            continue
        seen.setdefault(key, []).append(item)
        kept.append(item)
    return kept


def _entry(item: Item, secrets: Secrets) -> dict[str, Any]:
    assert item.url is not None, "it was located"
    entry: dict[str, Any] = {"url": secrets.url(item.url, item.line)}
    if item.path is not None:
        entry["path"] = escape(item.path)
    if item.mirrors:
        entry["mirrors"] = [secrets.url(mirror, item.line) for mirror in item.mirrors]
    if item.checksums:
        entry["checksum"] = escape(item.checksums[0]) if len(item.checksums) == 1 else [escape(each) for each in item.checksums]
    if item.size is not None:
        entry["size"] = number(item.size) if isinstance(item.size, str) else item.size
    return {**entry, **secrets.options(item.options, item.url, item.line)}


def _refused(made: list[dict[str, Any]], items: list[Item], secrets: Secrets, listing: Listing) -> set[int]:
    """The numbers of the entries that a manifest does not take, each with a note."""
    wrong: dict[int, list[str]] = {}
    for place, message in _problems(made, secrets.values):
        # Where a path is taken, the message names the other entry by its number.
        told = _PLACE.sub(lambda found: f"line {items[int(found[1])].line}", message)
        wrong.setdefault(place, []).append(told)
    for place, messages in wrong.items():
        listing.leave_out(items[place].line, "; ".join(messages))
    return set(wrong)


def _problems(made: list[dict[str, Any]], environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """What is wrong with entries: the number of each, and why."""
    # What stands in the environment of a run is not asked for: variables that a list itself has are as good as set.
    surroundings = {**dict.fromkeys(_references(made), "x"), **environment}
    try:
        load_mapping({"version": 1, "downloads": made}, surroundings)
    except ManifestError as error:
        found = []
        for problem in error.problems:
            place = _PLACE.match(problem.path)
            assert place is not None, f"only entries can be wrong: {problem}"
            field = problem.path[place.end() :]
            found.append((int(place[1]), f"{field}: {problem.message}" if field else problem.message))
        return found
    return []


def _references(made: list[dict[str, Any]]) -> set[str]:
    """The variables that certificates of osbuild name."""
    return {
        found[1]
        for entry in made
        for value in (entry.get("cert") or {}).values()
        if (found := re.fullmatch(r"\$\{([A-Z_]+)\}", str(value)))
    }
