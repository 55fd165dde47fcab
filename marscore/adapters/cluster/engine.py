"""What is asked of an engine, whichever it is (`dask`, `ray`): who is there, and a line to a relay at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from marscore.adapters.cluster.sealed import Answer, Ask, Begin, End, Sealed, Ticket, seal, unseal
from marscore.adapters.processes.frames import Call

#: Seconds that an answer may take beyond those that its relay was asked to wait, before the relay counts as lost. An engine tells of most
#: losses at once; these are for those of which nobody tells, such as a network that is cut.
ANSWER_WITHIN = 15.0


class LineError(Exception):
    """A relay cannot be reached any more, or serves no more; the text is for a person."""


class EngineError(Exception):
    """The engine itself cannot be reached any more; the text is for a person."""


class Line(Protocol):
    """A way to one relay. `name` is what people know its place by."""

    name: str

    def exchange(self, sealed: Sealed, within: float) -> Sealed:
        """Ask, and be answered within so many seconds.

        Raises:
            TimeoutError: no answer in that time. It may be asked for again.
            LineError: there will be none.
        """
        ...

    def close(self) -> None:
        """Let the relay go, and its place in the engine; waits for nothing."""
        ...


class Engine(Protocol):
    """A cluster that runs other people's programs."""

    #: What it is called, with its address.
    name: str

    def places(self) -> Sequence[str]:
        """The names of its workers that are there now.

        Raises:
            EngineError: it cannot be reached.
        """
        ...

    def open(self, place: str, ticket: Ticket) -> Line:
        """Open a relay at one of its workers; waits until that has taken it.

        Raises:
            LineError: it cannot be opened there.
        """
        ...

    def close(self) -> None:
        """Let everything go that is left there; waits for seconds at most."""
        ...


class Seat:
    """One place at which workers of a run may work, one after the other; used by one thread at a time."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._turn = 0

    @property
    def name(self) -> str:
        """What people know it by."""
        return self._line.name

    def ask(self, orders: Sequence[Begin | Call | End], wait: float) -> Answer:
        """Give orders and hear what has come within `wait` seconds.

        Raises:
            LineError: it cannot be reached, or cannot serve; what it had told by then is lost.
        """
        self._turn += 1
        sealed = seal(Ask(self._turn, tuple(orders), wait))
        for _ in range(3):
            try:
                answer: Answer = unseal(self._line.exchange(sealed, wait + ANSWER_WITHIN / 3))
                break
            except TimeoutError:
                # The same turn is answered the same, so an answer that was late is not lost.
                continue
        else:
            raise LineError(f"{self.name} has not answered for {ANSWER_WITHIN:g} s")
        if answer.trouble is not None:
            raise LineError(f"{self.name}: {answer.trouble}")
        return answer

    def close(self) -> None:
        """Give the place back to the engine."""
        self._line.close()
