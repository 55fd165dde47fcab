"""The entries of a zip."""

from __future__ import annotations

import calendar
import contextlib
import stat
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from typing import IO

from marscore.adapters.files.archive_entry import AT_ONCE, ArchiveError, Entry, Kind, TooLargeError, naming_damage
from marscore.adapters.files.zip_end import entries_in

_LONGEST_TARGET = 4096
#: Programs of Windows write no type.
_KINDS: dict[int, Kind] = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink"}
_SUPPORTED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


def zip_entries(file: IO[bytes], most: int) -> Iterator[Entry]:
    """The entries of a zip; see `archives.read_archive`."""
    count = entries_in(file)
    if count is None or count > most:
        raise TooLargeError("has too many entries" if count is None else f"has {count:,} entries")
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        _refuse_overlap(entries, archive.start_dir)
        seen: set[str] = set()
        for info in entries:
            entry = _entry(archive, info)
            if entry.name in seen and entry.kind != "folder":
                # Which of them holds, each program says otherwise.
                raise ArchiveError(f"has two entries of one name: {entry.name}")
            seen.add(entry.name)
            yield entry


def _refuse_overlap(entries: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse entries that share bytes: so a few bytes make many (https://www.bamsoftware.com/hacks/zipbomb/)."""
    places = sorted((info.header_offset, info.compress_size) for info in entries)
    for (offset, size), (following, _) in pairwise([*places, (end, 0)]):
        # Of the header in front of the content 30 bytes are sure.
        if offset + 30 + size > following:
            raise ArchiveError("has entries that share bytes")


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    name = _name(info)
    if info.flag_bits & 0x1:
        raise ArchiveError(f"is encrypted ({name})")
    if info.compress_type not in _SUPPORTED:
        raise ArchiveError(f"is compressed by method {info.compress_type}, which cannot be read ({name})")
    bits = info.external_attr >> 16
    kind: Kind = "folder" if name.endswith("/") else _KINDS.get(stat.S_IFMT(bits), "other")

    def chunks() -> Iterator[bytes]:
        with naming_damage(), archive.open(info) as content:
            while data := content.read(AT_ONCE):
                yield data

    target = ""
    if kind == "symlink":
        with archive.open(info) as content:
            target = content.read(_LONGEST_TARGET + 1).decode("utf-8", "surrogateescape")
    return Entry(name, kind, stat.S_IMODE(bits) if bits else 0o644, _time(info), target, chunks)


def _name(info: zipfile.ZipInfo) -> str:
    """An entry's name: UTF-8 where it says so or can be nothing else, else code page 437 (APPNOTE.TXT, appendix D).

    A backslash, which some programs of Windows write, is one that stands between folders.
    """
    # zipfile cuts `filename` at a NUL.
    name = info.orig_filename
    if not info.flag_bits & 0x800 and not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _time(info: zipfile.ZipInfo) -> float | None:
    """Its time, read in UTC, since no zone stands there; None where it makes no sense."""
    try:
        return float(calendar.timegm((*info.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):
        return None
