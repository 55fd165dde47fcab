"""What a worker does a few times a second, whatever its threads do: send events, show progress, look around, give a sign of life."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Seconds between two batches of events; a batch goes at once when there is nothing left to do.
FLUSH_EVERY = 0.05
#: Seconds between two readings of the progress counters.
PROGRESS_EVERY = 0.2
#: Seconds between two signs of life.
BEAT_EVERY = 1.0


class Ticker:
    """Calls each of these in a thread of its own, as often as it is due, until `end`; `on_death` if one of them raises."""

    def __init__(self, flush: Callable[[], None], show: Callable[[], None], beat: Callable[[], None]) -> None:
        self._beat = beat
        self._due = [(1, flush), (round(PROGRESS_EVERY / FLUSH_EVERY), show), (round(BEAT_EVERY / FLUSH_EVERY), beat)]
        self.on_death: Callable[[BaseException], None] = lambda error: None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="marscore-ticker", daemon=True)

    def start(self) -> None:
        """Begin, with a first sign of life: who dies without it never started."""
        self._thread.start()
        self._beat()

    def end(self) -> None:
        """Call nothing any more."""
        self._done.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _tick(self) -> None:
        count = 1
        try:
            while not self._done.wait(FLUSH_EVERY):
                for every, call in self._due:
                    if count % every == 0:
                        call()
                count += 1
        except BaseException as error:  # noqa: BLE001 - nobody would hear of anything any more
            self.on_death(error)
