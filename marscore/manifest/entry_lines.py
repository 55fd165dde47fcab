"""The id of a download -> the line of the manifest at which its entry begins.

"downloads[3][17]" --EntryLines--> 12        all downloads of one `each` stand at one line
"""

from __future__ import annotations

import re

from marscore.manifest.places import Places
from marscore.manifest.text import compose

_ID = re.compile(r"downloads\[([0-9]+)\]")


class EntryLines:
    """Finds lines in a manifest's text, which is read when the first is asked for."""

    def __init__(self, text: str) -> None:
        self._places = Places(again=lambda: compose(text)[0])

    def line_of(self, download: str) -> int | None:
        """The line, counted from 1; None where the id is of something else than an entry."""
        index = _ID.match(download)
        return self._places.problem(("downloads", int(index[1])), "").line if index else None
