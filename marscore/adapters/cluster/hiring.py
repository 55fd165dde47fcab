"""Hires workers on the machines of an engine: looks who is there, opens relays, and gives the run a worker at each.

    Engine.places --> a relay at each, proven --> a free seat --Joined--> supervisor --child--> RemoteHandle
                                             \\-> of no use --Unfit--> supervisor
    Engine gone --StopRequested--> supervisor

Nothing of the size of the plan is ever in the engine: for each of its workers that is used one relay, and what is on its way to one of them
and back. Which download a worker gets is the supervisor's matter, as on one machine.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace

from marscore.adapters.cluster.engine import Engine, EngineError, LineError, Seat
from marscore.adapters.cluster.remote import WAIT, Around, RemoteHandle
from marscore.adapters.cluster.sealed import Ticket
from marscore.adapters.files.leases import Leases
from marscore.errors import StorageError
from marscore.events import ProgressMade
from marscore.execute.supervisor.handles import LocalHandle
from marscore.execute.supervisor.messages import Inbox, Joined, StopRequested, Unfit
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.values import Failure, internal
from marscore.version import __version__

#: Seconds between two looks at who is there.
LOOK_EVERY = 1.0
#: Seconds that what a relay wrote may take to be seen here.
SEEN_WITHIN = 10.0
#: Seconds that the ends of workers get once the run is over.
CLOSE_WITHIN = 8.0


class ClusterWorkerFactory:
    """Implements `handles.WorkerFactory`. `most` is how many workers are used at once."""

    def __init__(self, engine: Engine, leases: Leases, settings: WorkerSettings, inbox: Inbox, most: int) -> None:
        #: What stood in the way of the run itself.
        self.trouble: Failure | None = None
        self._engine = engine
        self._leases = leases
        self._each = settings
        self._inbox = inbox
        self._most = most
        self._guard = threading.Lock()
        self._free: deque[Seat] = deque()
        #: Those at which a relay was opened, or is of no use.
        self._known: dict[str, bool] = {}
        self._opened = 0
        self._handles: list[RemoteHandle] = []
        self._closed = threading.Event()
        threading.Thread(target=self._look, name="marscore-places", daemon=True).start()

    def here(self, number: int, share: Share) -> LocalHandle:
        """None: what is given to machines of a cluster is not for this one.

        Raises:
            StorageError: always.
        """
        raise StorageError(Failure("resources", f"{self._engine.name} has no worker that could do it"))

    def child(self, number: int, share: Share) -> RemoteHandle:
        """A worker at a free seat.

        Raises:
            StorageError: there is none, or no folder can be made for it.
        """
        with self._guard:
            if not self._free:
                raise StorageError(Failure("resources", f"no worker of {self._engine.name} is free"))
            seat = self._free.popleft()
        try:
            settings = replace(self._each, share=share, own_folder=self._leases.lend(number), leased=True)
            handle = RemoteHandle(number, seat, settings, Around(self._inbox, self._leases, self._give_back, self._drop))
        except BaseException:
            self._give_back(seat)
            raise
        self._handles.append(handle)
        return handle

    def readings(self) -> list[ProgressMade]:
        """None: those of other machines are among the events."""
        return []

    def close(self) -> None:
        """End the workers that are left, and let the engine's places go; no worker has a folder any more then."""
        self._closed.set()
        for handle in (left := [handle for handle in self._handles if not handle.over.is_set()]):
            handle.kill()
        until = time.monotonic() + CLOSE_WITHIN
        for handle in left:
            handle.over.wait(max(0.0, until - time.monotonic()))
        with self._guard:
            seats, self._free = list(self._free), deque()
        for seat in seats:
            seat.close()

    def _give_back(self, seat: Seat) -> None:
        with self._guard:
            if not self._closed.is_set():
                self._free.append(seat)
                return
        seat.close()

    def _drop(self, seat: Seat) -> None:
        with self._guard:
            # Whoever comes back under its name is new.
            self._known.pop(seat.name, None)
        seat.close()

    def _look(self) -> None:
        """Open a relay wherever one is missing, for as long as the run lasts."""
        while not self._closed.is_set():
            try:
                places = self._engine.places()
            except EngineError as error:
                self._give_up(Failure("resources", str(error)))
                return
            except BaseException as error:  # noqa: BLE001 - nobody would ever look again
                self._give_up(internal(error))
                return
            for place in places:
                with self._guard:
                    if place in self._known or sum(self._known.values()) >= self._most:
                        continue
                    self._known[place] = True
                threading.Thread(target=self._open, args=(place,), name="marscore-seat", daemon=True).start()
            self._closed.wait(LOOK_EVERY)

    def _give_up(self, failure: Failure) -> None:
        if not self._closed.is_set():
            self.trouble = failure
            self._inbox.put(StopRequested(failure, failure.message))

    def _open(self, place: str) -> None:
        with self._guard:
            self._opened += 1
            number = self._opened
        name = f"marscore-{self._leases.place.rpartition('/')[2]}-{number}"
        folder = f"{self._each.output_dir}/{self._leases.place}"
        ticket = Ticket(name, __version__, folder, self._leases.token, f"seen.{number}")
        seat: Seat | None = None
        try:
            seat = Seat(self._engine.open(place, ticket))
            while not seat.ask((), WAIT).seated:
                if self._closed.is_set():
                    raise LineError("the run is over")
            self._prove(seat, ticket)
        except BaseException as error:  # noqa: BLE001 - whatever it is, this one is of no use
            with self._guard:
                self._known[place] = False
            if seat is not None:
                seat.close()
            if not self._closed.is_set():
                self._inbox.put(Unfit(str(error) if isinstance(error, LineError) else f"{place}: {internal(error).message}"))
            return
        self._give_back(seat)
        self._inbox.put(Joined())

    def _prove(self, seat: Seat, ticket: Ticket) -> None:
        until = time.monotonic() + SEEN_WITHIN
        while not self._leases.has_seen(ticket.proof):
            if time.monotonic() >= until:
                raise LineError(f"{seat.name}: what it writes into {self._each.output_dir} is not seen here: all machines have to share it")
            time.sleep(0.1)
