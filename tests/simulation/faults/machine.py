"""What becomes of processes and of the machine: signals, deaths at any call, power cuts, workers that stand still or cannot be had."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.faults import Fault
from tests.simulation.world import Process

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.scenario import File


def _moment(chance: random.Random) -> float:
    return chance.choice((0.02, 0.1, 0.5, 2.0)) * chance.random()


@dataclass(frozen=True)
class Signalled(Fault):
    """A signal tells the run to stop."""

    weight = 14
    number: int
    at: float

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((2, 15)), _moment(chance))

    def begin(self, play: Play) -> None:
        play.world.at(self.at, lambda: play.run.stop(self.number))


@dataclass(frozen=True)
class SignalledAtCall(Fault):
    """A signal comes with the call of this number: while it is looked what is there, while a file is placed, or in the end."""

    weight = 4
    number: int
    call: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((2, 15)), 1 + int(chance.choice((20, 100, 400, 2000)) * chance.random()))

    def begin(self, play: Play) -> None:
        main = play.machine.main
        main.signalled_at, main.on_signal = self.call, lambda: play.run.stop(self.number)


@dataclass(frozen=True)
class Killed(Fault):
    """The run's own process is killed with the call of this number. What it wrote stays."""

    weight = 5
    call: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(1 + int(chance.choice((20, 100, 400, 2000)) * chance.random()))

    def begin(self, play: Play) -> None:
        play.machine.main.dies_at = self.call


@dataclass(frozen=True)
class BreaksOffALine(Fault):
    """Of a line that is appended to a journal, the first of this number, the disk takes a part; mostly its process dies with it."""

    weight = 8
    line: int
    share: float
    dies: bool

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        # The first comes with the header, without which there is no journal.
        return cls(chance.choice((1, 2, 2, 2, 3)), chance.random(), chance.random() < 0.7)

    def begin(self, play: Play) -> None:
        play.disk.meddlers.append(_BreakingOff(self))


class _BreakingOff:
    def __init__(self, fault: BreaksOffALine) -> None:
        self._fault = fault
        self._met: Counter[str] = Counter()
        self._is_this_one = self._is_over = False

    def before(self, process: Process, call: str, path: str) -> None:
        self._is_this_one = False
        if call == "write" and path.endswith(".journal") and not self._is_over:
            self._met[path] += 1
            self._is_this_one = self._is_over = self._met[path] == self._fault.line
        if self._is_this_one and self._fault.dies:
            process.dies_at = process.calls + 1

    def room(self, count: int) -> int:
        return int(count * self._fault.share) if self._is_this_one else count


@dataclass(frozen=True)
class PowerCut(Fault):
    """The whole machine goes off. What was not flushed may be lost."""

    weight = 8
    call: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(1 + int(chance.choice((20, 100, 400, 2000)) * chance.random()))

    def begin(self, play: Play) -> None:
        play.machine.main.dies_at = self.call
        play.loses_power = True


@dataclass(frozen=True)
class WorkerDies(Fault):
    """A worker process is killed with the call of this number."""

    weight = 3
    worker: int
    call: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((0, 0, 1, 1, 2, 3)), 1 + int(chance.choice((10, 100, 500)) * chance.random()))

    def begin(self, play: Play) -> None:
        play.machine.dies_at[self.worker] = self.call


@dataclass(frozen=True)
class WorkersDie(Fault):
    """Every worker process is killed with the call of this number."""

    weight = 1
    call: int

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(1 + int(chance.choice((5, 60, 300)) * chance.random()))

    def begin(self, play: Play) -> None:
        play.machine.dies_at.update(dict.fromkeys(range(200), self.call))


@dataclass(frozen=True)
class StandsStill(Fault):
    """A worker stands still for a while."""

    weight = 2
    worker: int
    at: float
    seconds: float

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(chance.choice((0, 1)), _moment(chance), chance.choice((0.3, 1.0, 3.0, 3.0, 40.0)))

    def begin(self, play: Play) -> None:
        play.machine.stands_still[self.worker] = (self.at, self.seconds)


@dataclass(frozen=True)
class NoChildren(Fault):
    """The system starts no process."""

    weight = 1

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls()

    def begin(self, play: Play) -> None:
        play.machine.no_children = True


@dataclass(frozen=True)
class ClockJumps(Fault):
    """The time of day is set, forth or back."""

    weight = 2
    at: float
    seconds: float

    @classmethod
    def draw(cls, chance: random.Random, files: Sequence[File]) -> Fault:
        return cls(_moment(chance), chance.choice((-86_400.0, -1.0, 30.0, 40 * 86_400.0)))

    def begin(self, play: Play) -> None:
        play.world.at(self.at, lambda: play.world.set_time(self.seconds))
