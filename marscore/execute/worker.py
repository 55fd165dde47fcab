"""One process's share of the run, in one thread: its loop owns the board, the transfers, the timers and the connections.

    submit, pause, pace, widen, stop --inbox--> loop: Engine.turn (heads, chunks, ends --> transfers --> commands), Engine.fill
                                  helpers (what takes its time) --Done--> inbox                 --> events, in batches

Nothing here is guarded by a lock, since nobody else reaches it: whoever wants something of a worker puts it into the inbox, and wakes the
loop. The same worker runs in the run's own process and in children.
"""

from __future__ import annotations

import contextlib
import math
import queue
import sys
import threading
from collections.abc import Callable, Iterable

from marscore.events import Event
from marscore.execute.engine import Engine, Ports
from marscore.execute.outbox import Outbox
from marscore.execute.protocol import Work
from marscore.execute.setup import Share, WorkerSettings
from marscore.values import Failure, internal

#: Seconds between two batches of events; a batch goes at once when there is little left to do.
FLUSH_EVERY = 0.05
#: Seconds between two readings of progress.
PROGRESS_EVERY = 0.2
#: Seconds between two signs of life.
BEAT_EVERY = 1.0
#: Seconds that a loop gets to end when the run stops.
STOP_GRACE = 1.5


class Worker:
    """Runs downloads in one thread. `send` takes batches of events."""

    def __init__(self, settings: WorkerSettings, ports: Ports, send: Callable[[list[Event]], None]) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._outbox = Outbox(send)
        self._thread = threading.Thread(target=self._run, name="marscore-loop", daemon=True)
        self._show = ports.show or (self._outbox.extend if settings.progress == "events" else None)
        self._engine = Engine(settings, ports, self._outbox, lambda done: self._say(lambda: done.then(done.result, done.error)))
        self._over = self._gone = False
        self._settling = threading.Lock()
        #: What is done now and then: how often, in seconds, and when next, in ticks.
        self._timers = [
            (FLUSH_EVERY, self._outbox.flush),
            (FLUSH_EVERY, self._engine.look),
            (FLUSH_EVERY, self._engine.make_room),
            (PROGRESS_EVERY, self._tell_progress),
            (BEAT_EVERY, ports.beat),
        ]
        self._due = [-math.inf for _ in self._timers]

    # What others ask of it, from any thread

    def on_pause(self, tell: Callable[[str, float], None]) -> None:
        """Have `tell(host, seconds)` called when a server asks this process to wait, so that others hear of it."""
        self._engine.commands.tell_pause = tell

    def on_pace(self, tell: Callable[[str], None]) -> None:
        """Have `tell(host)` called when this process begins to ask a host more slowly."""
        self._engine.commands.tell_pace = tell

    def start(self) -> None:
        """Start the loop.

        Raises:
            RuntimeError: the system starts no thread.
        """
        self._thread.start()

    def submit(self, works: Iterable[Work]) -> None:
        """Add downloads."""
        works = list(works)
        self._say(lambda: self._engine.take_in(works))

    def pause(self, host: str, seconds: float) -> None:
        """Hold back new requests to a host, as another process was asked to."""
        self._say(lambda: self._engine.pause(host, seconds))

    def pace(self, host: str) -> None:
        """Ask a host more slowly, as another process was made to."""
        self._say(lambda: self._engine.pace(host))

    def widen(self, share: Share) -> None:
        """Take a new share of the run's limits."""
        self._say(lambda: self._engine.widen(share))

    def narrow(self, share: Share) -> int:
        """Take a smaller share of the run's limits; return how many connections to one host are in use, which may still be more."""
        used = [0]
        told = threading.Event()

        def take() -> None:
            self._engine.widen(share)
            # Those that wait for another request would count for the others, too.
            self._ports.transport.close_idle()
            used[0] = self._engine.board.slots.most_used
            told.set()

        self._say(take)
        # A loop that does not answer in time may hold any number.
        return used[0] if told.wait(STOP_GRACE) else sys.maxsize

    def stop(self, reason: Failure, unbegun: str) -> None:
        """Stop at once: what was received is recorded, begun downloads end with `reason`, the others as skipped.

        Raises:
            RuntimeError: the loop does not end in its grace.
        """
        self._say(lambda: self._stop(reason, unbegun))
        self._join()

    def close(self) -> None:
        """End the loop, which has nothing to do any more, and send the last events."""
        self._say(self._end)
        self._join()

    def _say(self, act: Callable[[], None]) -> None:
        self._inbox.put(act)
        self._ports.transport.wake()
        if self._gone:
            self._settle()

    def _settle(self) -> None:
        """Do what was said to a loop that has ended: a helper that was still at work then lets go of what it opened."""
        with self._settling:
            while not self._inbox.empty():
                # All that it had has its outcome: what goes wrong now is nobody's.
                with contextlib.suppress(Exception):
                    self._inbox.get_nowait()()

    def _join(self) -> None:
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join(STOP_GRACE)
            if self._thread.is_alive():
                raise RuntimeError("the loop does not end")

    # The loop

    def _run(self) -> None:
        try:
            while not self._over:
                self._turn()
            self._outbox.flush()
        except BaseException as error:  # noqa: BLE001 - whatever it is, each download has its outcome
            self._die(error)
        finally:
            self._engine.close()
            self._gone = True
            self._settle()

    def _turn(self) -> None:
        self._engine.turn(min(self._due))
        while not self._inbox.empty():
            self._inbox.get()()
        now = self._clock.ticks()
        for number, (every, act) in enumerate(self._timers):
            if self._due[number] <= now:
                act()
                self._due[number] = now + every
        if not self._over:
            self._engine.fill()

    def _die(self, error: BaseException) -> None:
        """End all downloads by name, also those that are still to come: this worker is of no use any more."""
        try:
            failure = internal(error)
            while True:
                self._engine.stop(failure, failure.message)
                self._outbox.flush()
                if self._over:
                    return
                self._inbox.get()()
        except BaseException:  # noqa: BLE001 - without memory for that either, nobody would ever hear of its downloads
            self._ports.give_up()

    def _stop(self, reason: Failure, unbegun: str) -> None:
        self._engine.stop(reason, unbegun)
        self._over = True

    def _end(self) -> None:
        self._over = True

    def _tell_progress(self) -> None:
        if self._show is not None:
            self._show(self._engine.progress_made())
