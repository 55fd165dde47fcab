"""Text to one place, written by a thread of its own: a reader who takes nothing holds up nobody who has to hear a signal.

    write --queue--> thread --target--> terminal, pipe, file

A slow reader slows the run down, as with any pipe. One who takes nothing for ten seconds while 4 MiB wait gets no more until he reads
again; whoever writes knows what he missed. Once the run is told to stop, it waits for a reader who takes nothing half a second in all.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TextIO

from marscore.adapters.terminal.streams import QuietStream

#: Characters that may wait: some ten thousand lines of a log.
_MOST = 4 * 1024 * 1024
#: Characters that are written at once; what a reader takes shows after each.
_PIECE = 16 * 1024
#: Seconds that a reader may take nothing.
_PATIENCE = 10.0
#: Seconds between two looks at whether the run is told to stop, and how many of them its reader may then take nothing, in all.
_LOOK_EVERY, _LOOKS = 0.05, 10
_PIPE_BUF = 512


class Target(Protocol):
    """Where text ends up. Both raise OSError or ValueError where it is closed or broken."""

    def write(self, text: str) -> object:
        """Write it all, however long that takes."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Descriptor:
    """A descriptor, which is this object's own from now on. What the encoding cannot hold is written as an escape."""

    def __init__(self, descriptor: int, encoding: str = "utf-8") -> None:
        self._descriptor = descriptor
        self._encoding = encoding

    def write(self, text: str) -> None:
        write_all(self._descriptor, text.encode(self._encoding, "backslashreplace"))

    def close(self) -> None:
        os.close(self._descriptor)


class Stream:
    """A stream that a program has put somewhere; it stays open. None is silent."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = QuietStream(stream)

    def write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        pass


def is_descriptor(stream: TextIO | None) -> bool:
    """Whether a stream is Python's own on a descriptor, and nothing that a program has put in its place."""
    buffer = getattr(stream, "buffer", None)
    return isinstance(getattr(buffer, "raw", buffer), io.FileIO)


def target_of(stream: TextIO | None) -> Target:
    """A standard stream as a target: by its descriptor where it is Python's own, so that no lock of the stream is held meanwhile."""
    if stream is not None and is_descriptor(stream):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            return Descriptor(os.dup(stream.fileno()), stream.encoding)
    return Stream(stream)


class Writer:
    """Writes to one target, which is closed with it. Goes quiet for good when the target is broken. Safe to share between threads."""

    def __init__(self, target: Target, hurried: Callable[[], bool] = lambda: False, patience: float = _PATIENCE) -> None:
        """Begin nothing yet.

        Args:
            target: where text goes.
            hurried: whether the run is told to stop.
            patience: seconds that a reader may take nothing.
        """
        self._target = target
        self._hurried = hurried
        self._patience = patience
        self._changed = threading.Condition()
        self._texts: deque[str] = deque()
        #: Characters that are not written yet, those that are being written included.
        self._left = 0
        self._taken_at = time.monotonic()
        self._looks_left = _LOOKS
        self._thread: threading.Thread | None = None
        #: Why the target takes nothing any more, once it does not: what was lost is its owner's to tell.
        self.broken: OSError | ValueError | None = None
        #: `drain` has waited, and nothing was taken since then.
        self._given_up = False
        self._closing = self._over = False

    def write(self, text: str, wait: bool = True) -> bool:
        """Have text written; says whether it will be. Without `wait`, there has to be room for it now."""
        with self._changed:
            if self._over or self._closing:
                return True
            if not self._left:
                self._taken_at = time.monotonic()
            if wait and not self._hurried():
                self._await(lambda: self._left < _MOST, until_hurried=True)
            if self._left >= _MOST:
                return False
            self._texts.append(text)
            self._left += len(text)
            if self._thread is None:
                self._begin()
            self._changed.notify_all()
        return True

    def drain(self) -> bool:
        """Wait until all is written; says whether it is. A reader who takes nothing is waited for once."""
        with self._changed:
            if not self._given_up:
                self._taken_at = time.monotonic()
            self._await(lambda: not self._left)
            self._given_up = bool(self._left)
            return not self._left

    def close(self) -> None:
        """Write what is left, if the reader takes it, and close the target. Never raises; harmless when repeated."""
        self.drain()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
            if thread is None and not self._over:
                self._end()
        if thread is not None:
            # It ends now, or when the reader reads again, or with the process.
            thread.join(0 if self._left else 1)

    def _await(self, done: Callable[[], bool], until_hurried: bool = False) -> None:
        """Wait until this is so, the target is broken, or its reader has taken nothing for too long."""
        while not done() and not self._over:
            if self._hurried() and (until_hurried or self._looks_left <= 0):
                return
            if time.monotonic() - self._taken_at >= self._patience:
                return
            if not self._changed.wait(_LOOK_EVERY) and self._hurried():
                self._looks_left -= 1

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work, name="marscore-writer", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            # The system starts no more threads: written by whoever comes.
            try:
                self._target.write(self._texts.popleft())
                self._left = 0
            except (OSError, ValueError) as error:
                self.broken = error
                self._end()
            return
        self._thread = thread

    def _work(self) -> None:
        try:
            while (text := self._next()) is not None:
                for start in range(0, len(text), _PIECE):
                    piece = text[start : start + _PIECE]
                    self._target.write(piece)
                    with self._changed:
                        self._left -= len(piece)
                        self._taken_at = time.monotonic()
                        self._given_up = False
                        self._changed.notify_all()
        except (OSError, ValueError) as error:
            self.broken = error
        finally:
            self._end()

    def _next(self) -> str | None:
        with self._changed:
            while not self._texts:
                if self._closing:
                    return None
                self._changed.wait()
            return self._texts.popleft()

    def _end(self) -> None:
        """Go quiet for good, and let go of the target."""
        with self._changed:
            self._over = True
            self._texts.clear()
            self._left = 0
            self._changed.notify_all()
        try:
            self._target.close()
        except (OSError, ValueError) as error:
            # Where a disk is another machine's, that is when it says that it is full.
            self.broken = self.broken or error


def write_all(descriptor: int, data: bytes, patience: float | None = None) -> None:
    """Write it all, also where a program that shares the descriptor has made it non-blocking.

    Args:
        descriptor: where to.
        data: what.
        patience: seconds that its reader may take nothing; without it, any time.

    Raises:
        OSError: it is broken; TimeoutError: its reader takes nothing.
    """
    left = memoryview(data)
    while left:
        if patience is not None and not _writable(descriptor, patience):
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        try:
            # A pipe that is ready takes so much without waiting (pipe(7), PIPE_BUF).
            left = left[os.write(descriptor, left if patience is None else left[:_PIPE_BUF]) :]
        except BlockingIOError:
            _writable(descriptor, None)


def _writable(descriptor: int, patience: float | None) -> bool:
    """Wait until it takes something, where the system can say so."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if patience is None else patience * 1000))
