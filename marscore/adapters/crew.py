"""Workers where they run: in this process, or each in a child process of its own.

A child is started as a fresh interpreter that imports marscore and nothing of the caller's program, on every system: a script without an
`if __name__ == "__main__"` guard works. It speaks frames of pickle over its standard input and output; nothing about the job stands on
its command line. When its input ends, because the parent closed it or died, it records what it has and leaves.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any

from marscore.adapters.gauge import Gauge, new_gauge
from marscore.adapters.lock import Held
from marscore.adapters.storage import storage_error
from marscore.events import ProgressMade
from marscore.execute.messages import Gone, Inbox, Paused
from marscore.execute.protocol import Work
from marscore.execute.setup import Share, WorkerSettings
from marscore.frozen import dataclass
from marscore.values import Failure

_LENGTH = struct.Struct("!I")
_BOOT = """
import sys, json
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from marscore.adapters.lean import lean
with lean():
    from marscore.adapters.child import main
main()
"""
#: Seconds that a child which was told to leave gets before it is ended.
_LEAVE = 1.0
#: Seconds to wait for another thread that writes to a child just now.
_PATIENCE = 0.1
_ENDED = Failure("interrupted", "the run was ended by an error")


def write_frame(stream: IO[bytes], value: Any) -> None:
    """Write one value."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any | None:
    """Read one value; None at the end of the stream. The other end is this program itself, so pickle is safe here."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    data = stream.read(_LENGTH.unpack(head)[0])
    try:
        return pickle.loads(data)  # noqa: S301 - written by write_frame in our own parent or child
    except (EOFError, pickle.UnpicklingError):
        return None


@dataclass(frozen=True, slots=True)
class Call:
    """What the parent asks of a worker in a child: a method of Worker and its arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


class ProcessCrew:
    """Implements `handles.Crew`."""

    def __init__(self, settings: WorkerSettings, inbox: Inbox, lock: Held) -> None:
        self._each = settings
        self._inbox = inbox
        self._lock = lock
        self._here: list[_Here] = []
        self._children: list[_Child] = []
        self._gauges: list[Gauge] = []

    def readings(self) -> list[ProgressMade]:
        """How far the files of all workers are, as far as they tell it by shared memory."""
        return [reading for gauge in self._gauges for reading in gauge.read()]

    def close(self) -> None:
        """End the workers that are left, and let go of what they shared, once nobody reads it any more.

        After a run that went well none is left. After an exception here, none may go on by itself in a folder that others may lock.
        """
        for worker in self._here:
            worker.end()
        for child in self._children:
            child.close_input()
        until = time.monotonic() + _LEAVE
        self._children = [child for child in self._children if not child.reap(until)]
        self._lock.has_workers = bool(self._children)
        while self._gauges:
            self._gauges.pop().close()

    def here(self, number: int, share: Share) -> _Here:
        """A worker in this process."""
        worker = _Here(number, self._settings(share), self._inbox)
        self._here.append(worker)
        return worker

    def child(self, number: int, share: Share) -> _Child:
        """A worker in a process of its own.

        Raises:
            StorageError: the system starts none: too many processes or open files, too little memory.
        """
        try:
            settings = self._settings(share)
            gauge = self._gauges[-1] if settings.gauge is not None else None
            self._lock.has_workers = True
            child = _Child(number, settings, self._inbox, self._lock.descriptor, gauge)
        except OSError as error:
            raise storage_error(error, "cannot start a worker process") from error
        self._children.append(child)
        return child

    def _settings(self, share: Share) -> WorkerSettings:
        settings = replace(self._each, share=share)
        gauge = new_gauge() if settings.progress == "gauge" else None
        if gauge is None:
            return replace(settings, progress="events") if settings.progress == "gauge" else settings
        self._gauges.append(gauge)
        return replace(settings, gauge=gauge.handle)


