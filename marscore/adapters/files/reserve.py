"""Room on the disk that a run keeps back for its last words: the claims of what it finished, and its report.

A disk that downloads fill up would have none left for them. The room is a file without a name, so that nothing stays of a run that is
killed, and it is given back before the claims and the report are written.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import IO

_LEAST = 128 * 1024
#: Bytes for each download: an entry of the report, a row of the state and its copy in the -wal.
_EACH = 1024
#: Enough for eight thousand downloads. What a larger report lacks has to be there by itself.
_MOST = 8 * 1024 * 1024


class Reserve:
    """So much room, held until it is released; none where the disk has little itself, or cannot be asked."""

    def __init__(self, folder: Path, downloads: int) -> None:
        """Take room beside what is in `folder`, for so many downloads: at most a quarter of what is free."""
        self._file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            size = min(_LEAST + downloads * _EACH, _MOST, shutil.disk_usage(folder).free // 4)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - held until it is released
            # Written, since a file system may promise room for a file's length and not have it. What is not taken now is left to others.
            self._file.write(bytes(size))

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
