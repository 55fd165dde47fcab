"""What `marscore outdated` found, as a document for programs: `schemas/outdated.v1.schema.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from marscore.report.record import well_formed
from marscore.resolve.outdated import Known, Looked, Status
from marscore.resolve.verify import By
from marscore.values import FailureKind

#: What there is to be said of all files; unknown: of none it could be said.
Overall: TypeAlias = Literal["current", "outdated", "unknown"]


class OutdatedTotals(BaseModel):
    """How many files there are of each kind."""

    model_config = ConfigDict(frozen=True)

    files: int
    current: int
    changed: int
    gone: int
    unknown: int
    failed: int


class Sight(BaseModel):
    """What one side knows of a file."""

    model_config = ConfigDict(frozen=True)

    etag: str | None = None
    last_modified: str | None = None
    size: int | None = Field(default=None, description="bytes")
    checksums: tuple[str, ...] = Field(default=(), description="algorithm:hex; of the server: those that it announces of the whole file")


class OutdatedError(BaseModel):
    """Why a server could not be asked."""

    model_config = ConfigDict(frozen=True)

    kind: FailureKind
    status: int | None
    message: str


class OutdatedFile(BaseModel):
    """One file. `known` is what is known here, by the lock, the state or the manifest (`by`), `latest` what its server shows now."""

    model_config = ConfigDict(frozen=True)

    id: str
    path: str
    url: str
    status: Status = Field(description="gone: the server has no such file any more; unknown: nothing could be compared; failed: not asked")
    reason: str
    by: By | None
    known: Sight | None
    latest: Sight | None = Field(description="null where the server was not asked, or said only that nothing changed")
    error: OutdatedError | None


class OutdatedDocument(BaseModel):
    """What has changed on the servers since the files were locked or fetched."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, populate_by_name=True)

    schema_: Literal["marscore/outdated/v1"] = Field(default="marscore/outdated/v1", alias="schema")
    manifest: str
    status: Overall = Field(description="unknown: of no file it could be said")
    totals: OutdatedTotals
    files: tuple[OutdatedFile, ...]


def document(source: str, status: Overall, files: Sequence[Looked], urls: Sequence[str]) -> OutdatedDocument:
    """Write down what was found; `urls` are those of the files, fit to be shown."""
    counts = Counter(each.standing.status for each in files)
    totals = {status: counts[status] for status in get_args(Status)}
    return OutdatedDocument(
        manifest=well_formed(source),
        status=status,
        totals=OutdatedTotals(files=len(files), **totals),
        files=tuple(_file(each, url) for each, url in zip(files, urls, strict=True)),
    )


def _file(looked: Looked, url: str) -> OutdatedFile:
    known, failure = looked.known, looked.failure
    error = None if failure is None else OutdatedError(kind=failure.kind, status=failure.status, message=well_formed(failure.message))
    return OutdatedFile(
        id=looked.download.id,
        path=well_formed(looked.download.path),
        url=url,
        status=looked.standing.status,
        reason=well_formed(looked.standing.reason),
        by=None if known is None else known.by,
        known=None if known is None else _known(known),
        latest=_latest(looked),
        error=error,
    )


def _known(known: Known) -> Sight:
    validator, checksums = known.validator, tuple(map(str, known.checksums))
    return Sight(etag=validator.etag, last_modified=validator.last_modified, size=known.size, checksums=checksums)


def _latest(looked: Looked) -> Sight | None:
    seen = looked.seen
    if seen is None or seen.said == "current" or looked.standing.status == "gone":
        return None
    return Sight(etag=seen.etag, last_modified=seen.last_modified, size=seen.size, checksums=seen.digests)


def outdated_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    body = OutdatedDocument.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "outdated.v1.schema.json", **body}
