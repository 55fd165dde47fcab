"""What a run tells a worker that is not in its own process: each call of a method of the worker's becomes a `Call`, to be passed on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from marscore.adapters.processes.frames import Call
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share
from marscore.values import Failure


class Orders(ABC):
    """Most of `handles.WorkerHandle`; how the calls get there is the subclass's matter."""

    place: str = ""

    @abstractmethod
    def _pass_on(self, call: Call) -> None:
        """Have it reach the worker, in the order of the calls; waits for nothing."""

    def submit(self, works: Sequence[Work]) -> None:
        """Give it more to do."""
        self._call("submit", list(works))

    def pause(self, host: str, seconds: float) -> None:
        """Let it know that a server wants to be left alone."""
        self._call("pause", host, seconds)

    def pace(self, host: str) -> None:
        """Let it know that a server was asked too fast."""
        self._call("pace", host)

    def widen(self, share: Share) -> None:
        """Give it a larger share."""
        self._call("widen", share)

    def give_back(self, most: int) -> None:
        """Have it give back some of what it has not begun."""
        self._call("give_back", most)

    def stop(self, failure: Failure, unbegun: str) -> None:
        """Tell it to stop now, and to leave."""
        self._call("stop", failure, unbegun)

    def close(self) -> None:
        """Tell it to leave."""
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> None:
        self._pass_on(Call(method, arguments))
