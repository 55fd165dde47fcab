"""An engine's client in a process of its own: requests and replies as frames over pipes, many under way at once.

    run --(number, operation, arguments)--> gateway process: the engine's client
        <--(number, outcome, value)--

For a client that may end the process that it is in, as Ray's does a minute after its cluster is gone: that must not be the run, which has
files to claim and a report to write. It also has a standard error of its own, which nobody is shown.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, Literal, TypeAlias

from marscore.adapters.cluster.engine import EngineError, LineError
from marscore.adapters.processes.frames import read_frame, write_frame

#: What came of a request: a value, or which error its text is of.
Outcome: TypeAlias = Literal["done", "late", "lost", "gone"]
#: Seconds that the process gets to end in order, once its input has ended; then it is ended.
_LEAVE_WITHIN = 5.0
_BOOT = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from {module} import main
main()
"""


class Gateway:
    """The process, as the run holds it; called from any thread."""

    def __init__(self, module: str, name: str) -> None:
        """Start it.

        Args:
            module: the one whose `main` serves requests.
            name: what the engine is called where it is gone.

        Raises:
            OSError: the system starts none.
        """
        self.name = name
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._awaited: dict[int, queue.SimpleQueue[tuple[Outcome, Any]]] = {}
        self._is_gone = False
        # A session of its own: a signal to the terminal's group is the run's matter.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a module of ours
            [sys.executable, "-c", _BOOT.format(module=module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(sys.path).encode() + b"\n")
        threading.Thread(target=self._listen, name="marscore-gateway", daemon=True).start()

    def call(self, operation: str, *arguments: object, within: float | None = None) -> Any:
        """Have something done there; waits for it, for `within` seconds, or until it is done.

        Raises:
            TimeoutError: it takes longer.
            LineError: the other end of a line is lost.
            EngineError: the engine is gone, or this process.
        """
        number, reply = next(self._numbers), queue.SimpleQueue[tuple[Outcome, Any]]()
        with self._guard:
            self._awaited[number] = reply
            gone = self._is_gone
            if not gone:
                self._send((number, operation, arguments))
        try:
            outcome, value = ("gone", "") if gone else reply.get(timeout=within)
        except queue.Empty:
            raise TimeoutError from None
        finally:
            with self._guard:
                self._awaited.pop(number, None)
        if outcome == "done":
            return value
        if outcome == "late":
            raise TimeoutError
        if outcome == "lost":
            raise LineError(value)
        raise EngineError(value or f"{self.name} is gone; run again to go on")

    def close(self) -> None:
        """End it."""
        # Beside: who is writing to one that reads nothing has to be waited for.
        threading.Thread(target=self._close_input, name="marscore-gateway-close", daemon=True).start()
        try:
            self._process.wait(_LEAVE_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_input(self) -> None:
        stream = self._process.stdin
        assert stream
        with contextlib.suppress(OSError):
            stream.close()

    def _send(self, request: tuple[int, str, tuple[object, ...]]) -> None:
        stream = self._process.stdin
        assert stream
        # Its end is told by who listens; a stream that is closed is one of a run that is over.
        with contextlib.suppress(OSError, ValueError):
            write_frame(stream, request)

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream
        try:
            while (reply := read_frame(stream)) is not None:
                number, outcome, value = reply
                with self._guard:
                    awaited = self._awaited.get(number)
                if awaited is not None:
                    awaited.put((outcome, value))
        finally:
            with self._guard:
                self._is_gone = True
                for awaited in self._awaited.values():
                    awaited.put(("gone", ""))


def serve(answer: Callable[[str, tuple[Any, ...]], tuple[Outcome, Any]]) -> None:
    """Answer requests until the input ends, each in a thread, and the first in this one; returns then.

    What is printed goes to standard error.
    """
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = threading.Lock()

    def act(number: int, operation: str, arguments: tuple[Any, ...]) -> None:
        outcome, value = answer(operation, arguments)
        with lock, contextlib.suppress(OSError):
            write_frame(out, (number, outcome, value))

    stream: IO[bytes] = sys.stdin.buffer
    if (first := read_frame(stream)) is not None:
        act(*first)
    while (request := read_frame(stream)) is not None:
        threading.Thread(target=act, args=request, daemon=True).start()
