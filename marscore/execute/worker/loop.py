"""One process's share of the run, by turns: what is asked of it is taken from an inbox, what came is carried on, and what is told leaves.

    inbox --> Loop.turn: Engine.turn (heads, chunks, ends --> transfers --> commands), Engine.fill --> events, in batches
    helpers (what takes its time) --Done--> inbox

Nothing here is guarded by a lock, since nobody else reaches it: whoever wants something of it puts that into the inbox, and wakes it. It
waits in `turn` alone, and there for its transport alone: a thread calls that again and again (`worker`), a simulation when it is due.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
from collections.abc import Callable

from marscore.events import Event
from marscore.execute.worker.engine import Engine, Ports
from marscore.execute.worker.helpers import Done
from marscore.execute.worker.outbox import Outbox
from marscore.execute.worker.setup import WorkerSettings
from marscore.values import Failure, internal

#: Seconds between two batches of events; a batch goes at once when there is little left to do.
FLUSH_EVERY = 0.05
#: Seconds between two readings of progress.
PROGRESS_EVERY = 0.2
#: Seconds between two signs of life.
BEAT_EVERY = 1.0


class Loop:
    """Runs downloads by turns. `send` takes batches of events; `over` tells that no more turns are wanted."""

    def __init__(self, settings: WorkerSettings, ports: Ports, send: Callable[[list[Event]], None]) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outbox = Outbox(send)
        self._show = ports.show or (self._outbox.extend if settings.progress == "events" else None)
        self.engine = Engine(settings, ports, self._outbox, self._answer)
        self.over = self._gone = False
        self._settling = threading.Lock()
        #: What is done now and then: how often, in seconds, and when next, in ticks.
        self._timers = [
            (FLUSH_EVERY, self._outbox.flush),
            (FLUSH_EVERY, self.engine.look),
            (FLUSH_EVERY, self.engine.make_room),
            (PROGRESS_EVERY, self._tell_progress),
            (PROGRESS_EVERY, self._outbox.measure),
            (BEAT_EVERY, ports.beat),
        ]
        self._due = [-math.inf for _ in self._timers]

    def say(self, act: Callable[[], None]) -> None:
        """Have something done by the loop, from any thread."""
        self._inbox.put(act)
        self._ports.transport.wake()
        if self._gone:
            self._settle()

    def _answer(self, done: Done) -> None:
        """Hear of a task, from any thread."""
        try:
            self.say(lambda: done.then(done.result, done.error))
        except MemoryError:
            # Its download would wait for it for ever.
            self._ports.give_up(None)

    @property
    def due(self) -> float:
        """When it has something to do again, in ticks, if nothing comes and nobody wakes it before."""
        return min(*self._due, self.engine.due)

    def turn(self) -> None:
        """Wait for what comes, at most until something is due, and carry it on."""
        self.engine.turn(self.due)
        while not self._inbox.empty():
            self._inbox.get()()
        now = self._clock.ticks()
        for number, (every, act) in enumerate(self._timers):
            if self._due[number] <= now:
                act()
                self._due[number] = now + every
        if not self.over:
            self.engine.fill()

    def flush(self) -> None:
        """Send the events that were not sent yet."""
        self._outbox.measure()
        self._outbox.flush()

    def stop(self, reason: Failure, unbegun: str) -> None:
        """End everything; within a turn."""
        self.engine.stop(reason, unbegun)
        self.over = True

    def end(self) -> None:
        """Want no more turns; within one."""
        self.over = True

    def die(self, error: BaseException) -> None:
        """End all downloads by name, and have others answer for what it lost sight of when it broke: it is of no use any more."""
        failure = None
        with contextlib.suppress(BaseException):
            failure = internal(error)
            self.engine.stop(failure, failure.message)
            self._outbox.flush()
        self._ports.give_up(failure)

    def close(self) -> None:
        """Let go of everything, once no more turns are wanted; what is said afterwards is done by whoever says it."""
        self.engine.close()
        self._gone = True
        self._settle()

    def _settle(self) -> None:
        """Do what was said to a loop that has ended: a helper that was still at work then lets go of what it opened."""
        with self._settling:
            while not self._inbox.empty():
                # All that it had has its outcome: what goes wrong now is nobody's.
                with contextlib.suppress(Exception):
                    self._inbox.get_nowait()()

    def _tell_progress(self) -> None:
        if self._show is not None:
            self._show(self.engine.progress_made())
