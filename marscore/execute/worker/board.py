"""What a free connection is for, in one process.

    Work --add--> queue by host --take--> Transfer (open) --settle--> waiting, one entry each --take--> Segment
                                            free connection --take--> a share of the largest remaining range

A free connection goes, in this order, to: a file that has none and waits for its (re)try, a new download, another range of a file, a part
of what another connection has before it. So many files are fetched side by side as long as there are any, and the end of the last large
one is as parallel as its start. Where all connections are in use and a file has none, one that has several gives one up (`crowded_out`).
A host whose connections are all in use, that asked for a pause, or that was asked as fast as it allows, is passed over. Where a host has a
pace, retries and new downloads take turns: what it refuses again, and what it does not refuse, tells a limit from files that it never
gives (`policy/host_pace.py`). No I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from marscore.execute.transfer.protocol import Moment, Segment, Work
from marscore.execute.transfer.state_machine import Transfer
from marscore.execute.worker.waiting import Waiting
from marscore.frozen import dataclass
from marscore.policy.pacing import HostSlots
from marscore.url import host_of


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a connection is for: opening a new transfer (no segment), or a segment. `host` names the slot that is held meanwhile."""

    transfer: Transfer
    segment: Segment | None
    host: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `until` ticks; None: until something changes."""

    until: float | None


class Board:
    """All that one process has to do."""

    def __init__(self, per_host: int) -> None:
        self.slots = HostSlots(per_host)
        #: Whether further connections would help a file: not where the bytes that come keep the loop busy.
        self.sharing = True
        #: Whether something happened since somebody looked what there is to take.
        self.changed = True
        self.open: dict[str, Transfer] = {}
        self._queue: dict[str, deque[Work]] = {}
        #: The transfers that could use a connection: those that have none, and those that could use a further one.
        self._without, self._further = Waiting(), Waiting()
        #: The hosts with a pace whose last request was a retry, while there were new downloads.
        self._retried: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether every download that was added has its outcome."""
        return not self.open and not self._queue

    @property
    def waiting(self) -> int:
        """How many downloads nobody has begun."""
        return sum(map(len, self._queue.values()))

    def add(self, works: Iterable[Work]) -> None:
        """Put new downloads in the queue."""
        self.changed = True
        for work in works:
            self._queue.setdefault(host_of(work.download.sources[0]), deque()).append(work)

    def withdraw(self) -> list[Work]:
        """Take back every download that was not begun."""
        works = [work for queue in self._queue.values() for work in queue]
        self._queue.clear()
        self._retried.clear()
        return works

    def give_back(self, most: int) -> list[Work]:
        """Take back the last of each host's by turns, at most so many in all, of those that were not begun."""
        works: list[Work] = []
        while self._queue and len(works) < most:
            for host, queue in list(self._queue.items())[: most - len(works)]:
                works.append(queue.pop())
                if not queue:
                    del self._queue[host]
                    self._retried.discard(host)
        return works

    def take(self, at: Moment, idle: int) -> Assignment | Idle:
        """Assign a connection. `idle` counts the other connections that are free now."""
        assignment = (
            self._from_waiting(self._without, at.ticks)
            or self._from_queue(at)
            or self._from_waiting(self._further, at.ticks)
            or self._from_largest(at.ticks, idle)
        )
        if assignment:
            self.slots.acquire(assignment.host, at.ticks)
            return assignment
        return Idle(self._next_change(at.ticks))

    def laggards(self, ticks: float) -> list[Segment]:
        """Segments whose connections are to be given up, one of each file at most."""
        return [segment for t in self.open.values() if (segment := t.laggard(ticks))] if len(self.open) <= _MANY else []

    def settle(self, transfer: Transfer) -> bool:
        """Take note of what a step of this transfer changed: that it is over, or what is due. Returns whether something is."""
        self.changed = True
        if transfer.closed:
            self.open.pop(transfer.download.id, None)
        several = bool(transfer.ledger.active)
        (self._without if several else self._further).forget(transfer)
        return (self._further if several else self._without).note(transfer)

    def crowded_out(self, ticks: float, free: int) -> Segment | None:
        """A segment whose connection another file needs that has none; `free` is how many more the process could open."""
        several = [t for t in self.open.values() if len(t.ledger.active) > 1]
        for host in self._wanting(ticks) if several else ():
            is_full = self.slots.free_at(host, ticks) is None
            if not is_full and free > 0:
                continue
            its = [(len(t.ledger.active), [s for s in t.ledger.active if not is_full or host_of(s.url) == host]) for t in several]
            those = [(count, segments) for count, segments in its if segments]
            if those:
                return max(those, key=lambda those: those[0])[1][-1]
        return None

    def _wanting(self, ticks: float) -> Iterable[str]:
        """The hosts to which a file without a connection could use one now."""
        due = [entry.host for entry in self._without.first() if entry.due <= ticks]
        return [host for host in dict.fromkeys([*due, *self._queue]) if not self.slots.is_held_back(host, ticks)]

    def release(self, host: str) -> None:
        """Give a slot back."""
        self.changed = True
        self.slots.release(host)

    def widen(self, per_host: int, ticks: float) -> None:
        """Change how many connections to one host this process may have."""
        self.changed = True
        self.slots.widen(per_host, ticks)

    def pause(self, host: str, until: float, ticks: float) -> None:
        """Let no request to a host start before `until` ticks."""
        self.changed = True
        self.slots.pause(host, until, ticks)

    def _from_waiting(self, waiting: Waiting, ticks: float) -> Assignment | None:
        due = [entry for entry in waiting.first() if entry.due <= ticks and self.slots.free_at(entry.host, ticks) == ticks]
        due = [entry for entry in due if entry.host not in self._retried] if self._retried else due
        if not due:
            return None
        transfer = min(due).transfer
        segment = transfer.take(ticks, lambda host: self.slots.free_at(host, ticks) == ticks and host not in self._retried)
        self.settle(transfer)
        assert segment, "an entry says what its transfer says"
        host = host_of(segment.url)
        if host in self._queue and self.slots.pace(host).rate is not None:
            self._retried.add(host)
        return Assignment(transfer, segment, host)

    def _from_queue(self, at: Moment) -> Assignment | None:
        for host, works in self._queue.items():
            if self.slots.free_at(host, at.ticks) == at.ticks:
                work = works.popleft()
                self._retried.discard(host)
                assignment = Assignment(self._begin(work, at), None, host)
                # The host goes to the end of the line, so that no host's many files keep another's from their turn.
                del self._queue[host]
                if works:
                    self._queue[host] = works
                return assignment
        return None

    def _begin(self, work: Work, at: Moment) -> Transfer:
        transfer = self.open[work.download.id] = Transfer(work, at)
        return transfer

    def _from_largest(self, ticks: float, idle: int) -> Assignment | None:
        candidates = [t for t in self._shareable() if (t.free_at or 0.0) <= ticks and t.is_worth_sharing(ticks)]
        largest = max(candidates, key=_largest_remaining, default=None)
        if largest is None or not any(self.slots.free_at(host, ticks) == ticks for host in largest.hosts_at(ticks)):
            return None
        largest.share(1 + idle)
        segment = largest.take(ticks, lambda host: self.slots.free_at(host, ticks) == ticks)
        self.settle(largest)
        return Assignment(largest, segment, host_of(segment.url)) if segment else None

    def _shareable(self) -> list[Transfer]:
        """Those of whose largest range another connection could take a part, now or later."""
        open_ = self.open.values() if self.sharing and len(self.open) <= _MANY else ()
        return [t for t in open_ if t.ledger.active and t.can_share()]

    def _next_change(self, ticks: float) -> float | None:
        entries = [*self._without.first(), *self._further.first()]
        times = [max(entry.due, free) for entry in entries if (free := self.slots.free_at(entry.host, ticks)) is not None]
        pauses = (self.slots.free_at(host, ticks) for host in self._queue)
        times += [free for free in pauses if free is not None and free > ticks]
        times += [free for t in self._shareable() if (free := t.free_at or 0.0) > ticks]
        return min(times, default=None)


#: More open transfers than this mean that many wait for retries; looking at each for a share to take would cost more than it brings.
_MANY = 256


def _largest_remaining(transfer: Transfer) -> int:
    segment = transfer.ledger.largest()
    return segment.remaining if segment else 0
