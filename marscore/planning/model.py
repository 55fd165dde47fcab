"""Plan: how many processes and threads carry out the work, and what each download needs.

Execution settings + decisions --compile_plan--> Plan --document--> PlanDocument (for people and JSON)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from marscore.frozen import dataclass
from marscore.manifest import PlainExecution
from marscore.resolve.reconcile import Decision, Fetch, Prove, Refresh, Resume, Unpacking

#: Most processes that `auto` starts: more help only where many cores wait for a fast line.
MOST_AUTO = 4
#: Most processes that look at files for the run, which does a quarter of the work itself: more would wait for it.
MOST_LOOKING = 4
#: From so many downloads on a job is not small: child processes are started at once, rather than when it shows.
MANY = 1000


#: What needs a worker, or may turn out to.
ACTIVE = (Fetch, Resume, Refresh, Prove, Unpacking)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to happen.

    `processes` carry out the work with `threads` connections each; 1 means no child process. With `start` "when_needed" the run begins
    in the calling process, and the others join only if the job turns out not to be small; many files never are. Sizes are bytes,
    rates bytes a second, `deadline` seconds.
    """

    decisions: tuple[Decision, ...]
    processes: int
    threads: int
    per_host: int
    start: Literal["at_once", "when_needed"]
    max_rate: int | None
    buffer_size: int
    chunk_size: int
    deadline: float | None
    fail_fast: Literal["never", "first_failure"]

    @property
    def downloads(self) -> int:
        """How many downloads are wanted, those included that need nothing."""
        return len(self.decisions)


def compile_plan(execution: PlainExecution, decisions: Sequence[Decision], cores: int, further: int = 0) -> Plan:
    """Decide on processes and threads for what has to be done; `further` is of how many downloads that is known beside the decisions."""
    active = sum([isinstance(decision, ACTIVE) for decision in decisions]) + further
    processes = _processes(execution, active, cores)
    may_be_small = execution.processes == "auto" and processes < execution.per_host and active < MANY
    return Plan(
        decisions=tuple(decisions),
        processes=processes,
        threads=execution.threads,
        per_host=execution.per_host,
        start="when_needed" if may_be_small else "at_once",
        max_rate=execution.max_rate,
        buffer_size=execution.buffer_size,
        chunk_size=execution.chunk_size,
        deadline=execution.deadline,
        fail_fast=execution.fail_fast,
    )


def looking_processes(execution: PlainExecution, cores: int) -> int:
    """How many processes look ahead at files of a long list of which all are in place; 0 where the run does so alone."""
    wanted = cores if execution.processes == "auto" else min(execution.processes, cores)
    return min(MOST_LOOKING, wanted) if wanted > 1 else 0


def _processes(execution: PlainExecution, active: int, cores: int) -> int:
    # Each process needs at least one connection to every host, and at least one download to fetch.
    wanted = min(MOST_AUTO, cores) if execution.processes == "auto" else execution.processes
    return max(1, min(wanted, active, execution.per_host))
