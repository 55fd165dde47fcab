"""One run of marscore in the simulated world: what `running.Run` does between the folder's lock and the report, on simulated adapters.

claims, files --look, prove--> decisions --compile_plan--> Plan --Supervisor, workers--> events --> ClaimWriter, ReportFold
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marscore.adapters.files.decisions import look, prove
from marscore.adapters.files.folder import Folder
from marscore.adapters.records import RecordMaker
from marscore.adapters.state.claim_writer import ClaimWriter
from marscore.deciding import work_of
from marscore.errors import StorageError
from marscore.events import Event
from marscore.execute.supervisor.messages import StopRequested, Told
from marscore.execute.supervisor.supervise import Supervisor
from marscore.execute.transfer.protocol import Work
from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.manifest import PlainExecution
from marscore.planning.model import Plan, compile_plan
from marscore.policy.redact import Redactor
from marscore.report.fold import ReportFold, RunFacts
from marscore.report.outcome import outcome_of
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision
from marscore.settings import LineSettings
from marscore.values import Failure
from tests.simulation.crew import Machine, SimulatedInbox, SimulatedWorkerFactory
from tests.simulation.state import Database, SimulatedState
from tests.simulation.system import SimulatedSystem
from tests.simulation.world import Clock, DiedError

LINES = LineSettings("simulated")


@dataclass
class Ended:
    """How a run ended. `exit_code` is None where it was killed; `entries` are those of its report."""

    exit_code: int | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    throughput: list[int] = field(default_factory=list)
    signalled_at: float | None = None
    seconds: float = 0.0
    #: For how long it was looked what is there.
    planned: float = 0.0
    closed: float = 0.0
    descriptors: int = 0
    crew: SimulatedWorkerFactory | None = None
    trouble: Failure | None = None


class SimulatedRun:
    """One run. `signal` is the one that told it to stop."""

    def __init__(
        self, machine: Machine, database: Database, downloads: Sequence[Download], execution: PlainExecution, redactor: Redactor
    ) -> None:
        self._machine = machine
        self._database = database
        self._downloads = tuple(downloads)
        self._execution = execution
        self._redactor = redactor
        self._clock = Clock(machine.main)
        self._inbox = SimulatedInbox(machine.main)
        self._records = RecordMaker(redactor, LINES)
        self.signal: int | None = None
        self._over = False
        #: What a signal meets: as in `running.Run`, it ends the planning at once, and changes nothing any more in the end.
        self._phase = "before"
        self.ended = Ended()

    def stop(self, number: int) -> None:
        """A signal comes."""
        if self.ended.signalled_at is None and not self._over:
            self.signal = number
            self.ended.signalled_at = self._machine.world.elapsed
            self._machine.world.tell("main", "signal %d", number)
            reason = f"interrupted by signal {number}; run again to resume"
            if self._phase == "fetching":
                self._inbox.put(StopRequested(Failure("interrupted", reason), reason))
            elif self._phase == "planning":
                raise KeyboardInterrupt

    def carry_out(self) -> Ended:
        """Do it all."""
        began = self._began = self._machine.world.elapsed
        try:
            self._carry_out()
        except DiedError:
            self._machine.world.tell("main", "is no more")
            self.ended.exit_code = None
        self._over = True
        self.ended.seconds = self._machine.world.elapsed - began
        return self.ended

    def _carry_out(self) -> None:
        machine = self._machine
        system = SimulatedSystem(machine.disk, machine.main)
        folder = Folder(Path(machine.root), system=system)
        state = SimulatedState(self._database, machine.main)
        facts = RunFacts("simulated", "0", self._clock.now(), "downloads.yaml", None, self._downloads)
        self._fold = ReportFold(facts, self._redactor)
        self._claims = ClaimWriter(state, folder, self._clock, {d.id: d for d in self._downloads})
        try:
            self._fetch(self._plan(folder), folder)
        except KeyboardInterrupt:
            pass
        except StorageError as error:
            self.ended.trouble = error.failure
            self._fold.break_off(error.failure)
        self._phase = "ending"
        self.ended.closed = self._clock.ticks() - self._began
        self._claims.close()
        self._claims.clear(all_in_place=self._fold.exit_code(self.signal) == 0)
        self.ended.exit_code = self._fold.exit_code(self.signal)
        # From here on a signal changes nothing.
        self._over = True
        head = self._fold.head(finished_at=self._clock.now(), duration_s=self._clock.ticks() - self._began, signal=self.signal)
        self.ended.throughput = list(head.throughput.bytes)
        self.ended.entries = [json.loads(entry) for entry in self._fold.entries(self.signal)]
        state.close()
        self.ended.descriptors = system.descriptors

    def _plan(self, folder: Folder) -> Plan:
        self._phase = "planning"
        if self.signal is not None:
            raise KeyboardInterrupt
        decisions = prove(folder, look(folder, self._claims.before, self._downloads), threads=0)
        self.ended.decisions = decisions
        self._phase = "between"
        self.ended.planned = self._clock.ticks() - self._began
        plan = compile_plan(self._execution, decisions, 4)
        self._take([event for decision in decisions if (event := outcome_of(decision, self._clock.now()))])
        return plan

    def _fetch(self, plan: Plan, folder: Folder) -> None:
        works: list[Work] = [work for decision in plan.decisions if (work := work_of(decision))]
        if not works:
            return
        settings = WorkerSettings(
            self._machine.root,
            plan.threads,
            plan.buffer_size,
            Share(plan.per_host, plan.max_rate),
            secrets=tuple(self._redactor.secrets.items()),
            output_identity=folder.identity,
            words=tuple(self._redactor.words),
            log=LINES,
        )
        self._phase = "fetching"
        if self.signal is not None:
            return
        crew = self.ended.crew = SimulatedWorkerFactory(settings, self._machine, self._inbox)
        Supervisor(plan, crew, self._inbox, self._clock, self._take).run(works, self._began)  # type: ignore[arg-type]  # it is used as a queue

    def _take(self, events: Iterable[Event], told: Told | None = None) -> None:
        self._machine.main.call()
        if told is None:
            events, told = self._records.tell(events)
        for event in events:
            download: str = getattr(event, "download", None) or ""
            self.ended.events.append(event)
            self._claims.note(event, told.rows.get(download))
            self._fold.add(event, told.entries.get(download))
        self.ended.lines += told.lines


def quiet(machine: Machine, seconds: float) -> None:
    """Let the world go on for a while after a run."""
    until = machine.world.elapsed + seconds
    while machine.world.step(until):
        pass
