"""What is here of a file that was cut short, for the next run: the pieces that its journal tells of and that its part is long enough for.

They are not read again: a run proves them first, and may find fewer.
"""

from __future__ import annotations

from collections.abc import Iterable

from marscore.adapters.files.folder import Folder
from marscore.journal import Journal
from marscore.report.ended import Kept
from marscore.values import merge_ranges


def kept_of(folder: Folder, paths: Iterable[str]) -> Kept:
    """Count what a run leaves of these files. What cannot be read is not counted."""
    files = count = 0
    for path in paths:
        found = folder.left(path)
        held = 0 if found is None else bytes_kept(*found)
        files, count = files + bool(held), count + held
    return Kept(files, count)


def bytes_kept(journal: Journal, length: int) -> int:
    """How many bytes a journal tells of, of a part that is so long."""
    return sum(map(len, merge_ranges(piece.range for piece in journal.pieces if piece.range.end <= length)))
