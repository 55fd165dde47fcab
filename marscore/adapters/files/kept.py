"""What a run that was interrupted leaves for the next: the pieces that its files' journals tell of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from marscore.adapters.files.system import SYSTEM
from marscore.journal import decode
from marscore.report.ended import Kept
from marscore.state import key_of
from marscore.values import OWN_FOLDER, merge_ranges


def kept_of(root: Path, paths: Iterable[str]) -> Kept:
    """Count what there is of these files, that go to an output folder. What cannot be read is not counted."""
    files = count = 0
    for path in paths:
        with contextlib.suppress(OSError):
            journal = decode(SYSTEM.read_file(str(root / OWN_FOLDER / "partial" / f"{key_of(path)}.journal")))
            held = sum(map(len, merge_ranges(piece.range for piece in journal.pieces))) if journal else 0
            files, count = files + bool(held), count + held
    return Kept(files, count)
