"""The workers of a run as their supervisor knows them: what each holds, how much it may hold, and whether it still gives signs of life.

A worker process tells that it is alive every `BEAT_EVERY` seconds, whatever it does; one that is stopped (SIGSTOP, a debugger, a frozen
container), that swaps without end or hangs in the kernel tells nothing. The supervisor looks each second who told something since. After
`PATIENCE` looks in silence a worker is ended, and once it is gone its downloads go to another. Thirty seconds are what a server gets that
says nothing (the default of `timeout.read`): a worker that was only held up for a moment comes back before that, and ending one that would
have come back costs a new process and a piece (4 MiB) for each of its connections. Meanwhile the others go on with all that is not its
own. Nobody takes over what it holds before it is gone: two processes must never write to one partial file.

Looks are counted, not seconds: after a stop of this process itself (Ctrl-Z), or of the whole machine, one look was missed and not an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from marscore.events import AnyOutcome, DownloadStarted, Event
from marscore.execute.supervisor.handles import WorkerHandle
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.loop import FLUSH_EVERY
from marscore.frozen import dataclass
from marscore.planning.model import Plan

#: Seconds between two looks at who gives signs of life.
LOOK_EVERY = 1.0
#: Looks in silence after which a worker is ended; the module says why so many.
PATIENCE = 30
#: Most downloads that one worker holds at once, so that a crash hands over few and the last ones are spread.
DEEPEST = 1024
#: So many that wait for a retry, or for their host, do not count: else a worker that holds few would have nothing but these to ask for.
#: Each may have a partial file open.
WAITING = 64


def first_depth(plan: Plan, waiting: int, seats: int) -> int:
    """How many of those that wait a worker gets at first which takes one of so many free seats."""
    if plan.start == "when_needed" or plan.processes == 1:
        return plan.threads
    # Spread a short list over the seats; a longer one fills every connection, and a long one keeps them busy until more is on its way.
    fair = -(-waiting // max(1, seats))
    return max(1, min(fair, max(plan.threads, min(DEEPEST, fair // 4))))


@dataclass(slots=True)
class Member:
    """One worker. `watched` says whether it gives signs of life: a worker in this process needs none."""

    number: int
    handle: WorkerHandle
    depth: int
    watched: bool = False
    works: dict[str, Work] = field(default_factory=dict)
    #: Those of its downloads of which it told that they were begun.
    begun: set[str] = field(default_factory=set)
    spoke: bool = False
    retiring: bool = False
    #: Whether it was told to leave.
    dismissed: bool = False
    #: When it was asked to give downloads back, in ticks; None once it has answered. Whether it had none then, and got none since.
    asked: float | None = None
    has_begun_all: bool = False
    #: When it last told of outcomes.
    heard: float = 0.0
    silent: int = 0

    @property
    def unbegun(self) -> int:
        """How many it has not begun, as far as it has told."""
        return len(self.works) - len(self.begun)

    def hand(self, works: Sequence[Work]) -> None:
        """Give it more to do."""
        self.has_begun_all = False
        self.works.update((work.download.id, work) for work in works)
        self.handle.submit(works)

    def take_back(self, ids: Iterable[str]) -> list[Work]:
        """Take note of its answer: it has these no more. Returns them."""
        works = [work for each in ids if (work := self.works.pop(each, None))]
        self.asked, self.has_begun_all = None, not works
        return works

    def hear(self) -> None:
        """It told something, whatever that is."""
        self.silent = 0
        self.spoke = True

    def take_note(self, events: Iterable[Event]) -> list[AnyOutcome]:
        """Take note of what it told of its downloads; returns their outcomes."""
        outcomes: list[AnyOutcome] = []
        for event in events:
            if isinstance(event, DownloadStarted):
                self.begun.add(event.download)
            elif isinstance(event, AnyOutcome):
                outcomes.append(event)
                self.works.pop(event.download, None)
                self.begun.discard(event.download)
        return outcomes

    def adapt(self, outcomes: int, now: float, threads: int) -> None:
        """Hold more, so that it never waits, where it finishes many downloads between two batches; hold less where it finishes few.

        Args:
            outcomes: how many it has just told of, at `now`, in ticks.
            now: see there.
            threads: its connections.
        """
        # It tells early where little is left to it.
        expected = outcomes * FLUSH_EVERY / min(FLUSH_EVERY, max(1e-6, now - self.heard))
        self.heard = now
        if expected * 2 >= self.depth:
            self.depth = min(DEEPEST, max(threads, self.depth * 2))
        elif expected * 8 <= self.depth:
            # Else a pile is left with the slowest at the end, where each has a part of a host's pace. A few are there for who is done.
            self.depth = max(min(self.depth, threads + threads // 2), self.depth // 2)

    def room(self, threads: int, most: int) -> int:
        """How many more it may hold; `most` in all, whatever it is at, where workers die."""
        waiting = min(WAITING, max(0, len(self.begun) - threads))
        return min(self.depth + waiting, DEEPEST, most) - len(self.works)

    def look(self) -> bool:
        """Note that time has passed; returns whether patience with it has just ended."""
        self.silent += self.watched
        return self.silent == PATIENCE
