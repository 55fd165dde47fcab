"""A run whose workers are on the machines of an engine: reached while its plan is made, and staffed from there.

Job + decisions --reach--> Session, and the execution settings with as many processes as there are workers
Session + Plan --staff--> who hires, and who supervises
"""

from __future__ import annotations

from dataclasses import replace

from marscore.adapters.clock import cores
from marscore.adapters.cluster.hiring import ClusterWorkerFactory
from marscore.adapters.cluster.session import Session
from marscore.adapters.terminal.signals import Stop
from marscore.execute.supervisor.elastic import ElasticSupervisor
from marscore.execute.supervisor.handles import Sink
from marscore.execute.supervisor.messages import Inbox
from marscore.execute.worker.setup import WorkerSettings
from marscore.job import Job
from marscore.manifest import PlainExecution
from marscore.planning.model import MOST_AUTO, Plan
from marscore.ports import Clock
from marscore.values import Failure


def reach(job: Job, run_id: str, stop: Stop) -> tuple[Session, PlainExecution]:
    """Reach the job's engine; returns the execution settings with its workers for processes, unless they name how many.

    Raises:
        StorageError: it cannot be reached, or has no worker.
        KeyboardInterrupt: a signal came first.
    """
    assert job.engine is not None, "the job has one"
    execution = job.execution
    wanted = min(MOST_AUTO, cores()) if execution.processes == "auto" else execution.processes
    with stop.interrupting():
        session = Session(job.engine, job.root, run_id, wanted, stop.check)
    return session, replace(execution, processes=session.count) if execution.processes == "auto" else execution


def unused(session: Session, plan: Plan) -> str | None:
    """What there is to say of workers that the plan has no use for."""
    if session.count <= plan.processes or plan.processes < plan.per_host:
        return None
    told = f"per_host is {plan.per_host}, so {plan.processes} of {session.count} workers are used"
    return f"{told}: each needs a connection to every host (execution.per_host)"


class Staff:
    """Who hires and who supervises a run's workers at an engine."""

    def __init__(self, session: Session, plan: Plan, settings: WorkerSettings, inbox: Inbox, clock: Clock, sink: Sink) -> None:
        # Readings of progress come among the events: there is no memory to share with another machine.
        settings = replace(settings, output_identity=None, progress="none" if settings.progress == "none" else "events")
        self.factory: ClusterWorkerFactory = session.factory(settings, inbox, plan.processes)
        self.supervisor = ElasticSupervisor(plan, self.factory, inbox, clock, sink)

    @property
    def trouble(self) -> Failure | None:
        """What ended the run, if that was the engine."""
        return self.factory.trouble or self.supervisor.trouble