class _Here:
    def __init__(self, number: int, settings: WorkerSettings, inbox: Inbox) -> None:
        # It brings all that sends and receives, which a parent of children never needs: a tenth of a second.
        from marscore.adapters.working import make_worker  # noqa: PLC0415  see above

        self._number = number
        self._inbox = inbox
        self._told_to_leave = False
        self._worker = make_worker(settings, number, inbox.put)
        self._worker.on_pause(lambda host, seconds: inbox.put(Paused(number, host, seconds)))
        self._worker.start()

    def submit(self, works: Sequence[Work]) -> None:
        self._worker.submit(works)

    def pause(self, host: str, seconds: float) -> None:
        self._worker.pause(host, seconds)

    def widen(self, share: Share) -> None:
        self._worker.widen(share)

    def narrow(self, share: Share) -> int:
        return self._worker.narrow(share)

    def stop(self, failure: Failure, unbegun: str) -> None:
        self._leave(lambda: self._worker.stop(failure, unbegun))

    def close(self) -> None:
        self._leave(self._worker.close)

    def kill(self) -> None:
        """Nothing can end a thread; its transfers are closed, so it has no effect any more."""

    def end(self) -> None:
        """Stop it now, if it was not told to leave."""
        if not self._told_to_leave:
            self._worker.stop(_ENDED, _ENDED.message)

    def _leave(self, act: Callable[[], None]) -> None:
        self._told_to_leave = True

        def leave() -> None:
            reason: str | None = "it could not end in order"
            try:
                act()
                reason = None
            finally:
                self._inbox.put(Gone(self._number, reason))

        threading.Thread(target=leave, name="marscore-leave", daemon=True).start()


class _Child:
    def __init__(self, number: int, settings: WorkerSettings, inbox: Inbox, folder_lock: int | None, gauge: Gauge | None) -> None:
        self._number = number
        self._gauge = gauge
        self._inbox = inbox
        self._lock = threading.Lock()
        self._told_to_leave = False
        # A session of its own: a signal to the terminal's group reaches the parent, which knows how to stop its workers in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a constant
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=os.name == "posix",
            # Held until the last child is gone, should this process be killed.
            pass_fds=[fd for fd in (folder_lock, settings.gauge) if fd is not None],
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(sys.path).encode() + b"\n")
        self._write(settings)
        try:
            threading.Thread(target=self._listen, name=f"marscore-child-{number}", daemon=True).start()
        except RuntimeError:
            self.reap(time.monotonic())
            raise OSError(errno.EAGAIN, "") from None

    def submit(self, works: Sequence[Work]) -> None:
        self._call("submit", list(works))

    def pause(self, host: str, seconds: float) -> None:
        self._call("pause", host, seconds)

    def widen(self, share: Share) -> None:
        self._call("widen", share)

    def stop(self, failure: Failure, unbegun: str) -> None:
        self._told_to_leave = True
        self._call("stop", failure, unbegun)

    def close(self) -> None:
        self._told_to_leave = True
        self._call("close")

    def kill(self) -> None:
        self._process.kill()

    def close_input(self) -> None:
        """Let it know that nobody wants more of it: it records what it has, and leaves."""
        # Who writes to a child that reads nothing holds the lock for as long as that.
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._close_streams(self._process.stdin)
            finally:
                self._lock.release()

    def reap(self, until: float) -> bool:
        """Wait for its end, and bring it about at this moment of the monotonic clock; returns whether it has come."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, until - time.monotonic()))
            return True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE)
            return True
        return False

    def _call(self, method: str, *arguments: Any) -> None:
        self._write(Call(method, arguments))

    def _write(self, value: Any) -> None:
        assert self._process.stdin
        try:
            with self._lock:
                # It may have left, and its message about that still lie in the inbox.
                if not self._process.stdin.closed:
                    write_frame(self._process.stdin, value)
        except OSError:
            # It died: the listener says so.
            return

    def _listen(self) -> None:
        assert self._process.stdout
        while (message := read_frame(self._process.stdout)) is not None:
            self._inbox.put(replace(message, worker=self._number))
        self._inbox.put(Gone(self._number, self._end()))

    def _end(self) -> str | None:
        assert self._process.stdin
        assert self._process.stdout
        try:
            code = self._process.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._gauge is not None:
            # Its files are another's from now on, or nobody's. Where nobody looks any more, the memory may be gone.
            with contextlib.suppress(ValueError):
                self._gauge.show(())
        with self._lock:
            self._close_streams(self._process.stdin, self._process.stdout)
        if self._told_to_leave and code == 0:
            return None
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _close_streams(self, *streams: IO[bytes] | None) -> None:
        for stream in streams:
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
