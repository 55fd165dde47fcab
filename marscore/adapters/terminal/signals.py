"""Signals as a wish to stop in order: the first does what the moment asks for, the second ends the process at once.

One that follows within half a second is the same wish, told twice: GNU timeout sends its signal to the process and to the group, and a
terminal's Ctrl-C reaches the group as well as whoever passes it on.

leave       before a run has begun: a line on standard error, and the end
interrupt   while a run looks at what is there: KeyboardInterrupt, which it catches
note        while it puts everything in order and writes its report: nothing, but it is known

A command takes them from its first line to its last, so this module is imported before all that takes time, and imports little.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")
#: Seconds after a signal in which another says nothing new.
SAME_WISH = 0.5


def leave(number: int) -> None:
    """Say so, and end the process."""
    with contextlib.suppress(OSError):
        # Not through a stream: what is interrupted may be writing to it. Nobody is waited for who does not read.
        if os.name != "posix" or select.select([], [2], [], 0)[1]:
            os.write(2, f"marscore: interrupted by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


class StopAsked(KeyboardInterrupt):
    """Somebody asked for the end, and no signal came."""


def interrupt(number: int) -> None:
    """Raise KeyboardInterrupt in whatever is going on."""
    raise KeyboardInterrupt


def note(number: int) -> None:
    """Do nothing: that it came is known, and who looks at it does what is to be done."""


class Stop:
    """Whether a run was told to stop, and by which signal; `on_signal` is what the first one does.

    `handled` says that signals are taken as that wish, as for a command; else KeyboardInterrupt is the caller's, who gets it in the end.
    """

    def __init__(self, handled: bool = True) -> None:
        self.handled = handled
        self.signal: int | None = None
        self._came = 0.0
        #: Whether it is the program's own wish, and no signal.
        self.asked = False
        self.on_signal: Callable[[int], None] = leave
        #: What ends with this process also where the second signal ends it at once, and what takes its display off the terminal then.
        self.before_exit: Callable[[], None] | None = None
        self.clear_display: Callable[[], None] | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        now = time.monotonic()
        if self.signal is not None and not self.asked and now - self._came < SAME_WISH:
            return
        if self.signal is not None:
            # Children notice that their input ends, and record what they have.
            if self.before_exit is not None:
                self.before_exit()
            if self.clear_display is not None:
                self.clear_display()
            os._exit(128 + number)
        self.signal, self._came = number, now
        self.on_signal(number)

    def ask(self, number: int) -> None:
        """Do as at the first signal, from whatever thread; where that would interrupt what is going on, `check` does so."""
        if self.signal is not None:
            return
        self.signal, self.asked = number, True
        act = self.on_signal
        if act not in (leave, interrupt):
            act(number)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Inside, a signal raises KeyboardInterrupt, and so does at once one that came before. Afterwards one is only noted.

        It is raised once at most, since the second signal ends the process: who catches it is not interrupted again.
        """
        self.on_signal = interrupt
        try:
            self.check()
            yield
        finally:
            self.on_signal = note

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self.signal is not None:
            raise StopAsked if self.asked else KeyboardInterrupt

    def take(self) -> dict[int, Any]:
        """Take the signals that ask a program to end; returns what was there. One that the caller ignores (nohup) stays ignored."""
        numbers = [getattr(signal, name) for name in _WATCHED if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, self.handle)
        return before


class _Command:
    """The process, where it is marscore's own."""

    stop: Stop | None = None


def take_for_good() -> None:
    """Take the signals until the process ends. For a command, in its main thread."""
    _Command.stop = Stop()
    _Command.stop.take()


def told_to_stop() -> bool:
    """Whether the process, where it is marscore's own, was told to stop."""
    return _Command.stop is not None and _Command.stop.signal is not None


@contextlib.contextmanager
def listening(wanted: bool) -> Iterator[Stop]:
    """Watch the signals, if `wanted` and if this is the main thread; put back what was there afterwards, unless they are taken for good."""
    if wanted and _Command.stop is not None:
        yield _Command.stop
        return
    stop = Stop(handled=wanted)
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = stop.take()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
