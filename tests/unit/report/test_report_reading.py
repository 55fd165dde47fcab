"""Reports read back, and what is said of what is none."""

from __future__ import annotations

import json
import math

import pytest

from marscore.errors import ManifestError
from marscore.report.reading import report_of
from tests.browser.made_reports import small

TEXT = small().model_dump_json()


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as raised:
        report_of(text, "r.json")
    return str(raised.value).split("\n")


def test_a_report_is_read_as_it_was() -> None:
    assert report_of(TEXT, "r.json") == small()


def test_what_a_newer_version_adds_is_ignored() -> None:
    document = json.loads(TEXT)
    document["new"] = document["downloads"][0]["new"] = 1
    assert report_of(json.dumps(document), "r.json") == small()


ENTRIES = (
    "r.json:1:1: holds the entries of a report (--report-format jsonl): name its summary, which stands beside it "
    "under the name that ends in .json"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "a", "url": "u", "path": "p", "status": "s"}\n' * 2, ENTRIES),
        ('{"timestamp": "t", "event": "e", "run_id": "r"}\n' * 2, "r.json:1:1: is the log of a run: name its report, or its output folder"),
        ("", "r.json:1:0: is no JSON, as a report of a run is: EOF while parsing a value"),
        ('{"a": 1,\n "b": }', "r.json:2:7: is no JSON, as a report of a run is: expected value"),
        ("[]", "r.json:1:1: it is no report of a run: that of a report is marscore/report/v1"),
        ('{"schema": "marscore/lock/v1"}', 'r.json:1:1: its schema is "marscore/lock/v1", and that of a report is marscore/report/v1'),
    ],
    ids=["entries", "log", "empty", "broken", "another document", "another of ours"],
)
def test_what_is_no_report(text: str, told: str) -> None:
    assert problems(text) == [told]


def test_times_that_are_none_are_named() -> None:
    document = json.loads(TEXT)
    document["started_at"] = document["downloads"][0]["started_at"] = "garbage"
    document["duration_s"] = 1e308
    assert problems(json.dumps(document)) == [
        "r.json: started_at: is no time such as 2026-01-31T23:59:59.000Z",
        "r.json: duration_s: is longer than any run takes",
        "r.json: downloads[0].started_at: is no time such as 2026-01-31T23:59:59.000Z",
    ]


def test_what_is_nested_too_deep_is_no_report() -> None:
    assert "recursion limit exceeded" in problems("[" * 100_000)[0]


def test_every_wrong_value_is_named_at_its_place() -> None:
    document = json.loads(TEXT)
    document["downloads"][3]["size"] = -1
    document["downloads"][1]["status"] = "lost"
    del document["totals"]["failed"]
    found = problems(json.dumps(document))
    assert [line.split(": ")[1] for line in found] == ["totals.failed", "downloads[1].status", "downloads[3].size"]
    assert found[2] == "r.json: downloads[3].size: input should be greater than or equal to 0"


def test_a_time_that_is_no_number_of_seconds_is_wrong() -> None:
    document = json.loads(TEXT)
    document["duration_s"] = document["downloads"][0]["duration_s"] = document["throughput"]["interval_s"] = math.inf
    assert [line.split(": ")[1] for line in problems(json.dumps(document))] == [
        "duration_s",
        "throughput.interval_s",
        "downloads[0].duration_s",
    ]
