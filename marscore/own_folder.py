"""Where a job keeps what is its own: made, held by one run at a time, with the state database that is there.

Job --working_in--> Workplace, held      state_at    the database in it
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from marscore.adapters.files.failures import naming
from marscore.adapters.files.leases import recover
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.state.lock import hold
from marscore.adapters.state.store import NoState, SqliteState
from marscore.adapters.state.workplace import Workplace, workplace
from marscore.adapters.terminal.signals import Stop
from marscore.errors import StorageError
from marscore.job import Job
from marscore.state import key_of
from marscore.values import OWN_FOLDER


@contextlib.contextmanager
def working_in(job: Job) -> Iterator[Workplace]:
    """The folder that a run of the job works in, held.

    Raises:
        StorageError: it cannot be made, or another run holds it.
    """
    if job.leaves == "nothing":
        with workplace(job.root, {key_of(download.path) for download in job.downloads}) as place:
            yield place
        return
    with hold(own_folder_of(job)) as lock:
        recover(job.root)
        yield Workplace(OWN_FOLDER, lock)


def own_folder_of(job: Job) -> Path:
    """The folder that stays beside the files of a job; it is made if it is not there.

    Raises:
        StorageError: it cannot be.
    """
    own = job.root / OWN_FOLDER
    demand_folder("cannot make the output folder", own)
    with naming("cannot make the output folder"):
        own.mkdir(parents=True, exist_ok=True)
    return own


def state_at(path: Path, stop: Stop) -> SqliteState | NoState:
    """The state database at this path, as far as it can be opened; `stop` ends the wait for another program's lock."""
    try:
        return SqliteState(path, give_up=lambda: stop.signal is not None)
    except StorageError as error:
        return NoState(error.failure)
