"""What a job's workers are told of it when they start: for a run, and for what only asks servers."""

from __future__ import annotations

from marscore.execute.worker.setup import Share, WorkerSettings
from marscore.job import Job
from marscore.planning.model import Plan
from marscore.settings import LineSettings


def worker_settings(job: Job, plan: Plan, log: LineSettings) -> WorkerSettings:
    """The settings of every worker. What only those need that write files, its caller adds."""
    return WorkerSettings(
        str(job.root),
        plan.threads,
        plan.buffer_size,
        Share(plan.per_host, plan.max_rate),
        secrets=tuple(job.redactor.secrets.items()),
        words=tuple(job.redactor.words),
        lane=job.execution.lane,
        http=job.execution.http,
        chunk=plan.chunk_size,
        log=log,
        own_folder=job.own,
        store=job.store,
        patience=job.patience,
    )
