"""The plan as people and programs read it: what `marscore plan` prints. Of secrets it shows what a path shows, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from marscore.exhaustive import assert_never
from marscore.frozen import dataclass
from marscore.planning.model import Plan
from marscore.policy.redact import Redactor
from marscore.resolve.reconcile import Cached, Decision, Fetch, Prove, Refresh, Refuse, Resume, UpToDate
from marscore.url import host_of

Action = Literal["fetch", "resume", "refresh", "prove", "up_to_date", "cached", "refuse"]


@dataclass(frozen=True, slots=True)
class PlannedDownload:
    """What one download needs: `prove` reads the file in place to see whether it is right, `refresh` asks the server."""

    id: str
    url: str
    path: str
    action: Action
    reason: str
    host: Annotated[str, Field(description="host:port, the key of per_host limits")]
    threads: Annotated[int, Field(description="most connections for this file")]
    sources: Annotated[tuple[str, ...], Field(description="what is asked, in this order: the url, or what mirrors put in its place")]


class PlanDocument(BaseModel):
    """What a run would do now."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, populate_by_name=True)

    schema_: Literal["marscore/plan/v1"] = Field(default="marscore/plan/v1", alias="schema")
    name: str | None
    output_dir: str
    processes: int = Field(description="1: no child process; auto: the others join only if the job turns out not to be small")
    threads: int = Field(description="connections of one process")
    per_host: int
    max_rate: int | None = Field(description="bytes a second")
    deadline_s: float | None
    warnings: tuple[str, ...] = Field(default=(), description="what makes the plan less sure than it could be")
    downloads: tuple[PlannedDownload, ...]


def document(plan: Plan, name: str | None, output_dir: str, redactor: Redactor, warnings: tuple[str, ...] = ()) -> PlanDocument:
    """Write the plan down, redacted."""
    return PlanDocument(
        name=None if name is None else redactor.text(name),
        output_dir=output_dir,
        processes=plan.processes,
        threads=plan.threads,
        per_host=plan.per_host,
        max_rate=plan.max_rate,
        deadline_s=plan.deadline,
        warnings=warnings,
        downloads=tuple(_planned(decision, redactor) for decision in plan.decisions),
    )


def _planned(decision: Decision, redactor: Redactor) -> PlannedDownload:
    download = decision.download
    sources = tuple(map(redactor.url, download.sources))
    return PlannedDownload(
        id=download.id,
        url=sources[0] if download.original is None else redactor.url(download.url),
        path=download.path,
        action=_action(decision),
        reason=decision.reason,
        host=redactor.text(host_of(download.sources[0])),
        threads=download.options.threads,
        sources=sources,
    )


def _action(decision: Decision) -> Action:
    match decision:
        case Fetch():
            return "fetch"
        case Resume():
            return "resume"
        case Refresh():
            return "refresh"
        case Prove():
            return "prove"
        case UpToDate():
            return "up_to_date"
        case Cached():
            return "cached"
        case Refuse():
            return "refuse"
        case _:
            assert_never(decision)


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of the plan."""
    body = PlanDocument.model_json_schema(mode="serialization", by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "plan.v1.schema.json",
        **body,
        "title": "marscore plan, version 1",
    }
