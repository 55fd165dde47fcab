"""Whether what reads an archive is installed: asked before anything is fetched, and told at the download's place."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable

from marscore.extras import installing
from marscore.manifest import Findings, Parsed
from marscore.resolve.model import Download

#: How an archive is named that takes more than the standard library has.
_ZSTD = re.compile(r"(?i).*\.(?:tar\.zst|tzst)", re.DOTALL)
_ENTRY = re.compile(r"downloads\[(\d+)\]")


def demand_readers(parsed: Parsed, downloads: Iterable[Download]) -> None:
    """Refuse archives that are to be unpacked and cannot be, as far as names tell; else their content does, once they are here.

    Raises:
        ManifestError: with each of them.
    """
    needing = [each for each in downloads if each.into is not None and _ZSTD.fullmatch(each.path)]
    if not needing or importlib.util.find_spec("zstandard") is not None:
        return
    findings = Findings(parsed.places)
    for download in needing:
        entry = _ENTRY.match(download.id)
        if entry is not None:
            findings.add(("downloads", int(entry[1]), "unpack"), f"takes a package that reads zstd: {installing('zstd')}")
    if findings.found:
        raise findings.error(parsed.source)
