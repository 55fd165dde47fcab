"""A report's text back to the report; what is wrong with one is named at its place, as in a manifest.

text --report_of--> Report | every problem
"""

from __future__ import annotations

import json
import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from marscore.errors import ManifestError, Problem
from marscore.report.model import Report

#: More of them help nobody: what is no report lacks every field.
_MOST_PROBLEMS = 20
_AT = re.compile(r" at line (\d+) column (\d+)$")


def report_of(text: str, source: str) -> Report:
    """The report that this text is; fields that it does not have yet are at their defaults. `source` is its name in messages.

    Raises:
        ManifestError: it is none, or something in it is wrong.
    """
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    raise ManifestError(source, _no_report(text) or tuple(map(_problem, problems[:_MOST_PROBLEMS])))


def _no_report(text: str) -> tuple[Problem, ...]:
    """What to say of a text that is something else altogether."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    name = document.get("schema") if isinstance(document, dict) else None
    if name == "marscore/report/v1":
        return ()
    told = f"its schema is {json.dumps(name)}, and" if isinstance(name, str) else "it is no report of a run:"
    return (Problem("", f"{told} that of a report is marscore/report/v1", 1, 1),)


def _problem(found: ErrorDetails) -> Problem:
    message = found["msg"][:1].lower() + found["msg"][1:]
    if found["type"] == "json_invalid":
        at = _AT.search(message)
        line, column = (int(at[1]), int(at[2])) if at else (1, 1)
        return Problem("", "is no JSON: " + _AT.sub("", message).removeprefix("invalid JSON: "), line, column)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).removeprefix(".")
    return Problem(path, message)
