"""Where what a program prints goes: to standard error, with an end to its last line, so that the log's next one is whole.

terminal       given to the program itself
regular file   given to the program itself; how its text ends is read from the file afterwards
pipe, socket   the program gets a pipe, and a thread passes on what comes: only so can be known how it ended
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
import time
from typing import Protocol

from marscore.adapters.terminal.writer import write_all

_AT_ONCE = 64 * 1024
#: Seconds after which nothing more is expected of a pipe whose program is over, and that something else still holds open.
_QUIET = 0.2
_LOOK_EVERY = 0.01


class ProgramOutput(Protocol):
    """Standard output and error of one program: `descriptor` is what it is given."""

    descriptor: int

    def started(self) -> None:
        """The program has its descriptor, or there is none."""

    def end_line(self, patience: float) -> None:
        """The program is over: end the last line that it printed, if it did not. What is on its way is waited for so many seconds."""


def program_output() -> ProgramOutput:
    """The one that fits our standard error; where there is none, what is printed is dropped."""
    try:
        sys.stderr.flush()
        ours = sys.stderr.fileno()
        mode = os.fstat(ours).st_mode
    except (AttributeError, OSError, ValueError):
        return _AsItIs(subprocess.DEVNULL)
    if stat.S_ISREG(mode) and hasattr(os, "pread"):
        return _ToFile(ours)
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        with contextlib.suppress(OSError, RuntimeError):
            return _PassedOn(ours)
    return _AsItIs(ours)


class _AsItIs:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def started(self) -> None:
        """There is nothing to do."""

    def end_line(self, patience: float) -> None:
        """How it ended nobody can tell, or nobody minds."""


class _ToFile(_AsItIs):
    """A file's place is shared with the program: where that has moved, something was printed."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._before = os.lseek(descriptor, 0, os.SEEK_CUR)

    def end_line(self, patience: float) -> None:
        with contextlib.suppress(OSError):
            now = os.lseek(self.descriptor, 0, os.SEEK_CUR)
            if now > self._before and self._byte_before(now) != b"\n":
                write_all(self.descriptor, b"\n")

    def _byte_before(self, place: int) -> bytes:
        # It may be open for writing only.
        reading = os.open(f"/dev/fd/{self.descriptor}", os.O_RDONLY)
        try:
            return os.pread(reading, 1, place - 1)
        finally:
            os.close(reading)


class _PassedOn:
    """A pipe, and a thread that passes on what comes; it belongs to the thread that made it, which alone calls it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._source, self.descriptor = os.pipe()
        #: What came last, and when; and whether something came that is not passed on yet. Told by the thread.
        self._last, self._at = b"\n", time.monotonic()
        self._holds = False
        self._thread = threading.Thread(target=self._work, name="marscore-hook-output", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            os.close(self._source)
            os.close(self.descriptor)
            raise

    def started(self) -> None:
        os.close(self.descriptor)

    def end_line(self, patience: float) -> None:
        """Wait for what is on its way, but not for what goes on in the background with the pipe open."""
        self._at = now = time.monotonic()
        until = now + patience
        while self._thread.is_alive() and now < until and (self._holds or now - self._at < _QUIET):
            self._thread.join(_LOOK_EVERY)
            now = time.monotonic()
        if self._last != b"\n":
            with contextlib.suppress(OSError):
                # A reader who takes nothing is none of ours to wait for.
                write_all(self._target, b"\n", _QUIET)

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._source, _AT_ONCE):
                self._holds = True
                write_all(self._target, data)
                self._last, self._at = data[-1:], time.monotonic()
                self._holds = False
        os.close(self._source)
