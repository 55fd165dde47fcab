"""What a child process runs: one worker, told what to do over standard input.

frames of Call --stdin--> Worker --stdout--> frames of Batch, Paused, Paced and Alive
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import IO, TYPE_CHECKING

from marscore.adapters.processes.assembly import make_worker
from marscore.adapters.processes.frames import BROKEN, TOO_LITTLE, Call, read_frame, write_frame
from marscore.adapters.terminal.streams import occupy_standard_descriptors
from marscore.execute.supervisor.messages import Alive, Batch, Paced, Paused, Returned
from marscore.execute.worker.setup import WorkerSettings
from marscore.values import Failure

if TYPE_CHECKING:
    from marscore.execute.worker.thread import Worker

_ORPHANED = Failure("interrupted", "the run was ended from outside")


def main() -> None:
    """Serve the parent until its input ends; then leave without waiting for threads that hang in a dial.

    Signals that ask a program to end are ignored by now: the parent is told too, and tells its workers to stop in order; where it died, our
    input ends.
    """
    occupy_standard_descriptors()
    # Frames get a descriptor of their own: whatever is printed goes to standard error and not between them.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, out)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(0)


def _serve(commands: IO[bytes], out: IO[bytes]) -> None:
    settings = read_frame(commands)
    if not isinstance(settings, WorkerSettings):
        return
    lock = threading.Lock()

    def send(message: Batch | Paused | Paced | Returned | Alive) -> None:
        try:
            with lock:
                write_frame(out, message)
        except OSError:
            # The parent is gone; the end of our input says the same.
            return

    worker = make_worker(settings, 0, send, _leave)
    worker.on_pause(lambda host, seconds: send(Paused(0, host, seconds)))
    worker.on_pace(lambda host: send(Paced(0, host)))
    worker.on_return(lambda ids: send(Returned(0, ids)))
    worker.start()
    _obey(worker, commands)


def _leave(why: Failure | None) -> None:
    """Who holds this process hears of its end, and gives its downloads to another."""
    os._exit(TOO_LITTLE if why is None or why.kind == "resources" else BROKEN)


def _obey(worker: Worker, commands: IO[bytes]) -> None:
    while isinstance(call := read_frame(commands), Call):
        getattr(worker, call.method)(*call.arguments)
        if call.method in ("stop", "close"):
            return
    worker.stop(_ORPHANED, _ORPHANED.message)
