"""A worker on another machine as its run holds it.

    supervisor --orders--> [a thread of each] --Ask--> Seat ... Relay --> worker process
    inbox <-------messages------- [the same]  <-Answer--

The thread asks again as soon as it is answered, which is at least every `WAIT` seconds; so the relay knows that the run is alive, and the
run that the relay is. How a worker leaves decides what becomes of its folder: where its end was seen by who waited for it, what it left is
put back; where it was lost, the folder is taken away from it first, and only then it is told as gone.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from marscore.adapters.cluster.engine import LineError, Seat
from marscore.adapters.cluster.sealed import Begin, End
from marscore.adapters.files.leases import Leases
from marscore.adapters.processes.frames import Call
from marscore.adapters.processes.orders import Orders
from marscore.errors import StorageError
from marscore.execute.supervisor.messages import Gone, Inbox, StopRequested
from marscore.execute.worker.setup import WorkerSettings
from marscore.frozen import dataclass
from marscore.values import internal

#: Seconds that a relay waits for something to tell, which is how long an order may take to get there.
WAIT = 0.25
#: Seconds that the end of a worker gets which is to be ended; then it counts as lost.
END_WITHIN = 3.0


@dataclass(frozen=True, slots=True)
class Around:
    """What a handle has of its run. `free` takes a seat that is of use to the next worker, `drop` one that is not."""

    inbox: Inbox
    leases: Leases
    free: Callable[[Seat], None]
    drop: Callable[[Seat], None]


class RemoteHandle(Orders):
    """Implements `handles.WorkerHandle`. `over` is set once it is told as gone, and its folder is nobody's."""

    def __init__(self, number: int, seat: Seat, settings: WorkerSettings, around: Around) -> None:
        self.over = threading.Event()
        self.place = seat.name
        self._number = number
        self._seat = seat
        self._around = around
        self._orders: queue.SimpleQueue[Begin | Call | End] = queue.SimpleQueue()
        self._orders.put(Begin(number, settings))
        self._guard = threading.Lock()
        self._ended = False
        threading.Thread(target=self._talk, name=f"marscore-remote-{number}", daemon=True).start()

    def kill(self) -> None:
        """End it, also where it stands still, or cannot be reached."""
        self._orders.put(End())
        late = threading.Timer(END_WITHIN, self._end, (f"{self._seat.name} does not end it", False))
        late.daemon = True
        late.start()

    def _pass_on(self, call: Call) -> None:
        self._orders.put(call)

    def _talk(self) -> None:
        try:
            self._end(self._served(), True)
        except LineError as error:
            self._end(str(error), False)
        except BaseException as error:  # noqa: BLE001 - it would never be told as gone
            self._end(f"it cannot be spoken with: {internal(error).message}", False)

    def _served(self) -> str | None:
        """Pass orders and messages on until its process has ended; returns why that did, None where it was asked to."""
        while True:
            answer = self._seat.ask(self._taken(), WAIT)
            for message in answer.messages:
                if isinstance(message, Gone):
                    return message.reason
                with self._guard:
                    if self._ended:
                        return "it was ended"
                    self._around.inbox.put(message)

    def _taken(self) -> list[Begin | Call | End]:
        orders: list[Begin | Call | End] = []
        with contextlib.suppress(queue.Empty):
            while True:
                orders.append(self._orders.get_nowait())
        return orders

    def _end(self, reason: str | None, is_dead: bool) -> None:
        """Settle what it leaves, and tell that it is gone; whoever comes first does.

        Args:
            reason: why; None where it was asked to.
            is_dead: whether its process was waited for, so that it writes no more.
        """
        with self._guard:
            if self._ended:
                return
            self._ended = True
        try:
            if is_dead:
                self._around.leases.give_back(self._number)
            else:
                self._around.leases.take_away(self._number)
        except (StorageError, OSError) as error:
            # Nobody may go on with what it had.
            failure = error.failure if isinstance(error, StorageError) else internal(error)
            self._around.inbox.put(StopRequested(failure, failure.message))
        finally:
            (self._around.free if is_dead else self._around.drop)(self._seat)
            self._around.inbox.put(Gone(self._number, reason))
            self.over.set()
