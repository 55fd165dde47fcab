"""A folder of a user who may not do everything, since the superuser is never refused."""

from __future__ import annotations

import concurrent.futures.thread
import contextlib
import encodings.idna
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# What a run imports when it first needs it: the plain user may not be let into the folder of this interpreter.
import marscore.adapters.http.requests_transport
import marscore.adapters.processes.assembly
import marscore.execute.supervisor.supervise

NOBODY = 65534
_NEEDED_LATER = (
    *(concurrent.futures.thread, encodings.idna, marscore.adapters.http.requests_transport, marscore.adapters.processes.assembly),
    marscore.execute.supervisor.supervise,
)


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
