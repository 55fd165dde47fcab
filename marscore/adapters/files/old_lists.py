"""Publishers' lists that were kept and that no run has used for a month: they go, and are fetched again where somebody needs them.

Their own times are those of their servers, so beside each stands when it was used last, as the time of an empty file.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from marscore.adapters.files.leftovers import OLD

_LIST, _USED = ".txt", ".used"


def note_use(place: Path) -> None:
    """Note that a list was used just now."""
    with contextlib.suppress(OSError):
        place.with_suffix(_USED).touch()


def remove_unused(folder: Path, now: float) -> None:
    """Remove the lists in a folder that were not used for 30 days before `now`, in Unix time.

    Of one of which nobody knows that, it is noted from now on.
    """
    with contextlib.suppress(OSError):
        names = {entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)}
        for name in names:
            place = folder / name
            if name.endswith(_LIST) and place.with_suffix(_USED).name not in names:
                note_use(place)
            elif name.endswith(_USED) and place.lstat().st_mtime < now - OLD:
                place.with_suffix(_LIST).unlink(missing_ok=True)
                place.unlink(missing_ok=True)
