"""What a run and a relay say to each other, closed: an engine that logs, shows or repeats what it carries has nothing to show of it.

Orders hold the headers of requests and all secrets of a run. They travel as arguments of a call, never in a task's name, key or graph; and
an engine that writes down the arguments of a call (Dask does where one fails, and at its debug level) writes down this class's name.
"""

from __future__ import annotations

import pickle
from dataclasses import field
from typing import Any

from marscore.adapters.processes.frames import Call
from marscore.execute.supervisor.messages import Message
from marscore.execute.worker.setup import WorkerSettings
from marscore.frozen import dataclass


class Sealed:
    """A value's pickle, whose representation says nothing of it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return "<what marscore says>"

    def __reduce__(self) -> tuple[type[Sealed], tuple[bytes]]:
        return Sealed, (self.data,)


def seal(value: Ask | Answer) -> Sealed:
    """Close it."""
    return Sealed(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))


def unseal(sealed: Sealed) -> Any:
    """Open it. The other end is this program itself, of the same version, so pickle is safe."""
    return pickle.loads(sealed.data)  # noqa: S301 - made by seal in our own run or relay


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a relay is opened with, which may be seen: the version that it has to be of, and how it proves which folder it sees.

    `folder` is where the workers' folders are, absolute; `proof` the name of the file to be written there.
    """

    name: str
    version: str
    folder: str
    token: str
    proof: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the run's worker of this number."""

    number: int
    settings: WorkerSettings


@dataclass(frozen=True, slots=True)
class End:
    """End the worker at once, whatever it does."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Orders, in their order, and the wish to hear what has come: within `wait` seconds, or at once if something has.

    `turn` counts them from 1 on. Who asks again with the same one, since the answer did not arrive, is answered the same.
    """

    turn: int
    orders: tuple[Begin | Call | End, ...] = ()
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker told since. `trouble` says why the relay cannot serve, if so; `seated`, whether the engine lets it work by now."""

    turn: int
    messages: tuple[Message, ...] = field(default=())
    trouble: str | None = None
    seated: bool = False
