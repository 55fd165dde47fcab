"""Workers where they run: in this process, or each in a child process of its own.

A child is started as a fresh interpreter that imports marscore and nothing of the caller's program, on every system: a script without an
`if __name__ == "__main__"` guard works. It speaks frames of pickle over its standard input and output; nothing about the job stands on
its command line. When its input ends, because the parent closed it or died, it records what it has and leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any

from marscore.adapters.gauge import Gauge, new_gauge
from marscore.adapters.storage import storage_error
from marscore.events import ProgressMade
from marscore.execute.messages import Gone, Inbox, Paused
from marscore.execute.protocol import Work
from marscore.execute.worker import Share, WorkerSettings
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

    def __init__(self, settings: WorkerSettings, inbox: Inbox, lock: int | None = None) -> None:
        self._each = settings
        self._inbox = inbox
        self._lock = lock
        self._gauges: list[Gauge] = []

    def readings(self) -> list[ProgressMade]:
        """How far the files of all workers are, as far as they tell it by shared memory."""
        return [reading for gauge in self._gauges for reading in gauge.read()]

    def close(self) -> None:
        """Let go of what the workers shared, once nobody reads it any more."""
        while self._gauges:
            self._gauges.pop().close()

    def here(self, number: int, share: Share) -> _Here:
        """A worker in this process."""
        return _Here(number, self._settings(share), self._inbox)

    def child(self, number: int, share: Share) -> _Child:
        """A worker in a process of its own.

        Raises:
            StorageError: the system starts none: too many processes or open files, too little memory.
        """
        try:
            settings = self._settings(share)
            gauge = self._gauges[-1] if settings.gauge is not None else None
            return _Child(number, settings, self._inbox, self._lock, gauge)
        except OSError as error:
            raise storage_error(error, "cannot start a worker process") from error

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

    def _leave(self, act: Callable[[], None]) -> None:
        def leave() -> None:
            act()
            self._inbox.put(Gone(self._number))

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
        threading.Thread(target=self._listen, name=f"marscore-child-{number}", daemon=True).start()

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
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()
        if self._told_to_leave and code == 0:
            return None
        return f"signal {-code}" if code < 0 else f"exit code {code}"
