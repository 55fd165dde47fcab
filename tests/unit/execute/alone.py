"""A loop in the test's own thread, whose clock the test turns and whose helpers do at once what they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marscore.events import Event
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.helpers import Done
from marscore.execute.worker.loop import Loop
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.ports import Unpacker
from tests.fakes.clock import FakeClock
from tests.fakes.files import MemoryFolder
from tests.fakes.transport import FakeTransport
from tests.unit.execute.working import MIB, wanted

HOST = "http://a.example"
SETTINGS = WorkerSettings("", 4, 8 * MIB, Share(2, None), progress="events")


class Here:
    """Does what helpers do at once."""

    def __init__(self, most: int, answer: Callable[[Done], None]) -> None:
        self._answer = answer

    def do(self, act: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None:
        self._answer(Done(then, act()))

    def close(self) -> None:
        pass


class Origin(FakeTransport):
    """Counts what is asked, and the times at which idle connections were closed."""

    asked = closed = 0

    def start(self, exchange: Any) -> None:
        self.asked += 1
        super().start(exchange)

    def close_idle(self) -> None:
        self.closed += 1


class Alone:
    """A loop in this thread, whose clock stands still."""

    def __init__(
        self,
        files: int,
        size: int = 10,
        unpacker: Unpacker | None = None,
        change: Callable[[Work], Work] = lambda work: work,
        **options: Any,
    ) -> None:
        self.clock, self.folder = FakeClock(), MemoryFolder()
        self.told: list[Event] = []
        self.transport = Origin({f"{HOST}/{number}": bytes(size) for number in range(files)}, self.clock.ticks)
        self.loop = Loop(SETTINGS, Ports(self.transport, self.folder, self.clock, helpers=Here, unpacker=unpacker), self.told.extend)
        self.loop.engine.take_in([change(wanted(number, f"{HOST}/{number}", str(number), **options)) for number in range(files)])

    def turns(self, count: int = 6) -> int:
        """Let it have some turns; returns how much it has asked for."""
        for _ in range(count):
            self.transport.wake()
            self.loop.turn()
        return self.transport.asked
