"""Signals as a wish to stop in order: the first is passed on, the second ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Whether the run was told to stop, and by which signal. `on_signal` says what to do; unset, KeyboardInterrupt is raised."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.on_signal: Callable[[int], None] | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.signal is not None:
            # Children notice that their input ends, and record what they have.
            os._exit(128 + number)
        self.signal = number
        if self.on_signal is None:
            raise KeyboardInterrupt
        self.on_signal(number)


@contextlib.contextmanager
def listening(wanted: bool) -> Iterator[Stop]:
    """Watch the signals that ask a program to end, if `wanted` and if this is the main thread; put back what was there afterwards."""
    stop = Stop()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [getattr(signal, name) for name in _WATCHED if hasattr(signal, name)]
    # A signal that the caller ignores (nohup) stays ignored.
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
