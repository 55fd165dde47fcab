"""What workers and signals say to the supervisor. Apart from it, so that a child process loads no more than it runs."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeAlias

from marscore.events import Event
from marscore.execute.transfer.protocol import Work
from marscore.frozen import dataclass
from marscore.state import Row
from marscore.values import Failure


@dataclass(frozen=True, slots=True)
class Told:
    """What was made of events where they came up, to be passed on as it is.

    `lines` are the log's, a text for each of its styles. Of the downloads that these events close, by id, `entries` are those of the
    report, as JSON, and `rows` say what the state is to hold of their files. `worker` is who told; None: the run itself.
    """

    lines: tuple[str, ...]
    entries: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events from a worker, and what it has made of them; None: that is still to be done."""

    worker: int
    events: list[Event]
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """A server asked a worker to wait."""

    worker: int
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Paced:
    """A worker asks a host more slowly from now on, since it was asked too fast."""

    worker: int
    host: str


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker in a process of its own has something to do or not, and can be reckoned with."""

    worker: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A worker that was asked to give downloads back has these no more, by id; it had not begun them."""

    worker: int
    ids: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class Joined:
    """There is a place for one more worker, which came by itself."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """There is a place that is of no use; `reason` is for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fed:
    """More work is there: `take` brings it, in the supervisor's thread. After the `last` there is none."""

    take: Callable[[], Sequence[Work]]
    order: Literal["more", "last"] = "more"


Message: TypeAlias = Batch | Fed | Paused | Paced | Alive | Returned | Gone | StopRequested | Joined | Unfit
Inbox: TypeAlias = "queue.SimpleQueue[Message]"


def stop_of(number: int, asked: bool = False) -> StopRequested:
    """What a signal asks of a run, or the program that it is in."""
    by = "the program that runs it" if asked else f"signal {int(number)}"
    reason = f"interrupted by {by}; run again to resume"
    return StopRequested(Failure("interrupted", reason), reason)
