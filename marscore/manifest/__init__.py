"""The first stage: what the user wrote, as a frozen value.

    text --text.compose--> nodes with places --environment--> data --models--> Manifest

    places       line and column of everything, and the collected problems
    plain        downloads of which only URL, path, checksum and size are written; there may be a million
    plain_manifest  a manifest of such downloads and single values
    fields       how fields are read: sizes, durations, URLs, text that stays text
    field_types  the same as pydantic's types
    urls, output which URLs and output paths are allowed
    mirrors      which prefixes of URLs are rewritten, and what with
    models       the options and their descriptions; modelled reads by them
    problems     pydantic's errors in plain words; advice says what was meant: described has what each option is, foreign other tools' words
    yaml_words   YAML's errors in plain words
    quote        the line of a problem and its caret; spans says what of it is secret
    schema       the JSON Schema for editors; by_type tells its alternatives apart

The environment comes in as a mapping; nothing here opens a file. The models, and pydantic with them, are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from marscore.manifest.environment import USERINFO, Used, escape
from marscore.manifest.places import Findings, Places
from marscore.manifest.plain import PlainEntry
from marscore.manifest.plain_manifest import PlainDefaults, PlainExecution, PlainSecurity
from marscore.manifest.read import (
    AnyDefaults,
    AnyManifest,
    Entry,
    Examined,
    Parsed,
    examine_mapping,
    examine_text,
    of_manifest,
    read_manifest,
    read_mapping,
)

if TYPE_CHECKING:
    from marscore.manifest.models import (
        Auth,
        Backoff,
        Certificate,
        Defaults,
        DownloadEntry,
        DownloadOptions,
        Execution,
        ListEntry,
        ListSource,
        Manifest,
        Proxies,
        PublishedChecksum,
        Range,
        Retry,
        RowSource,
        Security,
        Timeout,
        Unpack,
    )
    from marscore.manifest.schema import manifest_schema

__all__ = [
    "USERINFO",
    "AnyDefaults",
    "AnyManifest",
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
    "ListEntry",
    "ListSource",
    "Manifest",
    "Parsed",
    "Places",
    "PlainDefaults",
    "PlainEntry",
    "PlainExecution",
    "PlainSecurity",
    "Proxies",
    "PublishedChecksum",
    "Range",
    "Retry",
    "RowSource",
    "Security",
    "Timeout",
    "Unpack",
    "Used",
    "escape",
    "examine_mapping",
    "examine_text",
    "manifest_schema",
    "of_manifest",
    "read_manifest",
    "read_mapping",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'marscore.manifest' has no attribute {name!r}")
    value = getattr(import_module("marscore.manifest.schema" if name == "manifest_schema" else "marscore.manifest.models"), name)
    globals()[name] = value
    return value
