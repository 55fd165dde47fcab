"""The plan as people and programs read it: what `marscore plan` prints. Of secrets it shows what a path shows, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from marscore.exhaustive import assert_never
from marscore.frozen import dataclass
from marscore.planning.model import ACTIVE, Plan
from marscore.policy.redact import Redactor
from marscore.resolve.reconcile import Cached, Decision, Fetch, Prove, Refresh, Refuse, Resume, Unpacking, UpToDate
from marscore.url import host_of

Action = Literal["fetch", "resume", "refresh", "prove", "up_to_date", "cached", "unpack", "refuse"]


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
    checksum_from: Annotated[tuple[str, ...], Field(description="publishers' lists in which its checksums are looked up")] = ()
    size: Annotated[int | None, Field(description="bytes, where manifest, lock, state or an earlier answer tell")] = None
    bytes_kept: Annotated[int, Field(description="of these, what an earlier run left: proven first, and then not fetched again")] = 0


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """Sums over all downloads. What may turn out to be right or current (`prove`, `refresh`) is to do, but not to be fetched so far."""

    downloads: int
    to_do: Annotated[int, Field(description="all but those that are up_to_date")]
    bytes_to_fetch: Annotated[int, Field(description="of fetch and resume, as far as sizes are known")]
    size_unknown: Annotated[int, Field(description="downloads to be fetched of which no size is known")]
    bytes_kept: int
    bytes_up_to_date: int


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
    on_success: tuple[str, ...] | None = Field(default=None, description="the program that is run when every download is in place")
    on_failure: tuple[str, ...] | None = Field(default=None, description="the program that is run when one is not")
    warnings: tuple[str, ...] = Field(default=(), description="what makes the plan less sure than it could be")
    totals: PlanTotals
    downloads: tuple[PlannedDownload, ...]


def document(plan: Plan, name: str | None, output_dir: str, redactor: Redactor, warnings: tuple[str, ...] = ()) -> PlanDocument:
    """Write the plan down, redacted."""
    downloads, tally = tuple(planned(decision, redactor) for decision in plan.decisions), Tally()
    tally.add(plan.decisions, downloads)
    return PlanDocument(
        name=None if name is None else redactor.text(name),
        output_dir=output_dir,
        processes=plan.processes,
        threads=plan.threads,
        per_host=plan.per_host,
        max_rate=plan.max_rate,
        deadline_s=plan.deadline,
        warnings=warnings,
        totals=tally.totals(),
        downloads=downloads,
    )


def planned(decision: Decision, redactor: Redactor) -> PlannedDownload:
    """What a decision says of its download, redacted."""
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
        checksum_from=tuple(redactor.text(awaited.source.place) for awaited in download.awaited),
        sources=sources,
        size=_size(decision),
        bytes_kept=decision.kept if isinstance(decision, Resume) else 0,
    )


def _size(decision: Decision) -> int | None:
    match decision:
        case UpToDate() | Prove():
            return decision.file.size
        case Refresh() | Unpacking():
            return decision.claim.identity.size
        case Resume() if decision.size is not None:
            return decision.size
        case _:
            return decision.download.size


class Tally:
    """Adds downloads up. `actions` counts them by what they need, `active` those that need a worker, or may turn out to."""

    def __init__(self) -> None:
        self.actions: Counter[Action] = Counter()
        self.active = 0
        self._to_fetch = self._unknown = self._kept = self._up_to_date = 0

    def add(self, decisions: Iterable[Decision], downloads: Iterable[PlannedDownload]) -> None:
        """Add some downloads, and what was decided of them."""
        self.active += sum(isinstance(decision, ACTIVE) for decision in decisions)
        for each in downloads:
            self.actions[each.action] += 1
            if each.action == "up_to_date":
                self._up_to_date += each.size or 0
            elif each.action in ("fetch", "resume"):
                self._kept += each.bytes_kept
                self._unknown += each.size is None
                self._to_fetch += 0 if each.size is None else max(0, each.size - each.bytes_kept)

    def totals(self) -> PlanTotals:
        """The sums."""
        count = self.actions.total()
        to_do = count - self.actions["up_to_date"]
        return PlanTotals(count, to_do, self._to_fetch, self._unknown, self._kept, self._up_to_date)


def _action(decision: Decision) -> Action:  # noqa: C901 - one case for each decision, nothing more
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
        case Unpacking():
            return "unpack"
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
