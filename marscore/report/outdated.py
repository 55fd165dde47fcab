"""What `marscore outdated` found, as a document for programs: `schemas/outdated.v1.schema.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from marscore.resolve.outdated import Status
from marscore.resolve.verify import By
from marscore.values import FailureKind


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
    status: Literal["current", "outdated", "unknown"] = Field(description="unknown: of no file it could be said")
    totals: OutdatedTotals
    files: tuple[OutdatedFile, ...]


def outdated_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    body = OutdatedDocument.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "outdated.v1.schema.json", **body}
