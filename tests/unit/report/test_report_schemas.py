"""The schemas say what is written, and the files in schemas/ are what the classes give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from event_samples import sample

from marscore.events import LoggedEvent, level_of, name_of
from marscore.report.record import record_of
from marscore.report.schema import entry_schema, event_schema, report_schema, summary_schema

SCHEMAS = Path(__file__).parents[3] / "schemas"
EVENTS = jsonschema.Draft202012Validator(event_schema())


MADE = {"report": report_schema, "report-summary": summary_schema, "report-entry": entry_schema, "event": event_schema}


@pytest.mark.parametrize(("file", "made"), MADE.items(), ids=MADE)
def test_the_file_is_fresh(file, made):
    text = (SCHEMAS / f"{file}.v1.schema.json").read_text(encoding="utf-8")
    assert text == json.dumps(made(), indent=2) + "\n", "run `python -m schemas`"


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_it_is_a_valid_schema(made):
    jsonschema.Draft202012Validator.check_schema(made())


def line(event):
    path = {"path": "a.bin"} if getattr(event, "download", None) else {}
    return {"level": level_of(type(event)), "event": name_of(type(event)), "run_id": "r1", **path, **record_of(event)}


@pytest.mark.parametrize("full", [True, False], ids=["every field", "no optional field"])
@pytest.mark.parametrize("kind", get_args(LoggedEvent), ids=name_of)
def test_a_log_line_of_each_event_is_valid(kind, full):
    EVENTS.validate(json.loads(json.dumps(line(sample(kind, full=full)))))


@pytest.mark.parametrize(
    "change",
    [{"event": "nothing_we_know"}, {"timestamp": None}, {"level": "loud"}, {"kind": "bad_luck"}, {"wait_s": "soon"}, {"run_id": 3}],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_log_line_is_refused(change):
    retry = next(kind for kind in get_args(LoggedEvent) if kind.__name__ == "RetryScheduled")
    assert not EVENTS.is_valid(line(sample(retry)) | change)


@pytest.mark.parametrize("field", ["timestamp", "level", "event", "run_id", "download", "path", "status", "max_retries"])
def test_a_log_line_lacks_no_field_that_it_must_have(field):
    retry = next(kind for kind in get_args(LoggedEvent) if kind.__name__ == "RetryScheduled")
    whole = line(sample(retry))
    assert not EVENTS.is_valid({name: value for name, value in whole.items() if name != field})


def test_a_summary_is_no_report_and_an_entry_is_what_a_report_has_many_of():
    summary, entry, report = summary_schema(), entry_schema(), report_schema()
    assert set(report["properties"]) - set(summary["properties"]) == {"downloads"}
    assert set(summary["properties"]) - set(report["properties"]) == {"entries"}
    assert {"schema", "entries", "totals"} <= set(summary["required"])
    assert entry["properties"] == report["$defs"]["DownloadReport"]["properties"]
    # What one line needs stands in its schema, and nothing else.
    assert "DownloadReport" not in summary["$defs"]
    assert "Totals" not in entry["$defs"]
