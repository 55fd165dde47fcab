"""JSON Schemas as pages: a table of keys for each object, with type, default and what it means.

    schema --objects_of--> (name, object)... --_table--> Markdown

Where a value may be written in several ways, each is named once; that any text may hold `${NAME}`, and any value be null, is said above
the tables and not in each row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from marscore import app

Schema = Mapping[str, Any]

_MANIFEST = """# Every key of the manifest

Made from the models that read it; `schemas/manifest.v1.schema.json` tells editors the same (`# yaml-language-server: $schema=…` in the first line). How the keys work together is told in
[the manifest](../manifest.md). Durations are `500ms`, `30s`, `5m`, `2h`, `1d` or seconds; sizes `10MiB`, `1.5GB` or bytes. Every text may hold `${NAME}` and `${NAME:-default}`. `null` means: not given.
What is meant where a key is not given stands in parentheses.

"""
_REPORT = """# The report

What `--report` writes, by default `.marscore/report.json` in the output folder: `schemas/report.v1.schema.json`, or `marscore schema report`. Fields may be added; a reader ignores those that it does not know.

"""
_LOCK = """# The lock

What `marscore lock` writes, one download a line: `schemas/lock.v1.schema.json`, or `marscore schema lock`. How it is used: [the same bytes again](../howto/reproduce.md).

"""
_LOG = """# The log

JSON lines on standard error, and in `--log-file`: `schemas/event.v1.schema.json`, or `marscore schema event`. Each line has `timestamp`, `level`, `event` and `run_id`; one about a download its `download` (the id)
and its `path`. Fields without a value are left out.

"""
#: Ways to write a value that are said once for all.
_SAID = {r"\$\{"}
_WAYS = {"duration": "ms|s|m|h|d", "size": "KMGT"}


def manifest_page() -> str:
    """The page of the manifest's keys."""
    return _MANIFEST + _objects(app.schema("manifest"), "manifest")


def report_page() -> str:
    """The page of the report's fields."""
    return _REPORT + _objects(app.schema("report"), "report")


def lock_page() -> str:
    """The page of the lock's fields."""
    return _LOCK + _objects(app.schema("lock"), "lock")


def log_page() -> str:
    """The page of events and their fields."""
    schema = app.schema("event")
    shared = set(schema["properties"])
    parts = []
    for event in schema["oneOf"]:
        own = {name: value for name, value in event["properties"].items() if name not in shared}
        parts.append(f"## {event['title']}\n\n{_sentence(event)}{_table({**event, 'properties': own})}")
    return _LOG + "\n".join(parts)


def _objects(schema: Schema, name: str) -> str:
    parts = [f"## The {name}\n\n{_sentence(schema)}{_table(schema)}"]
    for title, part in schema.get("$defs", {}).items():
        if "properties" in part:
            parts.append(f"## {title}\n\n{_sentence(part)}{_table(part)}")
    return "\n".join(parts)


def _sentence(schema: Schema) -> str:
    return f"{_cell(schema['description'])}\n\n" if schema.get("description") else ""


def _table(schema: Schema) -> str:
    wanted = set(schema.get("required", ()))
    rows = [_row(name, value, name in wanted) for name, value in schema["properties"].items()]
    return "| key | is | means |\n|---|---|---|\n" + "".join(rows) if rows else ""


def _row(name: str, value: Schema, required: bool) -> str:
    default, text = value.get("default"), _cell(value.get("description", ""))
    told = [text]
    if required and default is None:
        told.append("Required.")
    # Most sentences say themselves what is meant without the key, in parentheses.
    if isinstance(default, (str, int, float)) and default != "" and not text.endswith(")."):
        told.append(f"Default: `{_shown(default)}`.")
    if value.get("examples"):
        told.append("For example " + ", ".join(f"`{_plain(example)}`" for example in value["examples"]) + ".")
    return f"| `{name}` | {' or '.join(dict.fromkeys(_ways(value)))} | {' '.join(filter(None, told))} |\n"


def _plain(example: object) -> str:
    """An example as YAML has it, on one line."""
    if isinstance(example, (str, bool)):
        return _shown(example).replace("|", r"\|")
    text = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").replace("|", r"\|")


def _ways(value: Schema) -> Iterator[str]:
    """How a value may be written: the kinds of value, or what is said of each kind."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        yield f"[{name}](#{name.lower()})"
        return
    if "const" in value or "enum" in value:
        yield " ".join(f"`{_shown(each)}`" for each in value.get("enum", [value.get("const")]) if each is not None)
        return
    for word in ("anyOf", "oneOf"):
        for way in value.get(word, ()):
            yield from _ways(way)
    kinds = value.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind != "null":
            yield from _of_kind(kind, value, kinds)


def _of_kind(kind: str, value: Schema, kinds: object) -> Iterator[str]:
    """How a value of one kind may be written."""
    said = [rule["then"] for rule in value.get("allOf", ()) if rule.get("if", {}).get("type") == kind and "then" in rule]
    if said:
        for each in said:
            yield from _ways({"type": kind, **each})
        return
    if kind == "array" and isinstance(value.get("items"), Mapping):
        yield "a list of " + " or ".join(dict.fromkeys(_ways(value["items"])))
        return
    pattern = str(value.get("pattern", ""))
    if kind == "string" and isinstance(kinds, list) and pattern in _SAID:
        return
    if kind in ("integer", "number", "boolean") and isinstance(kinds, list) and "string" in kinds and not pattern:
        # A number that is written where text is wanted is that text.
        return
    yield _word(kind, pattern)


def _word(kind: str, pattern: str) -> str:
    if kind == "string":
        return next((name for name, mark in _WAYS.items() if mark in pattern), "text")
    return {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list", "object": "a mapping"}[kind]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()
