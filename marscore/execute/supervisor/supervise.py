"""Hands the work to workers, wherever they run, and passes their events on: the only place that knows how many there are.

    feed --Fed--> works, asked for while few wait
    works --batches--> whichever worker has room --Batch(events, told)--> sink
                       Paused, Paced (host) --> every other worker;  Gone --> its downloads go to another (`deaths`)
                       nothing, for too long --> it is ended (`members`)
    nothing waits, and one has nothing to do --give_back--> who holds most --Returned--> the one (`sharing`)

Nothing here waits for a worker: one that stands still holds up neither the others nor a signal.

The per-host and rate limits of the run are shared out evenly; when a worker leaves, the others get what it had. Shares only grow, but for
that of the worker here, which has all until others join; they join once it holds no more than its new share. So the sum never exceeds the
limit.

This file is longer than the house's 300 lines, since who hires, hands out and takes back has to know all of it.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from marscore.errors import StorageError
from marscore.events import AnyOutcome, DownloadFailed, DownloadSkipped, Warned
from marscore.execute.supervisor.deaths import MOST_IN_A_ROW, Deaths
from marscore.execute.supervisor.handles import Feed, LocalHandle, Sink, WorkerFactory, WorkerHandle
from marscore.execute.supervisor.members import LOOK_EVERY, PATIENCE, Member, first_depth
from marscore.execute.supervisor.messages import Alive, Batch, Fed, Gone, Inbox, Joined, Paced, Paused, Returned, StopRequested, Unfit
from marscore.execute.supervisor.sharing import may_get, parts, request, takers
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share
from marscore.planning.model import Plan
from marscore.ports import Clock
from marscore.queues import taken
from marscore.values import Failure

#: Seconds that a run stays in the calling process before others join: a small job is over by then, and a child takes as long to start.
SMALL_JOB = 0.4
#: The share of its processor time above which a process is taken to have too little of it.
BUSY = 0.7
#: Where fewer works wait, and there is a feed, more are asked for: what half a second takes.
FEW = 4_000


class Supervisor:
    """Runs a plan's works to their outcomes."""

    #: Seconds that workers get to stop; a signal has to end the run within two.
    stop_within = 1.6
    #: Workers that may die over one download, which fails then.
    most_deaths = 2

    def __init__(self, plan: Plan, factory: WorkerFactory, inbox: Inbox, clock: Clock, sink: Sink) -> None:
        self._plan = plan
        self._factory = factory
        self._inbox = inbox
        self._clock = clock
        self._sink = sink
        self._waiting: deque[Work] = deque()
        self._deaths = Deaths(self.most_deaths)
        self._members: dict[int, Member] = {}
        self._hired = 0
        self._seats = 1
        self._here: LocalHandle | None = None
        self._looked = (0.0, 0.0)
        self._growing = False
        self._stopping: StopRequested | None = None
        #: Whether there is a feed that may bring more, and whether it was asked to.
        self._feed: Feed | None = None
        self._asked = False
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def run(self, works: Sequence[Work], since: float | None = None, feed: Feed | None = None) -> None:
        """Hand out the works, and those that `feed` brings, and return when each has its outcome.

        `since` is when the run began, in ticks, if that was before.
        """
        if not works and feed is None:
            return
        self._waiting.extend(works)
        self._feed = feed
        now = self._clock.ticks()
        if self._plan.deadline is not None:
            self._timers.append(((now if since is None else since) + self._plan.deadline, self._expire))
        self._timers.append((now + LOOK_EVERY, self._look))
        self._hire_first(now)
        self.wind_up()

    def wind_up(self) -> None:
        """Go on until every worker has left; for a caller that was interrupted in `run` and has asked to stop since."""
        while self._goes_on or self._awaits_more():
            now = self._clock.ticks()
            due = [timer for timer in self._timers if timer[0] <= now]
            self._timers = [timer for timer in self._timers if timer[0] > now]
            for _, act in due:
                act()
            next_timer = min((at for at, _ in self._timers), default=None)
            self._settle()
            # Whoever was abandoned just now need not have anything more to say.
            if self._goes_on or self._feed is not None:
                self._read(None if next_timer is None else max(0.0, next_timer - self._clock.ticks()))
        why = self._stopping.unbegun if self._stopping else "no worker was left"
        self._sink([DownloadSkipped(self._clock.now(), work.download.id, why) for work in self._waiting])
        self._waiting.clear()

    @property
    def _goes_on(self) -> bool:
        return bool(self._members)

    def _hire_first(self, now: float) -> None:
        if self._plan.processes == 1:
            self._hire(self._factory.here)
        elif self._plan.start == "when_needed":
            self._hire(self._hire_here)
            self._looked = (now, self._clock.used())
            self._timers.append((now + SMALL_JOB, self._grow))
        else:
            self._seats = self._plan.processes
            for _ in range(self._plan.processes):
                self._hire(self._factory.child)

    def _expire(self) -> None:
        reason = f"the run's deadline of {self._plan.deadline:g} s is over"
        self._stop(StopRequested(Failure("timeout", reason), reason))

    def _hire_here(self, number: int, share: Share) -> WorkerHandle:
        self._here = self._factory.here(number, share)
        return self._here

    def _grow(self) -> None:
        """Move to child processes: the worker here finishes what it holds and leaves.

        Only where this one has no processor time left: more processes help nobody who waits for the network.
        """
        if self._stopping or not self._waiting:
            return
        now, used = self._clock.ticks(), self._clock.used()
        (then, used_then), self._looked = self._looked, (now, used)
        self._growing = self._growing or used - used_then >= BUSY * (now - then)
        if not self._growing or not self._make_room():
            self._timers.append((now + SMALL_JOB, self._grow))
            return
        for member in self._members.values():
            member.retiring = True
        for _ in range(min(self._plan.processes, len(self._waiting))):
            self._hire(self._factory.child)

    def _hire(self, hire: Callable[[int, Share], WorkerHandle]) -> None:
        number = self._hired
        self._hired += 1
        try:
            depth = first_depth(self._plan, len(self._waiting), self._seats - len(self._members))
            member = Member(number, hire(number, self._share()), depth, watched=hire == self._factory.child)
        except StorageError as error:
            if hire != self._factory.child:
                # There is nobody left who could do it.
                self._fail(self._waiting, error.failure)
                self._waiting.clear()
                return
            self._do_without(error)
            self._fill()
            return
        self._members[number] = member
        self._fill()

    def _do_without(self, error: StorageError) -> None:
        """Go on with the workers that are there, or with one in this process, which takes nothing more of the system."""
        self._sink([Warned(self._clock.now(), None, f"{error.failure.message}; the run goes on with fewer")])
        if all(member.retiring for member in self._members.values()):
            self._hire(self._factory.here)
            return
        self._seats = max(1, self._seats - 1)
        for member in self._members.values():
            member.handle.widen(self._share())

    def _make_room(self) -> bool:
        """Give the worker here a share beside others; False while it still holds more connections than that."""
        assert self._here is not None
        self._seats = self._plan.processes + 1
        share = self._share()
        return self._here.narrow(share) <= share.per_host

    def _share(self) -> Share:
        rate = None if self._plan.max_rate is None else max(1, self._plan.max_rate // self._seats)
        return Share(max(1, self._plan.per_host // self._seats), rate)

    def _look(self) -> None:
        """End workers that have given no sign of life for too long; what they hold goes to others once they are gone."""
        self._timers.append((self._clock.ticks() + LOOK_EVERY, self._look))
        for member in self._members.values():
            if member.look():
                told = f"a worker process gives no sign of life for {PATIENCE * LOOK_EVERY:g} s and is ended"
                self._sink([Warned(self._clock.now(), None, told)])
                member.handle.kill()

    def _read(self, timeout: float | None) -> None:
        try:
            message = taken(self._inbox, timeout)
        except queue.Empty:
            return
        if isinstance(message, StopRequested | Joined | Unfit):
            self._stop(message) if isinstance(message, StopRequested) else self._meet(message)
            return
        if isinstance(message, Fed):
            self._take_more(message)
            return
        sender = self._members.get(message.worker)
        if sender and not isinstance(message, Gone):
            sender.hear()
        self._heed(message)

    def _meet(self, message: Joined | Unfit) -> None:
        """Nobody comes to a run on one machine."""

    def _heed(self, message: Batch | Paused | Paced | Alive | Returned | Gone) -> None:
        match message:
            case Alive():
                pass
            case Batch():
                self._take_in(message)
            case Paused() | Paced():
                for handle in (member.handle for number, member in self._members.items() if number != message.worker):
                    if isinstance(message, Paused):
                        handle.pause(message.host, message.seconds)
                    else:
                        handle.pace(message.host)
            case Returned():
                self._pass_on(message)
            case Gone():
                self._lose(message)

    def _awaits_more(self) -> bool:
        """Whether more works may come where no worker is left: they have all died, or none could be started."""
        if self._feed is None or self._stopping is not None:
            return False
        if self._waiting:
            self._hire(self._factory.here)
        self._ask()
        return True

    def _ask(self) -> None:
        """Have more works brought where few wait."""
        if self._feed is not None and not self._asked and self._stopping is None and len(self._waiting) < FEW:
            self._asked = True
            self._feed.more()

    def _take_more(self, fed: Fed) -> None:
        self._asked = False
        if self._stopping is not None:
            return
        if fed.order == "last":
            self._feed = None
        self._waiting.extend(fed.take())
        self._fill()

    def _take_in(self, batch: Batch) -> None:
        member = self._members.get(batch.worker)
        if member is None:
            # It was abandoned: what it held has its outcomes, and these would be second ones.
            return
        # As would one of a download that was handed to another worker meanwhile.
        known = [e for e in batch.events if not isinstance(e, AnyOutcome) or e.download in member.works]
        name = f"{batch.worker}-{member.handle.place}" if member.handle.place else str(batch.worker)
        self._sink(known, batch.told and replace(batch.told, worker=name))
        outcomes = member.take_note(batch.events)
        if outcomes:
            self._deaths.outcome()
            member.adapt(len(outcomes), self._clock.ticks(), self._plan.threads)
        if self._plan.fail_fast == "first_failure" and self._stopping is None:
            failed = next((e for e in outcomes if isinstance(e, DownloadFailed)), None)
            if failed:
                reason = f"stopped since {failed.download} failed"
                self._stop(StopRequested(Failure("interrupted", reason), reason))
        self._fill()

    def _fill(self) -> None:
        for member in self._members.values():
            # The rest is shared out in ever smaller batches, so that no worker sits on a pile while another has nothing.
            fair = max(self._plan.threads, len(self._waiting) // (2 * len(self._members)))
            room = min(member.room(self._plan.threads, self._deaths.depth), fair)
            if room <= 0 or member.retiring or self._stopping:
                continue
            works = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            if works:
                member.hand(works)
        self._ask()

    def _settle(self) -> None:
        """Near the end: have what some hold shared by those that have nothing to do, and let these go where nothing is left for them."""
        if self._stopping is not None:
            return
        is_over = not self._waiting and self._feed is None
        members = list(self._members.values())
        for member in members:
            if not member.works and not member.dismissed and (member.retiring or (is_over and not may_get(member, members))):
                member.retiring = member.dismissed = True
                member.handle.close()
        now = self._clock.ticks()
        if is_over and (asked := request(members, self._plan.threads, now)):
            asked.member.asked = now
            asked.member.handle.give_back(asked.most)

    def _pass_on(self, returned: Returned) -> None:
        """Let those that have something to spare have what another gave back, evenly."""
        member = self._members.get(returned.worker)
        # What one gives back that is not reckoned with any more has failed with it.
        works = deque(() if member is None else member.take_back(returned.ids))
        found = takers(self._members.values(), self._plan.threads) if self._stopping is None and not self._waiting else []
        for taker, count in zip(found, parts(len(works), len(found)), strict=True) if found else ():
            # Where workers die, they hold few.
            some = [works.popleft() for _ in range(min(count, self._deaths.depth - len(taker.works)))]
            if some:
                taker.hand(some)
        self._waiting.extendleft(reversed(works))
        self._fill()

    def _lose(self, gone: Gone) -> None:
        member = self._members.pop(gone.worker, None)
        if member is None:
            return
        if self._stopping is None and (member.works or gone.reason):
            self._hand_over(member, gone.reason or "it ended early")
        elif self._stopping is None:
            self._seats = max(len(self._members), 1)
            for other in self._members.values():
                other.handle.widen(self._share())
        elif member.works:
            self._fail(member.works.values(), self._stopping.failure)

    def _hand_over(self, member: Member, reason: str) -> None:
        given_up = self._deaths.died(member.works, member.begun, member.spoke)
        times = "twice" if self.most_deaths == 2 else f"{self.most_deaths} times"
        self._sink([Warned(self._clock.now(), None, f"a worker process died ({reason}); {len(member.works)} downloads go to another")])
        failing = [member.works.pop(each) for each in given_up]
        self._fail(failing, Failure("internal", f"the worker process died {times} over this download ({reason})"))
        if self._deaths.hopeless:
            told = f"{MOST_IN_A_ROW} worker processes died one after the other without one download between them ({reason})"
            self._fail(member.works.values(), Failure("internal", told))
            self._stop(StopRequested(Failure("internal", told), told))
            return
        self._waiting.extendleft(replace(work, untouched=False) for work in reversed(member.works.values()))
        if self._waiting and self._deaths.no_start:
            self._do_without(StorageError(Failure("internal", f"worker processes do not start ({reason})")))
        elif self._waiting:
            self._hire(self._factory.child)
        self._fill()

    def _stop(self, request: StopRequested) -> None:
        if self._stopping is not None:
            return
        self._stopping = request
        self._timers.append((self._clock.ticks() + self.stop_within, self._abandon))
        for member in self._members.values():
            member.handle.stop(request.failure, request.unbegun)

    def _abandon(self) -> None:
        """End workers that did not stop in time; what they recorded is kept."""
        assert self._stopping is not None
        for member in self._members.values():
            member.handle.kill()
            self._fail(member.works.values(), self._stopping.failure)
        self._members.clear()

    def _fail(self, works: Iterable[Work], failure: Failure) -> None:
        now = self._clock.now()
        self._sink([DownloadFailed(now, work.download.id, failure.kind, failure.message, url=work.download.url) for work in works])
