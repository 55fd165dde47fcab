"""Make finished files survive a power cut, many at a time.

One syncfs(2) flushes a whole file system in a single call; where it is missing, each file is flushed by itself, and then each folder that
leads to it, since a new file is a new entry in its folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from marscore.adapters.files.system import SYSTEM, System

#: Up to here single fsyncs are used: syncfs also waits for what other programs wrote.
_FEW = 64


def flush(folder: Path, files: Sequence[str], system: System = SYSTEM, names: Sequence[str] = ()) -> bool:
    """Wait until these files, named with `/` below `folder`, are on the disk. False if the system would not say so.

    Of `names` it is waited for the entries alone: what has them may be a link, or a file that others write.
    """
    try:
        folders = _folders(folder, [*files, *names])
        if len(files) + len(names) > _FEW and _syncfs(folders, system):
            return True
        for path in [*(folder / file for file in files), *(folders if os.name == "posix" else ())]:
            _fsync(path, system)
    except OSError:
        return False
    return True


def _folders(folder: Path, files: Iterable[str]) -> list[Path]:
    """Every folder from the files' own up to `folder`."""
    own = {folder / below for below in {file.rpartition("/")[0] for file in files}}
    return list({folder, *own, *(above for parent in own for above in parent.parents if above.is_relative_to(folder))})


def _fsync(path: Path, system: System) -> None:
    # Windows flushes only through a handle that may write.
    fd = system.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        system.fsync(fd)
    finally:
        system.close(fd)


def _syncfs(folders: Iterable[Path], system: System) -> bool:
    """Flush the file systems that these folders are on: another may be mounted below."""
    if os.name != "posix":
        return False
    for folder in {system.stat(folder).st_dev: folder for folder in folders}.values():
        fd = system.open(folder, os.O_RDONLY)
        try:
            if not system.syncfs(fd):
                return False
        finally:
            system.close(fd)
    return True
