"""What a run has to do with the object store that its files go to, beside putting them there.

the store's lock, lost --> the run is told to stop      state, report --> copies beside the objects
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from marscore.adapters.files.folder import Folder
from marscore.adapters.state.workplace import Workplace
from marscore.adapters.stores.folder import StoreFolder
from marscore.adapters.stores.state import StoreState
from marscore.adapters.stores.waiting import patiently
from marscore.adapters.terminal.signals import Stop
from marscore.errors import StorageError
from marscore.execute.supervisor.messages import Inbox, StopRequested
from marscore.own_folder import Leased, State
from marscore.values import Failure

#: Seconds that a run which was told to stop takes for what it puts beside the objects of a store.
_AT_THE_END = 1.0


class AtStore:
    """That of one run; where its files go to a folder, there is none."""

    def __init__(self, place: Workplace, state: State, folder: Folder, stop: Stop, warn: Callable[[str], None]) -> None:
        self._lease = place.lease if isinstance(place, Leased) else None
        self._state = state
        self._folder = folder
        self._stop = stop
        self._warn = warn

    def watch(self, inbox: Inbox) -> None:
        """Have the run told to stop once the store's lock is lost, or where it was while it was looked what is in place."""
        if self._lease is None:
            return
        self._lease.on_lost = lambda why: inbox.put(StopRequested(why, why.message))
        if self._lease.lost is not None:
            self._lease.on_lost(self._lease.lost)

    def leave_state(self) -> Failure | None:
        """Put a copy of the state beside the objects; returns what has stood in the way of the run there."""
        lease = self._lease
        if lease is None or not isinstance(self._state, StoreState):
            return None
        # Who was told to stop, waits for all of this a moment.
        lease.patience = self._seconds or lease.patience
        if lease.lost is None:
            try:
                patiently(self._state.copy, seconds=self._seconds)
            except StorageError as error:
                self._warn(
                    f"the state could not be put beside the objects ({error.failure.message}): another machine would not know of them"
                )
        return lease.lost

    def leave_reports(self, files: Sequence[Path]) -> None:
        """Put the files of the report beside the objects, unless the lock is another's.

        Raises:
            StorageError: they cannot be.
        """
        if isinstance(self._folder, StoreFolder) and (self._lease is None or self._lease.lost is None):
            for file in files:
                self._folder.put_own(file.name, file, self._seconds)

    @property
    def _seconds(self) -> float | None:
        return None if self._stop.signal is None else _AT_THE_END
