"""A run in a thread of its own, beside an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from marscore import arguments

_T = TypeVar("_T")


class Beside(Generic[_T]):
    """A run in a thread beside an event loop.

    Everything that the thread has to say it says through the loop, in its order: all events are told before it is over.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_event: Callable[[Any], object] | None, cancel: threading.Event) -> None:
        self._loop = loop
        self._on_event = on_event
        self._cancel = cancel
        self._error: BaseException | None = None
        self._over: asyncio.Future[_T] = loop.create_future()

    def tell(self, event: object) -> None:
        """Have the loop hear of an event; in the run's thread."""
        self._call(self._hear, event)

    async def carry_out(self, work: Callable[[], _T]) -> _T:
        """Do it, and wait for its end, also where the task is cancelled meanwhile."""
        thread = threading.Thread(target=contextvars.copy_context().run, args=(self._work, work), name="marscore-run")
        thread.start()
        is_cancelled = False
        while not self._over.done():
            try:
                await asyncio.wait([self._over])
            except asyncio.CancelledError:
                is_cancelled = True
                self._cancel.set()
        # It has nothing left to do.
        thread.join()
        if is_cancelled:
            # Looked at, so that nobody misses it.
            self._over.exception()
            raise asyncio.CancelledError
        if self._error is not None:
            raise self._error
        return self._over.result()

    def _work(self, work: Callable[[], _T]) -> None:
        try:
            done = work()
        except BaseException as error:  # noqa: BLE001 - it is the task's, and raised there
            self._call(self._over.set_exception, error)
        else:
            self._call(self._over.set_result, done)

    def _hear(self, event: object) -> None:
        if self._error is None and self._on_event is not None:
            try:
                arguments.refuse_awaitable("on_event", self._on_event(event))
            except BaseException as error:  # noqa: BLE001 - it is raised, when all is in order
                self._error = error
                self._cancel.set()

    def _call(self, act: Callable[[Any], object], value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(act, value)
        except RuntimeError:
            # The loop was closed under the task: nobody is there who waits.
            self._cancel.set()
