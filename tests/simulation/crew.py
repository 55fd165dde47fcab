"""Workers of a simulated run: the real loops, each turned by the world when something came for it or is due.

Supervisor --handles--> SimulatedWorker --Loop.turn, at its times--> batches --> Inbox, on which the supervisor waits
"""

from __future__ import annotations

import queue
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from marscore.adapters.files.folder import Folder
from marscore.adapters.http.redacted_answers import clean
from marscore.adapters.records import RecordMaker
from marscore.errors import StorageError
from marscore.events import Event
from marscore.execute.supervisor.messages import Alive, Batch, Gone, Message, Paced, Paused, Returned
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.engine import Ports
from marscore.execute.worker.loop import Loop
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.policy.redact import Redactor
from marscore.values import Failure
from tests.simulation.disk import Disk
from tests.simulation.helpers import SimulatedHelpers
from tests.simulation.origin import Network
from tests.simulation.system import SimulatedSystem
from tests.simulation.transport import SimulatedTransport
from tests.simulation.world import Clock, DiedError, Process, World, chance_of

#: Seconds that a turn of a loop takes, at least.
TURN = 0.0001
#: Seconds from hiring a child to its first turn, and that a message takes from one process to the other.
BOOT, WAY = 0.08, 0.0005


class SimulatedInbox:
    """Where messages for the supervisor come in. To wait for one is to let the world go on."""

    def __init__(self, main: Process) -> None:
        self._main = main
        self._messages: deque[Message] = deque()

    def put(self, message: Message) -> None:
        self._messages.append(message)

    def get_nowait(self) -> Message:
        if not self._messages:
            raise queue.Empty
        return self.get()

    def get(self, timeout: float | None = None) -> Message:
        self._main.call()
        world = self._main.world
        until = float("inf") if timeout is None else world.elapsed + timeout
        while not self._messages:
            if not world.step(until) and not self._messages:
                raise queue.Empty
            if not self._main.alive:
                raise DiedError(self._main.name)
        return self._messages.popleft()


@dataclass
class Machine:
    """What the processes of a run have in common. `lateness` is how long helpers may take, `dies_at` with which call a worker dies."""

    world: World
    disk: Disk
    network: Network
    main: Process
    root: str
    lateness: float = 0.01
    idle: float = 1.0
    no_children: bool = False
    #: With which call the worker of a number dies.
    dies_at: dict[int, int] = field(default_factory=dict)
    #: When the worker of a number stands still, and for how long.
    stands_still: dict[int, tuple[float, float]] = field(default_factory=dict)
    #: What is told of the process of each new worker.
    on_worker: Callable[[Process], None] = lambda process: None
    began: float = 0.0


