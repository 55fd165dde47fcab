"""Workers where they run: in this process, or each in a child process of its own (`child_handle`)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from marscore.adapters.files.failures import storage_error
from marscore.adapters.processes.shared_progress import SharedProgress, new_shared_progress
from marscore.adapters.state.lock import LEAVE, Held
from marscore.errors import StorageError
from marscore.events import ProgressMade
from marscore.execute.supervisor.messages import Gone, Inbox, Paced, Paused, Returned, StopRequested
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.values import Failure, internal

if TYPE_CHECKING:
    import requests

    from marscore.adapters.processes.parent import ChildHandle

_TOO_LITTLE = Failure("resources", "the system gives too little memory")
#: Made before it is needed, which is where there is no memory.
_GIVEN_UP = StopRequested(_TOO_LITTLE, _TOO_LITTLE.message)
_ENDED = Failure("interrupted", "the run was ended by an error")


class ProcessWorkerFactory:
    """Implements `handles.WorkerFactory`. A caller's `session` serves the worker in this process."""

    def __init__(self, settings: WorkerSettings, inbox: Inbox, lock: Held, session: requests.Session | None = None) -> None:
        self._each = settings
        self._inbox = inbox
        self._lock = lock
        self._session = session
        self._here: list[_Here] = []
        self._children: list[ChildHandle] = []
        self._shared: list[SharedProgress] = []

    def readings(self) -> list[ProgressMade]:
        """How far the files of all workers are, as far as they tell it by shared memory."""
        return [reading for shared in self._shared for reading in shared.read()]

    def close(self) -> None:
        """End the workers that are left, and let go of what they shared, once nobody reads it any more.

        After a run that went well none is left. After an exception here, none may go on by itself in a folder that others may lock.
        """
        try:
            for worker in self._here:
                worker.end()
        finally:
            self._end_children()
        while self._shared:
            self._shared.pop().close()

    def _end_children(self) -> None:
        for child in self._children:
            child.close_input()
        until = time.monotonic() + LEAVE
        self._children = [child for child in self._children if not child.reap(until)]
        self._lock.has_workers = bool(self._children)

    def here(self, number: int, share: Share) -> _Here:
        """A worker in this process.

        Raises:
            StorageError: the system gives it no thread, no memory, or not the open file to load it with.
        """
        try:
            worker = _Here(number, self._settings(share), self._inbox, self._session)
        except OSError as error:
            raise storage_error(error, "cannot load what fetches") from error
        except (RuntimeError, MemoryError) as error:
            raise StorageError(internal(error)) from error
        self._here.append(worker)
        return worker

    def child(self, number: int, share: Share) -> ChildHandle:
        """A worker in a process of its own.

        Raises:
            StorageError: the system starts none: too many processes or open files, too little memory.
        """
        try:
            from marscore.adapters.processes.parent import ChildHandle  # noqa: PLC0415 - most runs start no process, and it takes 3 ms

            settings = self._settings(share)
            shared = self._shared[-1] if settings.shared is not None else None
            self._lock.has_workers = True
            child = ChildHandle(number, settings, self._inbox, self._lock.descriptor, shared)
        except OSError as error:
            raise storage_error(error, "cannot start a worker process") from error
        except (RuntimeError, MemoryError) as error:
            raise StorageError(replace(internal(error), message=f"cannot start a worker process: {internal(error).message}")) from error
        self._children.append(child)
        return child

    def _settings(self, share: Share) -> WorkerSettings:
        settings = replace(self._each, share=share)
        shared = new_shared_progress() if settings.progress == "shared" else None
        if shared is None:
            return replace(settings, progress="events") if settings.progress == "shared" else settings
        self._shared.append(shared)
        return replace(settings, shared=shared.handle)


class _Here:
    place = ""

    def __init__(self, number: int, settings: WorkerSettings, inbox: Inbox, session: requests.Session | None) -> None:
        # It brings all that sends and receives, which a parent of children never needs: a tenth of a second.
        from marscore.adapters.processes.assembly import make_worker  # noqa: PLC0415  see above

        self._number = number
        self._inbox = inbox
        self._told_to_leave = False
        self._leaving: threading.Thread | None = None
        self._worker = make_worker(settings, number, inbox.put, self._give_up, session)
        self._worker.on_pause(lambda host, seconds: inbox.put(Paused(number, host, seconds)))
        self._worker.on_pace(lambda host: inbox.put(Paced(number, host)))
        self._worker.on_return(lambda ids: inbox.put(Returned(number, ids)))
        self._worker.start()

    def _give_up(self, why: Failure | None) -> None:
        # The run would wait for ever for what the worker lost sight of.
        self._inbox.put(_GIVEN_UP if why is None else StopRequested(why, why.message))

    def submit(self, works: Sequence[Work]) -> None:
        self._worker.submit(works)

    def pause(self, host: str, seconds: float) -> None:
        self._worker.pause(host, seconds)

    def pace(self, host: str) -> None:
        self._worker.pace(host)

    def widen(self, share: Share) -> None:
        self._worker.widen(share)

    def give_back(self, most: int) -> None:
        self._worker.give_back(most)

    def narrow(self, share: Share) -> int:
        return self._worker.narrow(share)

    def stop(self, failure: Failure, unbegun: str) -> None:
        self._leave(lambda: self._worker.stop(failure, unbegun))

    def close(self) -> None:
        self._leave(self._worker.close)

    def kill(self) -> None:
        """Nothing can end a thread. Its transfers are closed, and what it may still write has no name to get."""

    def end(self) -> None:
        """Stop it now; where it was told to leave, wait until it has, for no longer than that takes."""
        if not self._told_to_leave:
            self._worker.stop(_ENDED, _ENDED.message)
        elif self._leaving is not None:
            self._leaving.join(2 * LEAVE)

    def _leave(self, act: Callable[[], None]) -> None:
        self._told_to_leave = True

        def leave() -> None:
            reason: str | None = "it could not end in order"
            try:
                # Without memory to end it there is none for a traceback, and what it held is told as failed.
                with contextlib.suppress(MemoryError):
                    act()
                    reason = None
            finally:
                self._inbox.put(Gone(self._number, reason))

        try:
            self._leaving = threading.Thread(target=leave, name="marscore-leave", daemon=True)
            self._leaving.start()
        except RuntimeError:
            # It takes no longer than the worker's own grace.
            self._leaving = None
            leave()
