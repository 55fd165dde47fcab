"""A manifest's text, written: quotes where they are needed, keys in a fixed order, nothing that changes from one call to the next.

entries (keys of a manifest -> values, texts as `Typed`) --write--> YAML
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: The order in which keys are written; it is that of docs/manifest.md.
KEYS = (
    *("url", "path", "mirrors", "checksum", "size", "max_size", "headers", "threads", "timeout", "retry", "proxies", "auth"),
    *("verify", "cert", "min_speed", "tags"),
)
#: Text that every reader of YAML takes for itself without quotes: no ": " or " #" is in it, and its beginning is no mark and no number.
#: No character fits two of the alternatives: else a text that does not fit would be tried in all ways.
_PLAIN = re.compile(
    r"(?:[^\W\d]|[$/.]|[0-9](?=[^ ]*[g-np-su-wyG-NP-SU-WY/]))"
    r"(?:[^\W\x00-\x7f]|[^\x00-\x20\x7f-\U0010ffff\"'`#:]|:(?=[^ ])|(?<=[^ ])#| (?=[^ #]))*"
)
#: What has another meaning there to some reader: nulls, booleans, numbers of YAML 1.1 and 1.2.
_OTHER = re.compile(r"(?i)~|null|true|false|yes|no|on|off|[yn]|\.inf|\.nan|\.[0-9_]*(e[-+]?[0-9]+)?|\.{3}.*|<<|=")


def write(head: Iterable[str], entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the text, by lines; `head` are its comments."""
    for line in head:
        yield f"# {printable(line)}\n"
    yield "version: 1\n"
    is_empty = True
    for entry in entries:
        if is_empty:
            yield "downloads:\n"
            is_empty = False
        yield from (f"{line}\n" for line in _item(entry))
    if is_empty:
        yield "downloads: []\n"


def _item(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.keys() == {"url"}:
        yield f"  - {scalar(entry['url'])}"
        return
    lead = "  - "
    for key in sorted(entry, key=KEYS.index):
        for line in _pair(key, entry[key]):
            yield lead + line
            lead = "    "


def _pair(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{scalar(key)}:"
        for name, inner in value.items():
            yield from (f"  {line}" for line in _pair(name, inner))
    elif isinstance(value, (list, tuple)):
        yield f"{scalar(key)}:"
        yield from (f"  - {scalar(inner)}" for inner in value)
    else:
        yield f"{scalar(key)}: {scalar(value)}"


def scalar(value: object) -> str:
    """A value as it stands behind a key or a dash."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and not _OTHER.fullmatch(text) else f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return "".join([f"\\{each}" if each in '"\\' else each if each.isprintable() else _escape(ord(each)) for each in text])


def _escape(code: int) -> str:
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def printable(text: str) -> str:
    """Text that ends no comment's line."""
    return "".join([each if each.isprintable() else _escape(ord(each)) for each in text])
