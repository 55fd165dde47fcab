"""What the supervisor asks of workers, wherever they run, and of who hires them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from marscore.events import Event, ProgressMade
from marscore.execute.supervisor.messages import Inbox, Told
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share
from marscore.frozen import dataclass
from marscore.ports import Clock
from marscore.values import Failure


class Sink(Protocol):
    """Takes events, and what their worker has made of them."""

    def __call__(self, events: Iterable[Event], told: Told | None = None) -> None: ...


class Feed(Protocol):
    """Where further works come from while a run goes on."""

    def more(self) -> None:
        """Have more put into the inbox, as `Fed`; returns at once."""
        ...


class WorkerHandle(Protocol):
    """A worker, wherever it runs. No call waits for it; what it has to say comes to the inbox.

    `place` is what people know the machine by that it is on; nothing for this one.
    """

    @property
    def place(self) -> str: ...

    def submit(self, works: Sequence[Work]) -> None: ...

    def pause(self, host: str, seconds: float) -> None: ...

    def pace(self, host: str) -> None: ...

    def widen(self, share: Share) -> None: ...

    def give_back(self, most: int) -> None:
        """Have it give back at most so many of those it has not begun; it answers by `Returned`."""
        ...

    def stop(self, failure: Failure, unbegun: str) -> None: ...

    def close(self) -> None: ...

    def kill(self) -> None: ...


class LocalHandle(WorkerHandle, Protocol):
    """A worker in this process, which can be asked and answers at once."""

    def narrow(self, share: Share) -> int:
        """Take a smaller share for what it begins from now on; return how many connections to one host it holds."""
        ...


class WorkerFactory(Protocol):
    """Hires workers: `here` in this process, `child` in one of its own. Messages go to the inbox that the factory was made with.

    `child` raises StorageError where the system starts no process.
    """

    def here(self, number: int, share: Share) -> LocalHandle: ...

    def child(self, number: int, share: Share) -> WorkerHandle: ...


class RunFactory(WorkerFactory, Protocol):
    """Who hires the workers of one run; that closes it in the end."""

    def readings(self) -> list[ProgressMade]:
        """How far files are, as far as workers tell it otherwise than by events."""
        ...

    def close(self) -> None:
        """End the workers that are left."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a run hears its workers, and who takes what they tell."""

    inbox: Inbox
    clock: Clock
    sink: Sink
