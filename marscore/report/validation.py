"""What `validate` found, as JSON (`schemas/validate.v1.schema.json`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from marscore.errors import Problem
from marscore.frozen import dataclass

_TEXT = {"type": "string"}
_PLACE = {"type": "integer", "minimum": 1, "description": "counted from 1"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest that was checked. `downloads` is None where it is wrong."""

    source: str
    ok: bool
    downloads: int | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def as_json(checked: Iterable[Checked]) -> str:
    """The document."""
    return json.dumps([_one(each) for each in checked], indent=2, ensure_ascii=False)


def _one(checked: Checked) -> dict[str, Any]:
    return {
        "source": checked.source,
        "ok": checked.ok,
        "downloads": checked.downloads,
        "problems": [_problem(each) for each in checked.problems],
        "warnings": [_problem(each) for each in checked.warnings],
        **{name: list(argv) for name, argv in checked.hooks.items()},
    }


def _problem(problem: Problem) -> dict[str, Any]:
    other = problem.elsewhere
    written = {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "found": problem.found,
        "about": problem.about,
        "allowed": problem.allowed,
        "help": problem.help,
        "quote": problem.quote and problem.quote.text,
        "elsewhere": other and {"what": other.what, "line": other.line, "column": other.column},
    }
    optional = ("found", "about", "allowed", "help", "quote", "elsewhere")
    return {name: value for name, value in written.items() if value is not None or name not in optional}


def validate_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    place = {"what": _TEXT, "line": _PLACE, "column": _PLACE}
    problem = {
        "path": {**_TEXT, "description": "where in the manifest, as downloads[3].retry.max_retries; empty: the whole"},
        "line": {"anyOf": [_PLACE, {"type": "null"}]},
        "column": {"anyOf": [_PLACE, {"type": "null"}]},
        "message": {**_TEXT, "description": "what is wrong"},
        "found": {**_TEXT, "description": "of what kind the value is that stands there"},
        "about": {**_TEXT, "description": "what the option is"},
        "allowed": {**_TEXT, "description": "what may stand there"},
        "help": {**_TEXT, "description": "what to write instead"},
        "quote": {**_TEXT, "description": "the line, cut where it is long, with secrets replaced"},
        "elsewhere": {"type": "object", "properties": place, "required": list(place), "description": "another place it has to do with"},
    }
    problems = {"type": "array", "items": {"$ref": "#/$defs/Problem"}}
    argv = {"type": "array", "items": _TEXT}
    manifest = {
        "source": {**_TEXT, "description": "the manifest, as it was named"},
        "ok": {"type": "boolean"},
        "downloads": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "description": "null where the manifest is wrong"},
        "problems": problems,
        "warnings": {**problems, "description": "what is right and may be a mistake"},
        "on_success": {**argv, "description": "the program that a run starts when every download is in place"},
        "on_failure": {**argv, "description": "the program that a run starts when one is not"},
    }
    required = ["source", "ok", "downloads", "problems", "warnings"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "validate.v1.schema.json",
        "title": "marscore validate",
        "type": "array",
        "items": {"type": "object", "properties": manifest, "required": required},
        "$defs": {"Problem": {"type": "object", "properties": problem, "required": ["path", "line", "column", "message"]}},
    }
