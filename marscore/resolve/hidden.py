"""In which fields of a download secrets of the environment stand, as typed: what is written for others must hold none of them.

tree of the text, names of variables that are secret --hidden_fields--> for each download, names of fields
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marscore.manifest import Parsed
from marscore.public import REFERENCE
from marscore.resolve.model import Download
from marscore.resolve.secrets import secrets_of
from marscore.resolve.templates import names_in

_INDEX = re.compile(r"downloads\[(\d+)\]")
_OWN = ("url", "path", "mirrors", "checksum")
#: Fields that `defaults` and a download both have; mappings are merged by key.
_MERGED = ("headers", "auth", "proxies", "cert")
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def hidden_fields(parsed: Parsed, downloads: tuple[Download, ...]) -> Iterator[frozenset[str]]:
    """For each of these downloads, in their order, the fields in which a secret of the environment stands."""
    shown = secrets_of(parsed, downloads).shown
    names = frozenset(name for name, used in parsed.used.items() if used.value in shown)
    root = parsed.places.root if names else None
    if not isinstance(root, Mapping):
        yield from (frozenset() for _ in downloads)
        return
    known: dict[int, frozenset[str]] = {}
    # What stands in the mirrors of the manifest is in the sources of every download that they rewrite.
    in_mirrors = _holds(_texts(root.get("mirrors")), {}, names)
    for download in downloads:
        place = _INDEX.match(download.id)
        assert place is not None, "an id is the entry's place"
        index = int(place[1])
        if index not in known:
            known[index] = frozenset(_fields(root["downloads"][index], root.get("defaults"), names))
        is_rewritten = download.original is not None or len(download.sources) > 1
        yield known[index] | {"mirrors"} if in_mirrors and is_rewritten else known[index]


def _fields(entry: Any, defaults: Any, names: frozenset[str]) -> Iterator[str]:
    written: Mapping[str, Any] = {"url": entry} if isinstance(entry, str) else entry
    base: Mapping[str, Any] = defaults if isinstance(defaults, Mapping) else {}
    each = written.get("each")
    values = {name: _texts(spec) for name, spec in each.items()} if isinstance(each, Mapping) else {}
    for field in _OWN:
        if _holds(_texts(written.get(field)), values, names):
            yield field
    for field in _MERGED:
        if _holds(_texts(_merged(base.get(field), written.get(field))), values, names):
            yield field


def _merged(base: Any, own: Any) -> Any:
    """What holds of two, where names differ in case alone as those of headers do."""
    if isinstance(base, Mapping) and isinstance(own, Mapping):
        return {**{key.lower(): value for key, value in base.items()}, **{key.lower(): value for key, value in own.items()}}
    return base if own is None else own


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, Mapping):
        return [text for value in node.values() for text in _texts(value)]
    return [text for value in node for text in _texts(value)] if isinstance(node, (list, tuple)) else []


def _holds(texts: Iterable[str], each: Mapping[str, list[str]], names: frozenset[str]) -> bool:
    """Whether a text names a variable itself, or by a name of `each` that stands for one."""
    for text in texts:
        within = [value for name in names_in(REFERENCE.sub("", text)) for value in each.get(name, ())]
        if any(found[1] in names for one in (text, *within) for found in _NAME.finditer(one)):
            return True
    return False
