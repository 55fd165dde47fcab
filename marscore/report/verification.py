"""What `marscore verify` found, as a document for programs: `schemas/verify.v1.schema.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from marscore.report.record import well_formed
from marscore.resolve.verify import By, Finding, Status


class VerifyTotals(BaseModel):
    """How many files there are of each kind. `files` counts all that were looked at, `bytes` what was hashed of them."""

    model_config = ConfigDict(frozen=True)

    files: int
    ok: int
    missing: int
    changed: int
    unknown: int
    unreadable: int
    extra: int
    bytes: int


class VerifiedFile(BaseModel):
    """A file that is not what it should be. `by` is what names its content: the lock, the manifest or the state."""

    model_config = ConfigDict(frozen=True)

    path: str
    status: Status
    reason: str
    by: By | None
    size: int | None = Field(description="bytes of the file that is there")


class VerifyDocument(BaseModel):
    """What was found of the files in an output folder. Those that are as they should be are only counted."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, populate_by_name=True)

    schema_: Literal["marscore/verify/v1"] = Field(default="marscore/verify/v1", alias="schema")
    output_dir: str
    status: Literal["ok", "wrong", "mended"] = Field(description="mended: --fix fetched all that was wrong")
    totals: VerifyTotals
    files: tuple[VerifiedFile, ...]


def document(output_dir: str, files: int, count: int, findings: tuple[Finding, ...], mended: bool) -> VerifyDocument:
    """Write findings down; `files` and `count` are all files and bytes that were looked at."""
    by_status = {status: sum(finding.status == status for finding in findings) for status in _WRONG}
    ok = files - sum(by_status.values()) + by_status["extra"]
    return VerifyDocument(
        output_dir=well_formed(output_dir),
        status="ok" if not findings else "mended" if mended else "wrong",
        totals=VerifyTotals(files=files, ok=ok, bytes=count, **by_status),
        files=tuple(map(_file, findings)),
    )


def _file(found: Finding) -> VerifiedFile:
    return VerifiedFile(path=well_formed(found.path), status=found.status, reason=well_formed(found.reason), by=found.by, size=found.size)


_WRONG: tuple[Status, ...] = ("missing", "changed", "unknown", "unreadable", "extra")


def verify_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    body = VerifyDocument.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "verify.v1.schema.json", **body}
