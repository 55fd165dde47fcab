"""The JSON Schema of a lock, for editors and for other programs. `text` reads and writes locks without it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from marscore.lockfile.model import SCHEMA


class LockedDownload(BaseModel):
    """What one file was when it was locked."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    path: str
    """Where it goes, under output_dir; no two lines have the same."""
    url: str
    """Its URL as typed in the manifest, ${NAME} unexpanded; values of token-like query names are ***."""
    size: int | None = Field(default=None, ge=0)
    """Its bytes; left out where the manifest gave the sha256 and nobody fetched it."""
    checksum: str = Field(pattern="^sha256:[0-9a-f]{64}$")
    """Its sha256."""
    etag: str | None = None
    """The ETag that it was sent with."""
    last_modified: str | None = None
    """The Last-Modified that it was sent with."""
    checksum_from: str | None = None
    """The publishers' lists that name its checksum, as typed in the manifest."""


class LockDocument(BaseModel):
    """downloads.lock: what each file of downloads.yaml was when it was locked, one download a line in the order of their paths."""

    schema_: Literal["marscore/lock/v1"] = Field(alias="schema")
    downloads: list[LockedDownload]


def lock_schema() -> dict[str, Any]:
    """The schema of a lock."""
    body = LockDocument.model_json_schema(by_alias=True)
    assert body["properties"]["schema"]["const"] == SCHEMA, "one name for both"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "lock.v1.schema.json", **body}
