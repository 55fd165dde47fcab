"""Whoever puts an object asks here first whether its run still holds the destination's lock: another process may have to be told.

    <work>/.marscore/lease    until when the lock surely is this run's, in seconds since the machine's start; 0: it is not any more

`Lease` writes it with each renewal; every process of the run reads it before it puts something. A run that was stopped (Ctrl-Z, a machine
that slept) renews nothing, and what is left of it puts nothing from then on: it waits until the lock was renewed, or is known to be lost.
What remains is the one request that was on its way when it was stopped.
"""

from __future__ import annotations

import contextlib
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
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Fence:
    """That of one run, for each of its processes."""

    def __init__(self, own: Path) -> None:
        """`own` is the folder of marscore's own where the run works."""
        self._file = own / _NAME

    def stand(self, until: float) -> None:
        """Let objects be put until then, by `now`.

        Raises:
            OSError: that cannot be noted.
        """
        beside = self._file.with_name(f"{_NAME}.new")
        beside.write_text(repr(until))
        beside.replace(self._file)

    def fall(self) -> None:
        """Let nothing be put any more."""
        with contextlib.suppress(OSError):
            self.stand(0.0)

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

    def _stands_until(self) -> float:
        try:
            return float(self._file.read_text())
        except (OSError, ValueError):
            return 0.0
