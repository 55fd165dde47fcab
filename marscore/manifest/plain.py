"""Downloads of which only URL, path, checksum and size are written: read here, without a model.

A manifest that lists a hundred thousand files holds few others. A model takes 20 µs and 1 KiB for each, this a fifth of the time and a
tenth of the room. The rules are those of `fields`; what breaks one, and whatever else is unusual, is left to the model, which says what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marscore.frozen import dataclass
from marscore.manifest.fields import MAX_SIZE, read_size, read_text
from marscore.manifest.output import check_output
from marscore.manifest.urls import check_url_text
from marscore.values import parse_checksum

_KEYS = frozenset({"url", "path", "checksum", "size"})


@dataclass(frozen=True, slots=True)
class PlainEntry:
    """What `DownloadEntry` is to its readers, with no option of its own."""

    url: str
    path: str | None = None
    checksum: tuple[str, ...] | None = None
    size: int | None = None

    from_: ClassVar[None] = None
    each: ClassVar[None] = None
    mirrors: ClassVar[None] = None
    headers: ClassVar[None] = None
    tags: ClassVar[None] = None
    model_fields_set: ClassVar[frozenset[str]] = _KEYS


def plain_entry(written: Any) -> PlainEntry | None:
    """Read a download; None where it takes the model to read it, or to say what is wrong."""
    try:
        if isinstance(written, str):
            return PlainEntry(_url(written))
        if type(written) is dict and written.keys() <= _KEYS and None not in written.values():
            return _of_mapping(written)
    except ValueError:
        pass
    return None


def _of_mapping(written: Mapping[str, Any]) -> PlainEntry | None:
    if "url" not in written or not isinstance(written.get("checksum", ""), str):
        return None
    path = checksum = size = None
    if "path" in written:
        path = read_text(written["path"])
        check_output(path)
    if "checksum" in written:
        checksum = (read_text(written["checksum"]),)
        parse_checksum(checksum[0])
    if "size" in written:
        size = read_size(written["size"])
        if not 0 <= size <= MAX_SIZE:
            return None
    return PlainEntry(_url(written["url"]), path, checksum, size)


def _url(written: Any) -> str:
    return check_url_text(read_text(written))
