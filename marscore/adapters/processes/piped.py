"""A child process that runs a program of marscore's own, and what is said to it and by it.

A child is started as a fresh interpreter that imports marscore and nothing of the caller's program, on every system: a script without an
`if __name__ == "__main__"` guard works. It speaks frames of pickle over its standard input and output; nothing about the job stands on
its command line. When its input ends, because the parent closed it or died, it leaves.

    say --> [writer thread] --stdin--> child --stdout--> [listener thread] --> heard

A pipe holds 64 KiB: who writes to a child that reads nothing stands still with it. So a thread of each child writes to it, and another
listens; who has it only puts values in a queue.
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
from collections.abc import Callable, Sequence
from typing import IO, Any

from marscore.adapters.processes.frames import TOO_LITTLE, read_frame, write_frame
from marscore.adapters.state.lock import LEAVE
from marscore.values import internal


def boot(program: str) -> str:
    """The code that a child begins with: it runs `main` of a module of `marscore.adapters.processes`.

    A parent that is killed before it wrote a whole line is nobody to be told anything. What else goes wrong before there is anybody to
    speak for the child is one line: its name, and no traceback.
    """
    return f"""
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
        from marscore.adapters.processes.{program} import main
    main()
except BaseException as error:
    try:
        os.write(2, f"marscore: a worker process cannot work: {{type(error).__name__}}: {{error}}\\n".encode(errors="replace"))
    finally:
        os._exit({TOO_LITTLE})
"""


class Child:
    """One such process. No call waits for it, but for `reap`; raises OSError where the system starts none.

    `heard` takes what it says, and `ended` its exit code and why it was ended from here, if it was, once that is all: in its own thread.
    `errors` is where its standard error goes, as for Popen; None: to this process's.
    """

    def __init__(
        self,
        program: str,
        name: str,
        heard: Callable[[Any], None],
        ended: Callable[[int, str | None], None],
        pass_fds: Sequence[int] = (),
        errors: int | None = None,
    ) -> None:
        self._heard, self._ended = heard, ended
        #: What is to be written to it, in order; None closes its input.
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._trouble: str | None = None
        if not sys.executable:
            # Python is part of another program, and nobody knows which one runs it.
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        # A session of its own: a signal to the terminal's group reaches the parent, which knows how to stop what it has started in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a constant
            [sys.executable, "-c", boot(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=os.name == "posix",
            pass_fds=pass_fds,
        )
        try:
            threading.Thread(target=self._write, name=f"marscore-to-{name}", daemon=True).start()
            threading.Thread(target=self._listen, name=f"marscore-{name}", daemon=True).start()
        except BaseException as error:
            self.close_input()
            self.reap(time.monotonic())
            if isinstance(error, RuntimeError):
                raise OSError(errno.EAGAIN, "") from None
            raise

    def say(self, value: Any) -> None:
        """Have it told something."""
        self._said.put(value)

    def kill(self) -> None:
        """End it, also where it stands still."""
        self._process.kill()

    def close_input(self) -> None:
        """Let it know, after all that it was told before, that nobody wants more of it."""
        self._said.put(None)

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

    def _write(self) -> None:
        """Write what is said as the child takes it; the only one who touches its input."""
        stream = self._process.stdin
        assert stream
        try:
            stream.write(json.dumps(sys.path).encode() + b"\n")
            while (value := self._said.get()) is not None:
                write_frame(stream, value)
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
            while (value := read_frame(stream)) is not None:
                self._heard(value)
        except BaseException as error:  # noqa: BLE001 - what it has to say cannot be heard any more
            self._give_up(error)
        finally:
            code = self._end()
            _close(stream)
            self.close_input()
            self._ended(code, self._trouble)

    def _end(self) -> int:
        try:
            return self._process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stream.close()
