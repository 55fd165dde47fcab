"""The first stage: what the user wrote, as a frozen value.

    text --text.compose--> nodes with places --environment--> data --models--> Manifest

    places       line and column of everything, and the collected problems
    plain        downloads of which only URL, path, checksum and size are written; there may be a million
    fields       the types of the fields: sizes, durations, URLs, text that stays text
    urls, output which URLs and output paths are allowed
    models       the options and their descriptions
    problems     pydantic's errors in plain words
    schema       the JSON Schema for editors

The environment comes in as a mapping; nothing here opens a file.
"""

from marscore.manifest.environment import USERINFO, Used, escape
from marscore.manifest.models import (
    Auth,
    Backoff,
    Certificate,
    Defaults,
    DownloadEntry,
    DownloadOptions,
    Execution,
    Manifest,
    Proxies,
    Range,
    Retry,
    Security,
    Timeout,
)
from marscore.manifest.places import Findings, Places
from marscore.manifest.read import Entry, Examined, Parsed, examine_mapping, examine_text, of_manifest, read_manifest, read_mapping
from marscore.manifest.schema import manifest_schema

__all__ = [
    "USERINFO",
    "Auth",
    "Backoff",
    "Certificate",
    "Defaults",
    "DownloadEntry",
    "DownloadOptions",
    "Entry",
    "Examined",
    "Execution",
    "Findings",
    "Manifest",
    "Parsed",
    "Places",
    "Proxies",
    "Range",
    "Retry",
    "Security",
    "Timeout",
    "Used",
    "escape",
    "examine_mapping",
    "examine_text",
    "manifest_schema",
    "of_manifest",
    "read_manifest",
    "read_mapping",
]
