"""What runs inside of an engine's worker: it starts a worker process, passes orders on to it, and keeps what it tells until it is asked.

    run --Ask--> engine --> Relay --orders--> worker process (`adapters/processes`, the same as for a run on one machine)
        <-Answer--      <--      <-messages-

The process is a child, so that a run's work is apart from the engine's own: its memory, its loop and its lock are not used, it is ended by
a signal whatever it does, and it leaves by itself when this process dies. Nobody who asks for `LEASE` seconds means that the run is gone,
or cannot be reached: then the child is ended too. That is for the sake of order alone; what keeps a worker that was given up from
writing is that its folder is taken away (`adapters/files/leases.py`).
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from pathlib import Path

from marscore.adapters.cluster.sealed import Answer, Ask, Begin, End, Sealed, Ticket, seal, unseal
from marscore.adapters.files.regular import read_file
from marscore.adapters.processes.frames import Call
from marscore.adapters.processes.parent import ChildHandle
from marscore.adapters.state.lock import LEAVE
from marscore.errors import StorageError
from marscore.execute.supervisor.messages import Alive, Gone, Inbox, Message
from marscore.queues import taken
from marscore.values import internal
from marscore.version import __version__

#: Seconds in which somebody asks, or the run is gone: as long as a worker process may be silent (`supervisor/members.py`).
LEASE = 30.0
#: Seconds that messages are gathered for, once there is one: an answer is a call through the engine's scheduler, which serves many.
GATHER = 0.15
#: Seconds that a folder made by another machine may take to be seen: network file systems remember for a while what was not there.
SEEN_WITHIN = 5.0


class Relay:
    """Serves one run in one worker of an engine. `over` is set once it has nothing to do any more."""

    def __init__(self, ticket: Ticket) -> None:
        self.over = threading.Event()
        self.seated = threading.Event()
        self._ticket = ticket
        self._lock = threading.Lock()
        self._child: ChildHandle | None = None
        self._told: Inbox = queue.SimpleQueue()
        self._last = Answer(0)
        self._asked = time.monotonic()
        self._trouble = _unfit(ticket)
        threading.Thread(target=self._watch, name="marscore-relay", daemon=True).start()

    def exchange(self, sealed: Sealed) -> Sealed:
        """Take orders and tell what has come. Raises nothing: what goes wrong is told."""
        with self._lock:
            ask: Ask = unseal(sealed)
            self._asked = time.monotonic()
            # One that was late, and was asked again since, is not obeyed a second time.
            if ask.turn > self._last.turn:
                self._last = self._answered(ask)
            return seal(self._last)

    def leave(self) -> None:
        """Have nothing to do any more; a worker that is left is ended."""
        self.over.set()
        if self._child is not None:
            self._child.close_input()
            self._child.reap(time.monotonic() + LEAVE)

    def _answered(self, ask: Ask) -> Answer:
        try:
            for order in ask.orders if self._trouble is None else ():
                self._obey(order)
            messages = self._gathered(ask.wait)
        except StorageError as error:
            self._trouble, messages = error.failure.message, []
        except Exception as error:  # noqa: BLE001 - whoever asks is told, and the engine logs nothing of it
            self._trouble, messages = internal(error).message, []
        return Answer(ask.turn, tuple(messages), self._trouble, self.seated.is_set())

    def _obey(self, order: Begin | Call | End) -> None:
        match order:
            case Begin():
                self._told = queue.SimpleQueue()
                self._child = ChildHandle(order.number, order.settings, self._told, None, None)
            case Call():
                if self._child is not None:
                    getattr(self._child, order.method)(*order.arguments)
            case End():
                if self._child is not None:
                    self._child.kill()

    def _gathered(self, wait: float) -> list[Message]:
        messages: list[Message] = []
        until = time.monotonic() + wait
        with contextlib.suppress(queue.Empty):
            while True:
                message = taken(self._told, max(0.0, until - time.monotonic()))
                if not messages and not isinstance(message, Alive):
                    until = min(until, time.monotonic() + GATHER)
                messages.append(message)
                if isinstance(message, Gone):
                    break
        return messages

    def _watch(self) -> None:
        while not self.over.wait(1.0):
            if time.monotonic() - self._asked >= LEASE:
                self.leave()


def _unfit(ticket: Ticket) -> str | None:
    """Why this process cannot serve the run: another version, another folder."""
    if ticket.version != __version__:
        return f"it has marscore {__version__}, and the run is of {ticket.version}"
    folder = Path(ticket.folder)
    until = time.monotonic() + SEEN_WITHIN
    while True:
        try:
            if read_file(str(folder / "token")).decode() == ticket.token:
                (folder / ticket.proof).write_text(ticket.token)
                return None
            return f"{folder.parent.parent.parent} is another folder there than the run's"
        except OSError as error:
            if time.monotonic() >= until:
                reason = error.strerror or type(error).__name__
                return f"it does not see the run's output folder, {folder.parent.parent.parent} ({reason}): all machines have to share it"
            time.sleep(0.1)
