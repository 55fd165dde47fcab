"""Data -> a manifest by its models: what is not plain, and everything in which something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from marscore.manifest.models import QUOTING, Defaults, DownloadEntry, ListEntry, Manifest
from marscore.manifest.places import Findings
from marscore.manifest.plain import PlainEntry
from marscore.manifest.problems import explain


def manifest_of(data: Mapping[str, Any], findings: Findings) -> Manifest | None:
    """The manifest; None, with all problems noted, where anything is wrong, also before."""
    try:
        manifest = Manifest.model_validate(data, context=QUOTING)
    except ValidationError as error:
        explain(error, findings)
        return None
    return None if findings.found else manifest


def defaults_of(data: Mapping[str, Any], findings: Findings) -> Defaults:
    """The defaults, as far as they are right."""
    written = data.get("defaults")
    return Defaults() if written is None or findings.wrong("defaults") else Defaults.model_validate(written)


def entries_of(data: Mapping[str, Any], findings: Findings) -> dict[int, DownloadEntry | ListEntry | PlainEntry]:
    """The downloads in which nothing is wrong."""
    written = data.get("downloads")
    if not isinstance(written, list):
        return {}
    wrong = findings.wrong_entries()
    return {index: _entry(entry) for index, entry in enumerate(written) if index not in wrong}


def _entry(written: Any) -> DownloadEntry | ListEntry | PlainEntry:
    if isinstance(written, PlainEntry | ListEntry):
        return written
    if isinstance(written, dict) and "from" in written:
        return ListEntry.model_validate(written)
    return DownloadEntry.model_validate({"url": written} if isinstance(written, str) else written)
