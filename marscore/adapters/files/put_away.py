"""What goes again of archives: those that are not to stay, once they are unpacked and the cache has them, and what never got to its place.

A run that is to end takes half a second for it (`haste`); the next one goes on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from marscore.adapters.files.below import below
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.haste import AT_THE_END, Haste
from marscore.errors import StorageError
from marscore.events import DownloadFinished
from marscore.resolve.model import Download
from marscore.state import FileIdentity
from marscore.values import OWN_FOLDER


class PutAway:
    """Removes them. `left` says of those that could not be removed why. Safe to share between threads."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.left: list[str] = []

    def remove(self, download: Download, event: DownloadFinished) -> None:
        """Remove the file of a finished download, if it is an archive that was to go and is in place as it was then."""
        if download.stays or event.unpacked is None:
            return
        try:
            self._folder.remove(download.path, FileIdentity(event.size, event.mtime_ns, event.inode))
        except StorageError as error:
            self.left.append(f"{download.path}: {error.failure.message}")


def remove_tree(folder: Path, wanted: Callable[[], bool], seconds: float = AT_THE_END) -> None:
    """Remove a folder with all that is in it, as far as that can be; once nothing is `wanted` any more, for so many seconds."""
    haste = Haste(wanted, seconds)
    for path, is_folder in reversed(list(below(folder, lambda path, error: None))):
        if haste.is_over:
            return
        with contextlib.suppress(OSError):
            (os.rmdir if is_folder else os.unlink)(f"{folder}/{path}")
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_unfinished(root: Path, wanted: Callable[[], bool]) -> None:
    """Remove what is left of folders that never got to their places. What was exchanged and not told of yet stays."""
    staging = root / OWN_FOLDER / "unpack"
    if not staging.is_dir():
        return
    for left in staging.iterdir():
        if left.name.endswith((".new", ".old")):
            continue
        remove_tree(left, wanted)
        with contextlib.suppress(OSError):
            left.unlink()
    with contextlib.suppress(OSError):
        staging.rmdir()
