"""What of an ended run is told to GitHub, and where it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cli_fakes import FakeApp, an_end, call, entry

from marscore.errors import StorageError
from marscore.report.model import Error
from marscore.values import Failure
from tests.browser.made_reports import a_report, failed


@pytest.fixture(autouse=True)
def on_github(folder, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))


def told(result):
    return [line for line in result.stderr.splitlines() if line.startswith("::")]


def test_a_hook_that_failed_and_a_report_that_could_not_be_written_are_errors_without_a_line(folder):
    gone = entry(0, "failed", Error("http_status", 404, "the server answered 404 Not Found"))
    end = replace(an_end(1, [gone]), trouble=Failure("disk_full", "cannot write the report"), hook="on_failure ended with 3")
    result = call("run", "sub/d.yaml", app=FakeApp(end))
    first, second, third = told(result)
    assert (first, second) == ("::error title=marscore::cannot write the report", "::error title=marscore::on_failure ended with 3")
    assert third.startswith("::error file=sub/d.yaml,line=1,title=zips/0.zip failed")
    lines = result.stderr.splitlines()
    assert lines.index(third) < lines.index("marscore: cannot write the report"), "what people read last comes last"
    text = (folder / "summary.md").read_text()
    assert "- cannot write the report\n- on&#95;failure ended with 3\n" in text


def test_a_warning_about_a_download_stands_at_its_entry():
    end = replace(an_end(0, [entry(0, "downloaded")]), noted=[("downloads[0]", "verify is false")])
    assert told(call("run", "sub/d.yaml", app=FakeApp(end))) == ["::warning file=sub/d.yaml,line=1,title=marscore::verify is false"]


def test_a_machine_in_the_way_is_an_error(folder):
    error = StorageError(Failure("permission", "cannot make the output folder"))
    result = call("run", "sub/d.yaml", app=FakeApp(error=error))
    assert (result.exit_code, told(result)) == (3, ["::error title=marscore::cannot make the output folder"])
    assert "cannot make the output folder" in (folder / "summary.md").read_text()


def test_standard_input_is_no_file():
    gone = entry(0, "failed", Error("dns", None, "no such host"))
    result = call("run", "-", app=FakeApp(an_end(1, [gone])), stdin="version: 1\n")
    assert told(result)[0].startswith("::error title=zips/0.zip failed%3A dns::")


def test_nothing_in_a_report_that_is_shown_is_a_command(folder):
    (folder / "report.json").write_text(a_report(failed(0, "##[group]x")).model_dump_json())
    shown = call("report", "report.json").stdout
    assert "group]x" in shown
    assert "##[" not in shown
