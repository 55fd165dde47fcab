"""Helpers that answer late and in any order. In the middle of what one does, at a call of the system, others may have their turn
(`SimulatedSystem`): so what two threads do to one file is interleaved, in one thread.
"""

from __future__ import annotations

import contextlib
import random
from collections import deque
from collections.abc import Callable
from functools import partial

from marscore.execute.worker.helpers import Act, Done, Then
from tests.simulation.world import DiedError, Process


class _Task:
    """One task, which is carried out once: when its time has come, or in the middle of a call that its loop makes (`beside`)."""

    def __init__(self, act: Act, then: Then, beside: list[Callable[[], None]]) -> None:
        self._act = act
        self._then = then
        self._beside = beside
        self.begun = False
        self.done: Done | None = None
        beside.append(self.carry_out)

    def carry_out(self) -> None:
        if not self.begun:
            self.begun = True
            self._beside.remove(self.carry_out)
            try:
                self.done = Done(self._then, self._act())
            except DiedError:
                return
            except Exception as error:  # noqa: BLE001 - as in `HelperThreads`
                self.done = Done(self._then, None, error)


class SimulatedHelpers:
    """Implements `helpers.Helpers`. Each task waits, is done, and is told of a while after."""

    def __init__(self, process: Process, chance: random.Random, lateness: float, most: int, answer: Callable[[Done], None]) -> None:
        self._process = process
        self._chance = chance
        self._lateness = lateness
        self._free = most
        self._answer = answer
        self._tasks: deque[tuple[Act, Then]] = deque()

    def do(self, act: Act, then: Then) -> None:
        self._tasks.append((act, then))
        self._begin()

    def close(self) -> None:
        """Who is busy leaves afterwards."""

    def _begin(self) -> None:
        while self._free and self._tasks:
            self._free -= 1
            task = self._tasks.popleft()
            self._process.world.at(self._delay(), partial(self._once, _Task(*task, self._process.beside)))

    def _delay(self) -> float:
        return self._lateness * self._chance.random() ** 3

    def _once(self, task: _Task) -> None:
        """Carry out a task, unless it was carried out beside the loop, and have it told later."""
        if not self._process.alive:
            return
        self._process.helping = True
        try:
            task.carry_out()
        finally:
            self._process.helping = False
        if task.done is not None:
            self._process.world.at(self._delay(), partial(self._tell, task.done))

    def _tell(self, done: Done) -> None:
        self._free += 1
        if self._process.alive:
            self._begin()
            with contextlib.suppress(DiedError):
                self._answer(done)
