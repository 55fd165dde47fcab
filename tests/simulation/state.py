"""The state database of the simulated machine: commits survive a process; a power cut may take the last ones, never the rest."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from marscore.state import Claims, Row
from tests.simulation.world import Process

_Rows = dict[str, Row]


class Database:
    """What is on the disk: the state after each commit since it was last certain."""

    def __init__(self) -> None:
        self.commits: list[_Rows] = [{}]
        #: Raises StorageError where a commit fails.
        self.meddlers: list[Callable[[], None]] = []

    @property
    def rows(self) -> _Rows:
        """What it holds now."""
        return self.commits[-1]

    def lose(self, chance: random.Random) -> None:
        """Lose any number of the last commits."""
        self.commits = [self.commits[chance.randrange(len(self.commits))]]


class SimulatedState:
    """Implements `ports.StateStore` for one process."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    def claims(self) -> Claims:
        self._process.call()
        return Claims(self._database.rows)

    def record(self, rows: Iterable[Row]) -> None:
        self._commit({row[0]: row for row in rows})

    def flushed(self, path_keys: Iterable[str]) -> None:
        self._commit({key: (*self._database.rows[key][:-1], 1) for key in path_keys if key in self._database.rows})

    def close(self) -> None:
        """The last one to close it makes sure of all that it holds."""
        self._process.call()
        self._database.commits = [self._database.rows]

    def _commit(self, changed: _Rows) -> None:
        self._process.call()
        for meddler in self._database.meddlers:
            meddler()
        self._database.commits.append({**self._database.rows, **changed})
        self._process.call()
