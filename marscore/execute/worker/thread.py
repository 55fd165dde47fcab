"""One process's share of the run, in one thread: its loop owns the board, the transfers, the timers and the connections.

    submit, pause, pace, widen, give_back, stop --inbox--> Loop.turn, again and again --> events, in batches

The same worker runs in the run's own process and in children.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable

from marscore.events import Event
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.loop import Loop
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.values import Failure

#: Seconds that a loop gets to end when the run stops.
STOP_GRACE = 1.5


class Worker:
    """Runs downloads in one thread. `send` takes batches of events."""

    def __init__(self, settings: WorkerSettings, ports: Ports, send: Callable[[list[Event]], None]) -> None:
        self._ports = ports
        self._loop = Loop(settings, ports, send)
        self._tell_return: Callable[[tuple[str, ...]], None] = lambda ids: None
        self._thread = threading.Thread(target=self._run, name="marscore-loop", daemon=True)

    # What others ask of it, from any thread

    def on_pause(self, tell: Callable[[str, float], None]) -> None:
        """Have `tell(host, seconds)` called when a server asks this process to wait, so that others hear of it."""
        self._loop.engine.commands.tell_pause = tell

    def on_pace(self, tell: Callable[[str], None]) -> None:
        """Have `tell(host)` called when this process begins to ask a host more slowly."""
        self._loop.engine.commands.tell_pace = tell

    def on_return(self, tell: Callable[[tuple[str, ...]], None]) -> None:
        """Have `tell(ids)` called with what `give_back` takes off this process's list."""
        self._tell_return = tell

    def start(self) -> None:
        """Start the loop.

        Raises:
            RuntimeError: the system starts no thread.
        """
        self._thread.start()

    def submit(self, works: Iterable[Work]) -> None:
        """Add downloads."""
        works = list(works)
        self._loop.say(lambda: self._loop.engine.take_in(works))

    def pause(self, host: str, seconds: float) -> None:
        """Hold back new requests to a host, as another process was asked to."""
        self._loop.say(lambda: self._loop.engine.pause(host, seconds))

    def pace(self, host: str) -> None:
        """Ask a host more slowly, as another process was made to."""
        self._loop.say(lambda: self._loop.engine.pace(host))

    def widen(self, share: Share) -> None:
        """Take a new share of the run's limits."""
        self._loop.say(lambda: self._loop.engine.widen(share))

    def give_back(self, most: int) -> None:
        """Give back at most so many downloads that were not begun: they are this process's no more once that is told."""
        self._loop.say(lambda: self._tell_return(self._loop.engine.give_back(most)))

    def narrow(self, share: Share) -> int:
        """Take a smaller share of the run's limits; return how many connections to one host are in use, which may still be more."""
        used = [0]
        told = threading.Event()

        def take() -> None:
            used[0] = self._loop.engine.narrow(share)
            told.set()

        self._loop.say(take)
        # A loop that does not answer in time may hold any number.
        return used[0] if told.wait(STOP_GRACE) else sys.maxsize

    def stop(self, reason: Failure, unbegun: str) -> None:
        """Stop at once: what was received is recorded, begun downloads end with `reason`, the others as skipped.

        Raises:
            RuntimeError: the loop does not end in its grace.
        """
        self._loop.say(lambda: self._loop.stop(reason, unbegun))
        self._join()

    def close(self) -> None:
        """End the loop, which has nothing to do any more, and send the last events."""
        self._loop.say(self._loop.end)
        self._join()

    def _join(self) -> None:
        if threading.current_thread() is not self._thread and self._thread.ident is not None:
            self._thread.join(STOP_GRACE)
            if self._thread.is_alive():
                raise RuntimeError("the loop does not end")

    def _run(self) -> None:
        loop = self._loop
        try:
            while not loop.over:
                loop.turn()
            loop.flush()
        except BaseException as error:  # noqa: BLE001 - whatever it is, each download has its outcome
            loop.die(error)
        finally:
            loop.close()
