"""Where a job keeps what is its own: made, held by one run at a time, with the state database that is there.

Job --working_in--> Workplace, held      state_of    the database in it      seen_by    what it says, for a look
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from marscore.adapters.files.failures import naming
from marscore.adapters.files.leases import recover
from marscore.adapters.files.regular import demand_folder
from marscore.adapters.state.lock import hold
from marscore.adapters.state.store import NoState, Seen, SqliteState, claims_at
from marscore.adapters.state.workplace import Workplace, workplace
from marscore.adapters.stores.fence import Fence
from marscore.adapters.stores.lease import Lease
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.state import StoreState
from marscore.adapters.stores.state import seeing as seeing_beside
from marscore.adapters.stores.state import seen_by as seen_beside
from marscore.adapters.terminal.signals import Stop
from marscore.destination import Destination
from marscore.errors import StorageError
from marscore.frozen import dataclass
from marscore.job import Job
from marscore.policy.retry import Patience
from marscore.state import key_of
from marscore.values import OWN_FOLDER

#: What a run notes its claims in.
State: TypeAlias = "SqliteState | NoState | StoreState"
#: Says what is known of the files at some paths.
See: TypeAlias = Callable[[Sequence[str]], Seen]


@dataclass(slots=True)
class Leased(Workplace):
    """A run's folder, where its files go to an object store, with the lock of that."""

    lease: Lease | None = None


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
        if job.store is None:
            recover(job.root)
            yield Workplace(OWN_FOLDER, lock)
            return
        with _leased(job.store, job.patience, job.root / OWN_FOLDER) as lease:
            yield Leased(OWN_FOLDER, lock, lease=lease)


@contextlib.contextmanager
def _leased(where: Destination, patience: Patience, own: Path) -> Iterator[Lease]:
    fence = Fence(own)
    lease = Lease(Objects(where, patience, fence), _place_of(own))
    lease.fence = fence
    lease.take()
    try:
        yield lease
    finally:
        lease.give_back()


def _place_of(own: Path) -> str:
    """What tells this folder from those of other machines, and from copies of it elsewhere."""
    file = own / "place"
    with naming("cannot make a folder to work in"):
        with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
            if known := file.read_text().strip():
                return f"{known}-{own.stat().st_ino}"
        file.write_text(secrets.token_hex(16))
        return f"{file.read_text().strip()}-{own.stat().st_ino}"


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


def state_of(job: Job, place: Workplace, stop: Stop) -> State:
    """The state database of a job, as far as it can be opened; `stop` ends the wait for another program's lock."""
    path = job.root / job.own / "state.db"
    try:
        local = SqliteState(path, give_up=lambda: stop.signal is not None)
    except StorageError as error:
        return NoState(error.failure)
    if not isinstance(place, Leased) or place.lease is None:
        return local
    state = StoreState(local, place.lease.objects, path.parent)
    state.warnings += place.lease.warnings
    place.lease.meanwhile = state.copy_if_due
    return state


@contextlib.contextmanager
def seeing(job: Job) -> Iterator[See]:
    """As `seen_by`, for who asks for the claims of some paths after the other.

    Raises:
        StorageError: as for that.
    """
    own = job.root / OWN_FOLDER
    if job.store is None:
        yield lambda paths: claims_at(own / "state.db", [key_of(path) for path in paths])
        return
    with seeing_beside(Objects(job.store, job.patience), own) as see:
        yield lambda paths: see([key_of(path) for path in paths])


def seen_by(job: Job) -> Seen:
    """What is known of the files of a job, for a look that changes nothing.

    Raises:
        StorageError: the system is in the way, or the store.
    """
    if job.store is None:
        return claims_at(job.root / OWN_FOLDER / "state.db")
    return seen_beside(Objects(job.store, job.patience), job.root / OWN_FOLDER)
