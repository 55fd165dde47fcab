"""A report's text back to the report; what is wrong with one is named at its place, as in a manifest.

text --report_of--> Report | every problem
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from marscore.errors import ManifestError, Problem
from marscore.report.model import Report

#: More of them help nobody: what is no report lacks every field.
_MOST_PROBLEMS = 20
#: Seconds, some thirty years.
_LONGEST = 1e9
_AT = re.compile(r" at line (\d+) column (\d+)$")


def report_of(text: str, source: str) -> Report:
    """The report that this text is; fields that it does not have yet are at their defaults. `source` is its name in messages.

    Raises:
        ManifestError: it is none, or something in it is wrong.
    """
    try:
        report = Report.model_validate_json(text)
        if not (strange := list(_strange(report))):
            return report
        raise ManifestError(source, tuple(strange[:_MOST_PROBLEMS]))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    raise ManifestError(source, _no_report(text) or tuple(map(_problem, problems[:_MOST_PROBLEMS])))


def _strange(report: Report) -> Iterator[Problem]:
    """What no run writes, and a page or a table could not show."""
    entries = ((f"downloads[{number}].", entry.started_at, entry.duration_s) for number, entry in enumerate(report.downloads))
    for place, began, took in [("", report.started_at, report.duration_s), *entries]:
        if began is not None and not _is_time(began):
            yield Problem(f"{place}started_at", "is no time such as 2026-01-31T23:59:59.000Z")
        if took > _LONGEST:
            yield Problem(f"{place}duration_s", "is longer than any run takes")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return False
    return True


def _no_report(text: str) -> tuple[Problem, ...]:
    """What to say of a text that is something else altogether."""
    if told := _of_lines(text):
        return (Problem("", told, 1, 1),)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    name = document.get("schema") if isinstance(document, dict) else None
    if name == "marscore/report/v1":
        return ()
    told = f"its schema is {json.dumps(name)}, and" if isinstance(name, str) else "it is no report of a run:"
    return (Problem("", f"{told} that of a report is marscore/report/v1", 1, 1),)


def _of_lines(text: str) -> str | None:
    """What to say of JSON Lines, which stand beside reports: the entries of one, and the log of a run."""
    try:
        first = json.loads(text.partition("\n")[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict) or "schema" in first:
        return None
    if first.keys() >= {"id", "url", "path", "status"}:
        beside = "name its summary, which stands beside it under the name that ends in .json"
        return f"holds the entries of a report (--report-format jsonl): {beside}"
    return "is the log of a run: name its report, or its output folder" if first.keys() >= {"timestamp", "event", "run_id"} else None


def _problem(found: ErrorDetails) -> Problem:
    message = found["msg"][:1].lower() + found["msg"][1:]
    if found["type"] == "json_invalid":
        at = _AT.search(message)
        line, column = (int(at[1]), int(at[2])) if at else (1, 1)
        return Problem("", "is no JSON, as a report of a run is: " + _AT.sub("", message).removeprefix("invalid JSON: "), line, column)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).removeprefix(".")
    return Problem(path, message)
