"""The head of a report as a run makes it: values without a model, since pydantic takes a quarter of a start to import.

`model.Report` says what the fields mean, and is what a caller is given. A test holds the two together.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from marscore.frozen import dataclass

if TYPE_CHECKING:
    from marscore.report.model import RunStatus


@dataclass(frozen=True, slots=True)
class ManifestNamed:
    """As `model.ManifestReport`."""

    path: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class PlanSums:
    """As `model.PlanReport`."""

    processes: int = 0
    threads: int = 0
    downloads: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """As `model.Totals`."""

    downloads: int
    downloaded: int
    up_to_date: int
    cached: int
    failed: int
    interrupted: int
    skipped: int
    bytes_downloaded: int
    bytes_resumed: int
    retries: int


@dataclass(frozen=True, slots=True)
class Samples:
    """As `model.ThroughputReport`."""

    interval_s: float
    bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """All of a report but its entries. `warnings` are those of the run; one about a download is in the log."""

    marscore_version: str
    run_id: str
    name: str | None
    manifest: ManifestNamed
    started_at: str
    finished_at: str
    duration_s: float
    status: RunStatus
    exit_code: int
    plan: PlanSums
    totals: Sums
    warnings: tuple[str, ...] = ()
    throughput: Samples = Samples(0.1, ())
    schema: Literal["marscore/report/v1"] = "marscore/report/v1"

    def as_written(self) -> dict[str, Any]:
        """The fields in the order in which they are written, that of `model.Report`."""
        written = asdict(self)
        return {"schema": written.pop("schema"), **written}
