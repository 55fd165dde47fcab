"""Whoever puts an object asks here first whether its run still holds the destination's lock: another process may have to be told.

    <work>/.marscore/lease    until when the lock surely is this run's, in seconds since the machine's start; 0: it is not any more

`Lease` writes it with each renewal; every process of the run reads it before it puts something. A run that was stopped (Ctrl-Z, a machine
that slept) renews nothing, and what is left of it puts nothing from then on: it waits until the lock was renewed, or is known to be lost.
What remains are the requests that were on their way when it was stopped, with the library's own repetitions of them, three minutes at most:
they are refused by the store, since each says what it replaces (`objects`), or are given up (`parts`). Whoever comes back from one of them
after the lock was lost says that it failed.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from marscore.errors import StorageError
from marscore.values import Failure

_NAME = "lease"
#: Seconds between two looks, and how long one who puts waits for a renewal that is late.
_LOOK_EVERY, _PATIENCE = 0.2, 60.0
_LOST = Failure("store", "the lock of this destination is not held any more: another run may have taken it")


def now() -> float:
    """Seconds since the machine's start, alike in all its processes, with those in which it slept where the system counts them."""
    # That of macOS counts them under this name, unlike the one of time.monotonic.
    clock = getattr(time, "CLOCK_BOOTTIME", None) or (getattr(time, "CLOCK_MONOTONIC", None) if sys.platform == "darwin" else None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Fence:
    """That of one run, for each of its processes."""

    def __init__(self, own: Path) -> None:
        """`own` is the folder of marscore's own where the run works."""
        self._file = own / _NAME
        self._turn = threading.Lock()
        self._fallen = False

    def stand(self, until: float) -> None:
        """Let objects be put until then, by `now`.

        Raises:
            OSError: that cannot be noted.
        """
        with self._turn:
            if not self._fallen:
                self._write(until)

    def _write(self, until: float) -> None:
        beside = self._file.with_name(f"{_NAME}.new")
        beside.write_text(repr(until))
        beside.replace(self._file)

    def fall(self) -> None:
        """Let nothing be put any more, nor stand again."""
        with self._turn:
            self._fallen = True
            try:
                self._write(0.0)
            except OSError:
                # A full disk. One that is not there has fallen, too.
                with contextlib.suppress(OSError):
                    self._file.unlink()

    def demand(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Return where something may be put now, if need be after a renewal that is late.

        Raises:
            StorageError: the lock is lost, or was not renewed for long; or nothing is `wanted` any more.
        """
        until = now() + _PATIENCE
        while (stands := self._stands_until()) <= now():
            if stands == 0.0 or now() >= until or not wanted():
                raise StorageError(_LOST)
            time.sleep(_LOOK_EVERY)

    def stands(self) -> bool:
        """Whether something may be put now; one that is late may stand again."""
        return self._stands_until() > now()

    def _stands_until(self) -> float:
        try:
            return float(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return 0.0
        except OSError:
            # Nobody knows, as with one that is late.
            return -math.inf
