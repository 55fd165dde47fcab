"""A worker process as its parent holds it: a child that runs `child.main`, told by orders and heard by the inbox.

    supervisor --orders--> Child --> inbox

The supervisor, who serves all workers, the timers and signals, only puts orders in a queue. When its input ends, a worker records what it
has and leaves.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from marscore.adapters.processes.frames import TOO_LITTLE, Call
from marscore.adapters.processes.orders import Orders
from marscore.adapters.processes.piped import Child
from marscore.adapters.processes.shared_progress import SharedProgress
from marscore.execute.supervisor.messages import Gone, Inbox
from marscore.execute.worker.setup import WorkerSettings


class ChildHandle(Orders):
    """Implements `handles.WorkerHandle`. No call waits for the child, but for `reap`."""

    def __init__(self, number: int, settings: WorkerSettings, inbox: Inbox, folder_lock: int | None, shared: SharedProgress | None) -> None:
        self._number = number
        self._shared = shared
        self._inbox = inbox
        self._told_to_leave = False
        # Held until the last child is gone, should this process be killed.
        held = [fd for fd in (folder_lock, settings.shared) if fd is not None]
        self._child = Child("child", f"child-{number}", self._hear, self._ended, held)
        self._child.say(settings)

    def kill(self) -> None:
        """End it, also where it stands still."""
        self._child.kill()

    def close_input(self) -> None:
        """Let it know, after all that it was told before, that nobody wants more of it: it records what it has, and leaves."""
        self._child.close_input()

    def reap(self, until: float) -> bool:
        """As `Child.reap`."""
        return self._child.reap(until)

    def _pass_on(self, call: Call) -> None:
        self._told_to_leave |= call.method in ("stop", "close")
        self._child.say(call)

    def _hear(self, message: Any) -> None:
        self._inbox.put(replace(message, worker=self._number))

    def _ended(self, code: int, trouble: str | None) -> None:
        if self._shared is not None:
            # Its files are another's from now on, or nobody's. Where nobody looks any more, the memory may be gone.
            with contextlib.suppress(ValueError):
                self._shared.show(())
        self._inbox.put(Gone(self._number, trouble or self._reason(code)))

    def _reason(self, code: int) -> str | None:
        if self._told_to_leave and code == 0:
            return None
        if code == TOO_LITTLE:
            return "the system gives it too little to work with"
        return f"signal {-code}" if code < 0 else f"exit code {code}"
