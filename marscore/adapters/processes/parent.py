"""A worker process as its parent holds it.

A child is started as a fresh interpreter that imports marscore and nothing of the caller's program, on every system: a script without an
`if __name__ == "__main__"` guard works. It speaks frames of pickle over its standard input and output; nothing about the job stands on
its command line. When its input ends, because the parent closed it or died, it records what it has and leaves.

    supervisor --orders--> [writer thread] --stdin--> child --stdout--> [listener thread] --> inbox

A pipe holds 64 KiB: who writes to a child that reads nothing stands still with it. So a thread of each child writes to it, and another
listens; the supervisor, who serves all others, the timers and signals, only puts orders in a queue.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import IO, Any

from marscore.adapters.processes.frames import TOO_LITTLE, Call, read_frame, write_frame
from marscore.adapters.processes.orders import Orders
from marscore.adapters.processes.shared_progress import SharedProgress
from marscore.adapters.state.lock import LEAVE
from marscore.execute.supervisor.messages import Gone, Inbox
from marscore.execute.worker.setup import WorkerSettings
from marscore.values import internal

#: A parent that is killed before it wrote a whole line is nobody to be told anything. What else goes wrong before there is anybody to speak
#: for the child is one line: its name, and no traceback.
_BOOT = f"""
import os, sys
try:
    import json, signal
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\\n"):
        os._exit(0)
    sys.path[:] = json.loads(line)
    from marscore.adapters.imports import only_needed
    with only_needed():
        from marscore.adapters.processes.child import main
    main()
except BaseException as error:
    try:
        os.write(2, f"marscore: a worker process cannot work: {{type(error).__name__}}: {{error}}\\n".encode(errors="replace"))
    finally:
        os._exit({TOO_LITTLE})
"""


class ChildHandle(Orders):
    """Implements `handles.WorkerHandle`. No call waits for the child, but for `reap`."""

    def __init__(self, number: int, settings: WorkerSettings, inbox: Inbox, folder_lock: int | None, shared: SharedProgress | None) -> None:
        self._number = number
        self._shared = shared
        self._inbox = inbox
        #: What is to be written to it, in order; None closes its input.
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._told_to_leave = False
        #: Why it was ended from here, if it was.
        self._trouble: str | None = None
        # A session of its own: a signal to the terminal's group reaches the parent, which knows how to stop its workers in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a constant
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=os.name == "posix",
            # Held until the last child is gone, should this process be killed.
            pass_fds=[fd for fd in (folder_lock, settings.shared) if fd is not None],
        )
        self._orders.put(settings)
        try:
            threading.Thread(target=self._write, name=f"marscore-to-child-{number}", daemon=True).start()
            threading.Thread(target=self._listen, name=f"marscore-child-{number}", daemon=True).start()
        except RuntimeError:
            self.close_input()
            self.reap(time.monotonic())
            raise OSError(errno.EAGAIN, "") from None

    def kill(self) -> None:
        """End it, also where it stands still."""
        self._process.kill()

    def close_input(self) -> None:
        """Let it know, after all that it was told before, that nobody wants more of it: it records what it has, and leaves."""
        self._orders.put(None)

    def reap(self, until: float) -> bool:
        """Wait for its end, and bring it about at this moment of the monotonic clock; returns whether it has come."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, until - time.monotonic()))
            return True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE)
            return True
        return False

    def _pass_on(self, call: Call) -> None:
        self._told_to_leave |= call.method in ("stop", "close")
        self._orders.put(call)

    def _write(self) -> None:
        """Write orders as the child takes them; the only one who touches its input."""
        stream = self._process.stdin
        assert stream
        try:
            stream.write(json.dumps(sys.path).encode() + b"\n")
            while (order := self._orders.get()) is not None:
                write_frame(stream, order)
        except OSError:
            # It died: the listener says so.
            pass
        except BaseException as error:  # noqa: BLE001 - it would wait for ever for what cannot be told
            self._give_up(error)
        finally:
            _close(stream)

    def _give_up(self, error: BaseException) -> None:
        self._trouble = f"it cannot be spoken with: {internal(error).message}"
        self._process.kill()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream
        try:
            while (message := read_frame(stream)) is not None:
                self._inbox.put(replace(message, worker=self._number))
        except BaseException as error:  # noqa: BLE001 - what it has to say cannot be heard any more
            self._give_up(error)
        finally:
            reason = self._end()
            _close(stream)
            self.close_input()
            self._inbox.put(Gone(self._number, reason))

    def _end(self) -> str | None:
        try:
            code = self._process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._shared is not None:
            # Its files are another's from now on, or nobody's. Where nobody looks any more, the memory may be gone.
            with contextlib.suppress(ValueError):
                self._shared.show(())
        if self._trouble is not None:
            return self._trouble
        if self._told_to_leave and code == 0:
            return None
        if code == TOO_LITTLE:
            return "the system gives it too little to work with"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stream.close()
