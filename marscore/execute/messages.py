"""What workers and signals say to the supervisor. Apart from it, so that a child process loads no more than it runs."""

from __future__ import annotations

import queue
from typing import TypeAlias

from marscore.events import Event
from marscore.frozen import dataclass
from marscore.values import Failure


@dataclass(frozen=True, slots=True)
class Batch:
    """Events from a worker, and the lines that the log has for them: a text for each of its styles. None: still to be made."""

    worker: int
    events: list[Event]
    lines: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """A server asked a worker to wait."""

    worker: int
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker has ended. `reason` is for a person; None where it was asked to."""

    worker: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The run is to end now: `failure` for what was begun, `unbegun` as the reason for what was not."""

    failure: Failure
    unbegun: str


Message: TypeAlias = Batch | Paused | Gone | StopRequested
Inbox: TypeAlias = "queue.SimpleQueue[Message]"
