"""Which open transfers could use another connection, to which host and from when on.

A transfer has one entry for each host that it could use one to (several where several sources bring its file), made anew from the transfer
itself whenever a step may have changed it. Nothing is moved from one list to another
when a connection comes free or a pause ends: whether a host may be asked is a question of the moment, which the board asks when it takes.
So there is no state in which a transfer waits and nobody would find it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from marscore.execute.transfer.state_machine import Transfer


class Entry(NamedTuple):
    """A transfer that could use a connection from `due` ticks on. `number` keeps those that are due at once in their order."""

    due: float
    number: int
    host: str
    transfer: Transfer


class Waiting:
    """The entries, by host, the earliest first."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Entry, ...]] = {}
        # Entries that no longer hold stay until they come first: to look for them in the middle would cost more than to pass over them.
        self._heaps: dict[str, list[Entry]] = {}
        self._numbers = count()

    def note(self, transfer: Transfer) -> bool:
        """Make the transfer's entries anew. Returns whether it could use a connection, now or later."""
        name, openings = transfer.download.id, transfer.openings
        held = self._held.get(name, ())
        if not openings:
            self._held.pop(name, None)
            return False
        if [(entry.host, entry.due) for entry in held] != [*openings]:
            self._held[name] = tuple([self._entry(held, transfer, host, due) for host, due in openings])
        return True

    def _entry(self, held: tuple[Entry, ...], transfer: Transfer, host: str, due: float) -> Entry:
        for entry in held:
            if (entry.host, entry.due) == (host, due):
                return entry
        entry = Entry(due, next(self._numbers), host, transfer)
        heapq.heappush(self._heaps.setdefault(host, []), entry)
        return entry

    def forget(self, transfer: Transfer) -> None:
        """Have no entries of it."""
        self._held.pop(transfer.download.id, None)

    def first(self) -> Iterator[Entry]:
        """The earliest entry of each host that has one."""
        for host, heap in list(self._heaps.items()):
            while heap and heap[0] not in self._held.get(heap[0].transfer.download.id, ()):
                heapq.heappop(heap)
            if heap:
                yield heap[0]
            else:
                del self._heaps[host]
