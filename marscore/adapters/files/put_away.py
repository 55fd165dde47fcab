"""What goes again of archives: those that are not to stay, once they are unpacked and the cache has them, and what killed runs left."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from marscore.adapters.files.folder import OWN_FOLDER, Folder
from marscore.errors import StorageError
from marscore.events import DownloadFinished
from marscore.resolve.model import Download
from marscore.state import FileIdentity


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


def remove_unfinished(root: Path) -> None:
    """Remove what is left of folders that never got to their places. What was exchanged and not told of yet stays."""
    staging = root / OWN_FOLDER / "unpack"
    if not staging.is_dir():
        return
    for left in staging.iterdir():
        if left.name.endswith((".new", ".old")):
            continue
        shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):
            left.unlink()
    with contextlib.suppress(OSError):
        staging.rmdir()
