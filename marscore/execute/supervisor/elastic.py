"""The supervisor of workers that come and go by themselves, as those on the machines of a cluster do.

There are no stages: whoever is there has work, and whoever comes gets some (`Joined`), near the end of what others hold (`sharing`). A
worker that is lost is replaced where there is a place for another; where there is none, the run goes on without, and its part of the limits
is kept for whoever comes. Without any worker the run waits for `NOBODY` seconds, and ends then, by name.
"""

from __future__ import annotations

from marscore.errors import StorageError
from marscore.events import Warned
from marscore.execute.supervisor.messages import Fed, Joined, StopRequested, Unfit
from marscore.execute.supervisor.sharing import is_much
from marscore.execute.supervisor.supervise import Supervisor
from marscore.values import Failure

#: Seconds without any worker after which the run ends. A cluster that replaces a machine, or begins one, takes that long.
NOBODY = 60.0
#: Places that are of no use and of which each is told of by itself.
_TOLD = 10


class ElasticSupervisor(Supervisor):
    """Runs a plan's works to their outcomes, with whoever comes; `trouble` is what ended the run, if it was for want of anybody."""

    #: What is between here and there takes its time, too.
    stop_within = 5.0
    #: A machine that is taken away is no word about what was fetched there.
    most_deaths = 5
    trouble: Failure | None = None
    _unfit = 0
    _reason = ""
    _since: float | None = None
    #: How many came when there was nothing for them to do, while more may be brought.
    _unused = 0

    @property
    def _goes_on(self) -> bool:
        return bool(self._members) or (bool(self._waiting) and self._stopping is None)

    @property
    def _has_place(self) -> bool:
        return self._stopping is None and len(self._members) < self._plan.processes

    def _hire_first(self, now: float) -> None:
        self._seats = self._plan.processes

    def _meet(self, message: Joined | Unfit) -> None:
        if isinstance(message, Unfit):
            self._unfit += 1
            self._reason = f" ({message.reason})"
            if self._unfit <= _TOLD:
                self._sink([Warned(self._clock.now(), None, f"a worker is of no use: {message.reason}; the run goes on without it")])
        elif self._has_place and (self._waiting or is_much(self._members.values(), self._plan.threads)):
            self._hire(self._factory.child)
        elif not self._waiting and self._feed is not None:
            self._unused += 1

    def _take_more(self, fed: Fed) -> None:
        super()._take_more(fed)
        while self._unused and self._waiting and self._has_place:
            self._unused -= 1
            self._hire(self._factory.child)

    def _do_without(self, error: StorageError) -> None:
        """Wait for whoever comes."""
        if self._deaths.no_start:
            self._reason = f" ({error.failure.message})"

    def _look(self) -> None:
        super()._look()
        now = self._clock.ticks()
        if self._members or not self._waiting:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= NOBODY and self._stopping is None:
            told = f"no worker has been there for {NOBODY:g} s{self._reason}"
            self.trouble = Failure("resources", told)
            self._stop(StopRequested(self.trouble, told))
