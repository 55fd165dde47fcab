"""Who hires the workers of a run, and who supervises them: chosen once, by where the job is to be carried out.

Job --staff_of--> Here: workers of this machine, or `engines.AtEngine`: workers on the machines of an engine
Plan + WorkerSettings + Desk --hired--> a factory and a supervisor
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from marscore.adapters.files.failures import naming

if TYPE_CHECKING:
    import requests

    from marscore.adapters.state.lock import Held
    from marscore.adapters.terminal.signals import Stop
    from marscore.execute.supervisor.handles import Desk, RunFactory
    from marscore.execute.supervisor.supervise import Supervisor
    from marscore.execute.worker.setup import WorkerSettings
    from marscore.job import Job
    from marscore.manifest import PlainExecution
    from marscore.planning.model import Plan
    from marscore.values import Failure


class Staff(Protocol):
    """The workers of one run, wherever they are."""

    @property
    def trouble(self) -> Failure | None:
        """What ended the run, if that was for want of them."""
        ...

    def reach(self, run_id: str, stop: Stop) -> PlainExecution:
        """Look who is there; returns the job's execution settings with what follows from that.

        Raises:
            StorageError: nobody is, or can be reached.
            KeyboardInterrupt: a signal came first.
        """
        ...

    def unused(self, plan: Plan) -> str | None:
        """What there is to say of workers that the plan has no use for."""
        ...

    def hired(self, plan: Plan, settings: WorkerSettings, desk: Desk) -> tuple[RunFactory, Supervisor]:
        """Who hires them, and who supervises them.

        Raises:
            StorageError: what they need cannot be loaded.
        """
        ...

    def close(self, all_in_place: bool) -> None:
        """Let go of what was reached."""
        ...


def staff_of(job: Job, lock: Held, session: requests.Session | None) -> Staff:
    """The staff for a job: `lock` is that of its folder, and a caller's `session` serves a worker in this process."""
    if job.engine is None:
        return Here(job, lock, session)
    from marscore.engines import AtEngine  # noqa: PLC0415 - few runs have any

    return AtEngine(job, job.engine)


class Here:
    """Implements `Staff`: threads and processes of this machine, which are always there."""

    trouble: Failure | None = None

    def __init__(self, job: Job, lock: Held, session: requests.Session | None) -> None:
        self._job = job
        self._lock = lock
        self._session = session

    def reach(self, run_id: str, stop: Stop) -> PlainExecution:
        """As `Staff` says; there is nothing to wait for."""
        return self._job.execution

    def unused(self, plan: Plan) -> str | None:
        """None: a plan has no more than it uses."""
        return None

    def hired(self, plan: Plan, settings: WorkerSettings, desk: Desk) -> tuple[RunFactory, Supervisor]:
        """As `Staff` says."""
        # requests and all else that sends and receives takes a tenth of a second to import, and more open files than there may be.
        with naming("cannot load what fetches"):
            from marscore.adapters.processes.workers import ProcessWorkerFactory  # noqa: PLC0415
            from marscore.execute.supervisor.supervise import Supervisor  # noqa: PLC0415

        factory = ProcessWorkerFactory(settings, desk.inbox, self._lock, self._session)
        return factory, Supervisor(plan, factory, desk.inbox, desk.clock, desk.sink)

    def close(self, all_in_place: bool) -> None:
        """Nothing was reached."""
