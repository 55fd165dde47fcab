"""The JSON Schemas (draft 2020-12) of what marscore writes: the report and the lines of the log; and, by name, those of all documents.

All are made from the classes that write them. Unknown fields are allowed: within v1, fields may be added.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from marscore.events import LoggedEvent, LogLevel, name_of
from marscore.lockfile.schema import lock_schema
from marscore.manifest import manifest_schema
from marscore.planning.document import plan_schema
from marscore.report.model import Report
from marscore.report.outdated import outdated_schema
from marscore.report.record import NULL_FIELDS, TIME_FIELDS
from marscore.report.validation import validate_schema
from marscore.report.verification import verify_schema
from marscore.report.writers import SUMMARY

#: What is written only where there is something to tell, since there may be a hundred thousand.
_LEFT_OUT = {
    "DownloadReport": {"timeline"},
    "Timeline": {"ranges", "ranges_left_out", "notes"},
    "Note": {"url", "host", "reason", "bytes", "wait_s"},
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TIME = {"type": "string", "format": "date-time"}
_PATH = {"description": "Where the file goes, under the output folder; never rewritten, also where it holds a secret.", "type": "string"}

_SUMMARY = "A report whose entries are in a file beside it, as JSON Lines: all but these."
_ENTRIES = {
    "description": "The file of the entries, in the same folder, with how many there are and how many bytes it has.",
    "type": "object",
    "properties": {
        "file": {"type": "string", "pattern": r"^[^/\\]+$"},
        "count": {"type": "integer", "minimum": 0},
        "bytes": {"type": "integer", "minimum": 0},
    },
    "required": ["file", "count", "bytes"],
}


class _Untitled(GenerateJsonSchema):
    """Without a title at each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a document: manifest, lock, outdated, plan, report, validate, verify, or event (one line of the log).

    Where a report is two files, report-summary is that of the first, report-entry that of one line of the other.
    """
    makers = {
        "manifest": manifest_schema,
        "lock": lock_schema,
        "outdated": outdated_schema,
        "validate": validate_schema,
        "plan": plan_schema,
        "report": report_schema,
        "report-summary": summary_schema,
        "report-entry": entry_schema,
        "verify": verify_schema,
        "event": event_schema,
    }
    return makers[name]()


def report_schema() -> dict[str, Any]:
    """The schema of report.json."""
    body = Report.model_json_schema(mode="serialization", by_alias=True, schema_generator=_Untitled)
    for name, left_out in _LEFT_OUT.items():
        described = body["$defs"][name]
        described["required"] = [field for field in described["required"] if field not in left_out]
    return {"$schema": _DIALECT, "$id": "report.v1.schema.json", **body}


def summary_schema() -> dict[str, Any]:
    """The schema of a report whose entries are beside it."""
    body = report_schema()
    properties = {**body["properties"], "schema": {"const": SUMMARY, "type": "string"}, "entries": _ENTRIES}
    del properties["downloads"]
    required = [*(name for name in body["required"] if name != "downloads"), "schema", "entries"]
    made = {**body, "$id": "report-summary.v1.schema.json", "title": "ReportSummary", "properties": properties}
    return _with_its_parts({**made, "description": _SUMMARY, "required": list(dict.fromkeys(required))})


def entry_schema() -> dict[str, Any]:
    """The schema of one line of these entries."""
    body = report_schema()
    return _with_its_parts(
        {"$schema": _DIALECT, "$id": "report-entry.v1.schema.json", "$defs": body["$defs"], **body["$defs"]["DownloadReport"]}
    )


def _with_its_parts(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, with those definitions alone that it has a use for."""
    definitions = schema["$defs"]
    wanted = _named_in({name: value for name, value in schema.items() if name != "$defs"})
    while (more := wanted | _named_in([definitions[name] for name in wanted])) != wanted:
        wanted = more
    return {**schema, "$defs": {name: value for name, value in definitions.items() if name in wanted}}


def _named_in(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for each in schema for name in _named_in(each)}
    if not isinstance(schema, dict):
        return set()
    here = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
    return here | _named_in(list(schema.values()))


def event_schema() -> dict[str, Any]:
    """The schema of one line of the log: one branch for each event, told apart by `event`."""
    return {
        "$schema": _DIALECT,
        "$id": "event.v1.schema.json",
        "title": "A line of marscore's log",
        "type": "object",
        "required": ["timestamp", "level", "event", "run_id"],
        "properties": {
            "timestamp": _TIME,
            "level": {"enum": list(get_args(LogLevel))},
            "event": {"type": "string"},
            "run_id": {"type": "string"},
        },
        "oneOf": [_branch(kind) for kind in get_args(LoggedEvent)],
    }


def _branch(kind: type) -> dict[str, Any]:
    body = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_Untitled)
    properties = {name.rstrip("_"): _field(name, schema) for name, schema in body["properties"].items() if name != "at"}
    for schema in properties.values():
        for each in (schema, schema.get("items", {})):
            # A line holds its parts where they stand.
            each.update(body["$defs"][reference.rpartition("/")[2]] if (reference := each.pop("$ref", "")) else {})
    if "download" in properties:
        # The log adds it to every line about a download.
        download = properties.pop("download")
        optional = {"x-left-out": True} if "x-left-out" in download else {}
        properties = {"download": download, **properties, "path": {**_PATH, **optional}}
    required = [name for name, schema in properties.items() if name in NULL_FIELDS or not schema.pop("x-left-out", False)]
    described = {"description": body["description"]} if "description" in body else {}
    return {
        "title": name_of(kind),
        **described,
        "properties": {"event": {"const": name_of(kind)}, **properties},
        "required": ["event", *required],
    }


def _field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field as it is written: without null, since a field without a value is left out."""
    schema = {key: value for key, value in schema.items() if key != "default"}
    choices = schema.get("anyOf", [])
    if {"type": "null"} not in choices or name in NULL_FIELDS:
        return schema
    [present] = [choice for choice in choices if choice != {"type": "null"}]
    return {**(_TIME if name in TIME_FIELDS else present), "x-left-out": True}
