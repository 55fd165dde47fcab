"""The log once more, by workers: a file of JSON Lines for each, in a folder that the user names, on the machine of the run.

    lines that a worker made --of(worker)--> FOLDER/RUN-WORKER.jsonl

Each file is new and the run's own, under a name that has its id: nothing that was there is ever written to. They hold what the workers
told, as far as it came here; what the run itself says is in the log.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from marscore.adapters.files.failures import storage_error
from marscore.adapters.terminal.writer import write_all
from marscore.errors import StorageError
from marscore.values import Failure

_DOING = "cannot write the logs of the workers"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
#: What a name may be made of on every system, and how long it may be.
_UNFIT, _LONGEST = re.compile(r"[^A-Za-z0-9._]+"), 100


def folder_for(place: Path | str) -> Path:
    """The folder, which is made if it is not there.

    Raises:
        StorageError: it cannot be.
    """
    folder = Path(place).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failed(error, folder) from error
    return folder


class WorkerLogs:
    """Those of one run; for one thread. `lost` is why something is missing, where the system refused to take it."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.lost: Failure | None = None
        self._folder = folder
        self._run_id = run_id
        self._worker: str | None = None
        self._files: dict[str, int] = {}

    @contextlib.contextmanager
    def of(self, worker: str | None) -> Iterator[None]:
        """Take what is written meanwhile for this worker's; None: for nobody's."""
        self._worker = worker
        try:
            yield
        finally:
            self._worker = None

    def write(self, lines: str) -> bool:
        """Write whole lines; returns True, since what is missing is told once, in the end."""
        if self._worker is not None and self.lost is None:
            try:
                write_all(self._file(self._worker), lines.encode())
            except OSError as error:
                self.lost = _failed(error, self._folder).failure
        return True

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            with contextlib.suppress(OSError):
                os.close(self._files.popitem()[1])

    def _file(self, worker: str) -> int:
        if worker not in self._files:
            name = _UNFIT.sub("-", f"{self._run_id}-{worker}")[:_LONGEST]
            self._files[worker] = os.open(self._folder / f"{name}.jsonl", _NEW, 0o666)
        return self._files[worker]


def _failed(error: OSError, folder: Path) -> StorageError:
    return storage_error(error, f"{_DOING} in {folder}")
