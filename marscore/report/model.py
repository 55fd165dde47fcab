"""The report of a run, as `schemas/report.v1.schema.json` describes it.

The document is a pydantic model; what it holds a hundred thousand times is a frozen slots dataclass, which pydantic describes and
reads just as well at a fraction of the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, WithJsonSchema

from marscore.events import Brought
from marscore.frozen import dataclass
from marscore.report.results import Places, Results
from marscore.values import FailureKind, FetchedRange, Unpacked

RunStatus: TypeAlias = Literal["succeeded", "failed", "interrupted"]
DownloadStatus: TypeAlias = Literal["downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped"]
#: RFC 3339, UTC, with milliseconds.
Timestamp: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Count: TypeAlias = Annotated[int, Field(ge=0)]
#: JSON has no infinity, but for Python, which reads one.
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Retry:
    """A try that failed and was followed by another: what went wrong, and how long the wait was."""

    at: Timestamp
    url: str
    kind: FailureKind
    status: int | None
    message: str
    wait_s: Seconds
    attempt: Count


@dataclass(frozen=True, slots=True)
class Error:
    """Why a download is not in place."""

    kind: FailureKind
    status: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Note:
    """What happened on the way, besides retries: a resume, bytes thrown away, another source, a pause that a host asked for."""

    at: Timestamp
    event: Literal["download_resumed", "resume_discarded", "mirror_switched", "mirror_dropped", "ranges_unsupported", "host_paused"]
    url: str | None = None
    host: str | None = None
    reason: str | None = None
    bytes: Count | None = None
    wait_s: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """How the bytes came. `urls` are the download's own and its mirrors; a range names its source by the place there."""

    urls: tuple[str, ...] = ()
    ranges: tuple[FetchedRange, ...] = ()
    ranges_left_out: Count = 0
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class DownloadReport:
    """How one download ended. `reason` says why a file was fetched, kept or skipped; `source` is the URL that served it.

    `sources` says how many bytes of the file each brought where several were used at once, `unpacked` what came of an archive that was to
    be unpacked. `timeline` is left out of a file that came in one piece and no time.
    """

    id: str
    url: str
    path: str
    status: DownloadStatus
    reason: str | None = None
    size: Count | None = None
    checksum: str | None = None
    bytes_downloaded: Count = 0
    bytes_resumed: Count = 0
    segments: Count = 0
    started_at: Timestamp | None = None
    duration_s: Seconds = 0.0
    etag: str | None = None
    source: str | None = None
    sources: tuple[Brought, ...] = ()
    unpacked: Unpacked | None = None
    retries: tuple[Retry, ...] = ()
    timeline: Timeline | None = None
    error: Error | None = None


class _Document(BaseModel):
    # Unknown fields are ignored, so that an older reader understands a newer report.
    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True, json_schema_serialization_defaults_required=True)


class ManifestReport(_Document):
    """Which manifest it was; `sha256` is that of its text."""

    path: str
    sha256: str | None


class PlanReport(_Document):
    """How the work was shared; all zero where the run ended before there was a plan."""

    processes: Count = 0
    threads: Count = 0
    downloads: Count = 0


class Totals(_Document):
    """Sums over all downloads: how they ended, bytes received, bytes proven on disk, retries."""

    downloads: Count
    downloaded: Count
    up_to_date: Count
    cached: Count = 0
    failed: Count
    interrupted: Count
    skipped: Count
    bytes_downloaded: Count
    bytes_resumed: Count
    retries: Count


class ThroughputReport(_Document):
    """Bytes of bodies that came in each interval since the run began; after the last one, none came."""

    interval_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    bytes: tuple[Count, ...] = ()


class Report(Results, _Document):
    """What a run did: one entry for each download, in the manifest's order, and their sums."""

    schema_: Literal["marscore/report/v1"] = Field(default="marscore/report/v1", alias="schema")
    marscore_version: str
    run_id: str
    name: str | None
    manifest: ManifestReport
    started_at: Timestamp
    finished_at: Timestamp
    duration_s: Seconds
    status: RunStatus
    exit_code: int
    plan: PlanReport
    totals: Totals
    # Those of the run; one about a download is in the log.
    warnings: tuple[str, ...] = ()
    throughput: ThroughputReport = ThroughputReport()
    downloads: tuple[DownloadReport, ...]
    _places: Places | None = PrivateAttr(default=None)

    if TYPE_CHECKING:

        @property
        def failed(self) -> tuple[DownloadReport, ...]:
            """As `Results` has it."""