class SimulatedWorker:
    """Implements `handles.LocalHandle`: a worker in the run's own process, or in one of its own."""

    place = ""

    def __init__(self, number: int, settings: WorkerSettings, machine: Machine, inbox: SimulatedInbox, own_process: bool) -> None:
        self._number = number
        self._settings = settings
        self._machine = machine
        self._inbox = inbox
        self._own = own_process
        self._world = machine.world
        self.process = Process(machine.world, f"worker{number}") if own_process else machine.main
        self._gone = False
        self._next: float | None = None
        self._free_at = self._last_message = self._last_order = 0.0
        chance = chance_of(machine.world.seed, f"worker {number} at {machine.world.elapsed}")
        self._transport = SimulatedTransport(machine.network, self.process, settings.threads, chance, lambda: self._wake_at(0.0))
        self._transport.idle = machine.idle
        if own_process:
            self.process.dies_at = machine.dies_at.get(number)
            self.process.on_death = self._died
            self._free_at = machine.world.elapsed + BOOT
            machine.on_worker(self.process)
        self.system = SimulatedSystem(machine.disk, self.process)
        try:
            self._loop = self._make(settings, chance)
        except DiedError:
            if not self._own:
                raise
            return
        self._wake_at(0.0)

    def _make(self, settings: WorkerSettings, chance: random.Random) -> Loop:
        machine, process = self._machine, self.process
        redactor = Redactor(dict(settings.secrets), settings.words)
        teller = RecordMaker(redactor, settings.log)

        def tell(events: list[Event]) -> None:
            process.call()
            for event in events:
                self._world.tell(process.name, "%r", event)
            self._send(Batch(self._number, *teller.tell(events)))

        ports = Ports(
            self._transport,
            Folder(Path(machine.root), identity=settings.output_identity, system=self.system),
            Clock(process),
            lambda exchange, answer: clean(redactor, exchange.request, answer),
            expect=teller.expect,
            beat=lambda: self._send(Alive(self._number)),
            helpers=lambda most, answer: SimulatedHelpers(process, chance, machine.lateness, most, answer),
        )
        loop = Loop(settings, ports, tell)
        loop.engine.commands.tell_pause = lambda host, seconds: self._send(Paused(self._number, host, seconds))
        loop.engine.commands.tell_pace = lambda host: self._send(Paced(self._number, host))
        return loop

    # Handle

    def submit(self, works: Sequence[Work]) -> None:
        works = list(works)
        self._order(lambda: self._loop.engine.take_in(works))

    def pause(self, host: str, seconds: float) -> None:
        self._order(lambda: self._loop.engine.pause(host, seconds))

    def pace(self, host: str) -> None:
        self._order(lambda: self._loop.engine.pace(host))

    def widen(self, share: Share) -> None:
        self._order(lambda: self._loop.engine.widen(share))

    def give_back(self, most: int) -> None:
        self._order(lambda: self._send(Returned(self._number, self._loop.engine.give_back(most))))

    def narrow(self, share: Share) -> int:
        used: list[int] = []
        self._order(lambda: used.append(self._loop.engine.narrow(share)))
        until = self._world.elapsed + 1.5
        while not used and self._world.step(until):
            self.process.call()
        return used[0] if used else 1 << 30

    def stop(self, failure: Failure, unbegun: str) -> None:
        self._order(lambda: self._loop.stop(failure, unbegun))

    def close(self) -> None:
        self._order(lambda: self._loop.end())

    def kill(self) -> None:
        if self._own:
            self._world.tell(self.process.name, "is ended")
            self.process.die()

    def orphan(self) -> None:
        """Its parent is gone: stop in order."""
        self.stop(Failure("interrupted", "the run was ended from outside"), "the run was ended from outside")

    @property
    def is_gone(self) -> bool:
        """Whether its loop has ended, in whatever way."""
        return self._gone

    # Ways between processes, in which nothing overtakes

    def _order(self, act: Callable[[], None]) -> None:
        if not self.process.alive:
            return
        if not self._own:
            self._loop.say(act)
            return
        self._last_order = max(self._last_order, self._world.elapsed + WAY)
        self._world.at(self._last_order - self._world.elapsed, lambda: self._loop.say(act) if self.process.alive else None)

    def _send(self, message: Message) -> None:
        if not self._own:
            self._inbox.put(message)
            return
        self.process.call()
        self._last_message = max(self._last_message, self._world.elapsed + WAY)
        self._world.at(self._last_message - self._world.elapsed, lambda: self._inbox.put(message))

    # Turns

    def _wake_at(self, delay: float) -> None:
        due = max(self._world.elapsed + delay, self._free_at)
        if self._gone or (self._next is not None and self._next <= due):
            return
        self._next = due
        self._world.at(due - self._world.elapsed, lambda: self._turn(due))

    def _turn(self, due: float) -> None:
        if self._next != due or self._gone or not self.process.alive:
            return
        self._next = None
        if self._stands_still():
            return
        try:
            self._loop.turn()
            if self._loop.over:
                self._loop.flush()
                self._loop.close()
            self._look_at_memory()
        except DiedError:
            return
        self._free_at = self._world.elapsed + TURN
        self.process.busy += TURN
        if self._loop.over:
            self._leave()
        else:
            self._wake_at(self._loop.due - self._world.elapsed)

    def _look_at_memory(self) -> None:
        """No more of a file is held than its buffer, but for what one turn brings."""
        held: Counter[str] = Counter()
        for fetch in self._loop.engine._fetches:
            held[fetch.transfer.download.path] += fetch.queued + sum(map(len, fetch.exchange.chunks))
        for path, count in held.items():
            if count > 2 * self._settings.buffer:
                self._machine.network.wrong.append(f"{count} bytes of {path} are held, where {self._settings.buffer} are allowed")

    def _stands_still(self) -> bool:
        at, seconds = self._machine.stands_still.get(self._number, (0.0, 0.0))
        until = self._machine.began + at + seconds
        if not (self._machine.began + at <= self._world.elapsed < until):
            return False
        self._wake_at(until - self._world.elapsed)
        return True

    def _leave(self) -> None:
        self._gone = True
        if self._own:
            # Its helpers leave with it, whatever they are at.
            self.process.on_death = lambda: None
            self.process.alive = False
        self._gone_message(None)

    def _died(self) -> None:
        self._gone = True
        self._transport.close()
        self._gone_message("signal 9")

    def _gone_message(self, reason: str | None) -> None:
        self._last_message = max(self._last_message, self._world.elapsed + WAY)
        self._world.at(self._last_message - self._world.elapsed, lambda: self._inbox.put(Gone(self._number, reason)))


class SimulatedWorkerFactory:
    """Implements `handles.WorkerFactory`."""

    def __init__(self, settings: WorkerSettings, machine: Machine, inbox: SimulatedInbox) -> None:
        self._each = settings
        self._machine = machine
        self._inbox = inbox
        self.workers: list[SimulatedWorker] = []

    def here(self, number: int, share: Share) -> SimulatedWorker:
        return self._hire(number, share, own_process=False)

    def child(self, number: int, share: Share) -> SimulatedWorker:
        if self._machine.no_children:
            raise StorageError(Failure("resources", "cannot start a worker process: too many"))
        return self._hire(number, share, own_process=True)

    def _hire(self, number: int, share: Share, own_process: bool) -> SimulatedWorker:
        self._machine.main.call()
        self._machine.world.tell("main", "hires worker %d%s", number, "" if own_process else " here")
        worker = SimulatedWorker(number, replace(self._each, share=share), self._machine, self._inbox, own_process)
        self.workers.append(worker)
        return worker
