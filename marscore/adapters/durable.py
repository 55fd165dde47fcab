"""Make finished files survive a power cut, many at a time.

One syncfs(2) flushes a whole file system in a single call; where it is missing, each file is flushed by itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

#: Up to here single fsyncs are used: syncfs also waits for what other programs wrote.
_FEW = 64


def flush(folder: Path, files: Sequence[Path]) -> bool:
    """Wait until these files, below `folder`, are on the disk. False if the system would not say so."""
    if len(files) > _FEW and _syncfs(folder):
        return True
    try:
        for file in files:
            _fsync(file)
        for parent in {file.parent for file in files}:
            if os.name == "posix":
                _fsync(parent)
    except OSError:
        return False
    return True


def _fsync(path: Path) -> None:
    # Windows flushes only through a handle that may write.
    fd = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _syncfs(folder: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    fd = os.open(folder, os.O_RDONLY)
    try:
        return bool(ctypes.CDLL(None, use_errno=True).syncfs(fd) == 0)
    except (OSError, AttributeError):
        return False
    finally:
        os.close(fd)
