"""A run whose workers are on the machines of an engine: reached while its plan is made, and staffed from there.

Job + decisions --reach--> Session, and the execution settings with as many processes as there are workers
Session + Plan --hired--> who hires, and who supervises
"""

from __future__ import annotations

from dataclasses import replace

from marscore.adapters.clock import cores
from marscore.adapters.cluster.hiring import ClusterWorkerFactory
from marscore.adapters.cluster.session import Session
from marscore.adapters.terminal.signals import Stop
from marscore.execute.supervisor.elastic import ElasticSupervisor
from marscore.execute.supervisor.handles import Desk
from marscore.execute.worker.setup import WorkerSettings
from marscore.job import Job
from marscore.manifest import PlainExecution
from marscore.planning.model import MOST_AUTO, Plan
from marscore.settings import EngineChoice
from marscore.values import Failure


class AtEngine:
    """Implements `staffing.Staff`: a run's workers at an engine."""

    def __init__(self, job: Job, choice: EngineChoice) -> None:
        self._job = job
        self._choice = choice
        self._session: Session | None = None
        self._hired: tuple[ClusterWorkerFactory, ElasticSupervisor] | None = None

    @property
    def trouble(self) -> Failure | None:
        """What ended the run, if that was the engine."""
        if self._hired is None:
            return None
        factory, supervisor = self._hired
        return factory.trouble or supervisor.trouble

    def reach(self, run_id: str, stop: Stop) -> PlainExecution:
        """Reach the engine; returns the execution settings with its workers for processes, unless they name how many.

        Raises:
            StorageError: it cannot be reached, or has no worker.
            KeyboardInterrupt: a signal came first.
        """
        execution = self._job.execution
        wanted = min(MOST_AUTO, cores()) if execution.processes == "auto" else execution.processes
        with stop.interrupting():
            self._session = Session(self._choice, self._job.root, run_id, wanted, stop.check)
        return replace(execution, processes=self._session.count) if execution.processes == "auto" else execution

    def unused(self, plan: Plan) -> str | None:
        """What there is to say of workers that the plan has no use for."""
        session = self._session
        if session is None or session.count <= plan.processes or plan.processes < plan.per_host:
            return None
        told = f"per_host is {plan.per_host}, so {plan.processes} of {session.count} workers are used"
        return f"{told}: each needs a connection to every host (execution.per_host)"

    def hired(self, plan: Plan, settings: WorkerSettings, desk: Desk) -> tuple[ClusterWorkerFactory, ElasticSupervisor]:
        """Who hires them, and who supervises them."""
        assert self._session is not None, "it was reached"
        # Readings of progress come among the events: there is no memory to share with another machine.
        settings = replace(settings, output_identity=None, progress="none" if settings.progress == "none" else "events")
        factory = self._session.factory(settings, desk.inbox, plan.processes)
        self._hired = factory, ElasticSupervisor(plan, factory, desk.inbox, desk.clock, desk.sink)
        return self._hired

    def close(self, all_in_place: bool) -> None:
        """Leave the engine, where it was reached; what lost workers left is forgotten where nobody needs it."""
        if self._session is not None:
            self._session.close(all_in_place)
