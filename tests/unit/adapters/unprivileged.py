"""A folder of a user who may not do everything, since the superuser is never refused."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Be a plain user inside, with a folder of one's own."""
    if sys.platform == "win32":
        pytest.skip("file modes are POSIX")
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid():
            yield Path(name)
            return
        os.chown(name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)
