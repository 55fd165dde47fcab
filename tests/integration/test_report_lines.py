"""`--report-format jsonl`: a small summary, and the same entries beside it, a line each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import marscore as library
from tests.integration.command import marscore, write
from tests.origin import Body, Origin
from tests.origin.steps import Status

ONE = Body(3_000, seed=1)


def manifest(origin: Origin, folder: Path, **head: Any) -> str:
    url, gone = origin.serve("/one.bin", ONE), origin.script("/gone.bin", [Status(404)])
    # What Python takes for the end of a line, and JSON does not.
    downloads = [{"url": url, "path": "one.bin"}, {"url": url + "?2", "path": "\u00fcn\u00ef\u2028code.bin"}]
    return write(folder, [*downloads, {"url": gone, "path": "gone.bin"}], defaults={"retry": {"max_retries": 0}}, **head)


def fits(kind: str, document: Any) -> None:
    """Check a document of this kind, as others would who have the schema alone."""
    schema = json.loads((Path(__file__).parents[2] / "schemas" / f"{kind}.v1.schema.json").read_text())
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize("named", [None, "run.json"])
def test_the_entries_are_those_of_the_report(named: str | None, origin: Origin, tmp_path: Path) -> None:
    downloads = manifest(origin, tmp_path)
    where = () if named is None else ("--report", named)
    assert marscore("run", downloads, *where, "--report-format", "jsonl", cwd=tmp_path).code == 1
    place = tmp_path / (named or "data/.marscore/report.json")
    summary, entries = json.loads(place.read_text()), lines(place.with_suffix(".jsonl"))
    fits("report-summary", summary)
    for entry in entries:
        fits("report-entry", entry)
    assert "downloads" not in summary
    assert summary["schema"] == "marscore/report-summary/v1"
    assert summary["entries"] == {"file": place.with_suffix(".jsonl").name, "count": 3, "bytes": place.with_suffix(".jsonl").stat().st_size}
    whole = marscore("run", downloads, cwd=tmp_path).report
    assert [entry["id"] for entry in entries] == [entry["id"] for entry in whole["downloads"]]
    assert entries[2]["error"] == whole["downloads"][2]["error"]
    assert [set(entry) for entry in entries] == [set(entry) for entry in whole["downloads"]]
    assert {**summary["totals"], "downloaded": 0, "up_to_date": 2, "bytes_downloaded": 0} == whole["totals"]
    assert not (tmp_path / "data/.marscore/report.jsonl").exists(), "those of an older run are gone"


@pytest.mark.parametrize("style", [("--format", "table"), ("--format", "markdown"), ("--html", "-")])
def test_it_is_shown_as_a_whole_report_is(style: tuple[str, ...], origin: Origin, tmp_path: Path) -> None:
    downloads = manifest(origin, tmp_path)
    marscore("run", downloads, "--report", "lines.json", "--report-format", "jsonl", cwd=tmp_path)
    entries = lines(tmp_path / "lines.jsonl")
    summary = json.loads((tmp_path / "lines.json").read_text())
    del summary["entries"]
    (tmp_path / "whole.json").write_text(json.dumps({**summary, "schema": "marscore/report/v1", "downloads": entries}))
    shown = marscore("report", "lines.json", *style, cwd=tmp_path)
    assert shown.code == 0
    assert shown.out == marscore("report", "whole.json", *style, cwd=tmp_path).out


WRONG = {
    "another run's entries": (lambda text: text + text, "bytes, and the summary says"),
    "a line that is no entry": (lambda text: "x" + text[1:], "lines.jsonl:1:1: "),
    "too few of the same size": (lambda text: text.replace("\n", " ", 1), "lines.jsonl:1:1: "),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_entries_that_are_not_its_own_are_refused(change: Any, told: str, origin: Origin, tmp_path: Path) -> None:
    marscore("run", manifest(origin, tmp_path), "--report", "lines.json", "--report-format", "jsonl", cwd=tmp_path)
    (tmp_path / "lines.jsonl").write_text(change((tmp_path / "lines.jsonl").read_text()))
    shown = marscore("report", "lines.json", cwd=tmp_path)
    assert shown.code == 2
    assert told in shown.err
    (tmp_path / "lines.jsonl").unlink()
    assert marscore("report", "lines.json", cwd=tmp_path).code == 2


def test_a_summary_names_no_file_elsewhere(tmp_path: Path) -> None:
    summary = {"schema": "marscore/report-summary/v1", "entries": {"file": "../x.jsonl", "count": 1, "bytes": 1}}
    (tmp_path / "run.json").write_text(json.dumps(summary))
    shown = marscore("report", "run.json", cwd=tmp_path)
    assert (shown.code, "must say file, a name, and count and bytes" in shown.err) == (2, True)


@pytest.mark.parametrize("report", ["run.jsonl", "-", "run"])
def test_what_has_no_place_beside_it_is_refused(report: str, origin: Origin, tmp_path: Path) -> None:
    ended = marscore("run", manifest(origin, tmp_path), "--report", report, "--report-format", "jsonl", cwd=tmp_path)
    assert ended.code == 2
    assert "report needs a name such as run.json with report_format jsonl" in ended.err
    assert not origin.requests


def test_a_pipe_and_a_list_are_not_written_over(origin: Origin, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    piped = marscore("run", manifest(origin, tmp_path), "--report", "pipe.json", "--report-format", "jsonl", cwd=tmp_path)
    assert (piped.code, "is no file" in piped.err) == (3, True)
    text = f"link\n{origin.url('/one.bin')}\n"
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"link": origin.url("/one.bin")}) + "\n")
    for name, more in (("rows.csv", ()), ("rows.json", ("--report-format", "jsonl"))):
        file = "rows.csv" if name == "rows.csv" else "rows.jsonl"
        ended = marscore("run", write(tmp_path, [{"from": file, "url": "link"}]), "--report", name, *more, cwd=tmp_path)
        assert ended.code == 2
        assert "names a list of the manifest, which would be written over" in ended.err
    assert (tmp_path / "rows.csv").read_text() == text


def test_python_gets_the_whole_report_all_the_same(origin: Origin, tmp_path: Path) -> None:
    report = library.run(tmp_path / manifest(origin, tmp_path), report_format="jsonl")
    assert len(report.downloads) == 3
    assert len(lines(tmp_path / "data/.marscore/report.jsonl")) == 3
