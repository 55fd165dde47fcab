"""Lines of the log about a download name its path, and the last one says where report and files are."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.integration.command import Run, fetch, marscore, write
from tests.long import long
from tests.origin import Body, Good, Origin, busy, redirect

MIB = 1024 * 1024
SCHEMA = Path(__file__).parents[2] / "schemas" / "event.v1.schema.json"


def paths_of(run: Run) -> dict[str, set[str]]:
    """The paths that lines name for each download."""
    named: dict[str, set[str]] = {}
    for event in run.events():
        if "download" in event:
            named.setdefault(event["download"], set()).add(event["path"])
    return named


@pytest.mark.parametrize("processes", [pytest.param(1, marks=long), 2])
def test_every_line_about_a_download_names_its_path(processes: int, origin: Origin, tmp_path: Path) -> None:
    downloads: list[object] = [
        {"url": origin.serve("/busy.bin", Body(MIB), [busy(503), Good()]), "path": "sub/busy.bin", "verify": False},
        {"url": origin.serve("/gone.bin", Body(MIB), [redirect(origin.url("/missing.bin"))]), "path": "sub/gone.bin"},
        {"url": origin.serve("/cut.bin", Body(9 * MIB), [Good(cut_after=5 * MIB), Good()]), "path": "naïve.bin"},
        {"url": origin.url("/other.bin"), "mirrors": [origin.serve("/mirror.bin", Body(MIB))], "path": "mirrored.bin"},
    ]
    write(tmp_path, downloads)
    run = fetch(tmp_path, *downloads, execution={"processes": processes})
    expected = {f"downloads[{number}]": {download["path"]} for number, download in enumerate(downloads) if isinstance(download, dict)}
    assert paths_of(run) == expected
    assert {event["event"] for event in run.events()} >= {"warned", "retry_scheduled", "redirected", "mirror_switched", "download_failed"}
    for event in run.events():
        jsonschema.validate(event, json.loads(SCHEMA.read_text("utf-8")))
    again = fetch(tmp_path, *downloads, execution={"processes": processes})
    assert paths_of(again) == expected


def test_a_path_that_holds_a_secret_is_the_name_of_the_file_all_the_same(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(1000))
    write(tmp_path, [{"url": url, "path": "${WHERE_TO}/a.bin", "headers": {"X-Token": "${WHERE_TO}"}}])
    run = marscore("run", "downloads.yaml", cwd=tmp_path, env={"WHERE_TO": "hunter2hunter2"})
    assert paths_of(run) == {"downloads[0]": {"hunter2hunter2/a.bin"}}
    assert run.data("hunter2hunter2/a.bin") == Body(1000).read(0, 1000)


@pytest.mark.parametrize("report", [None, "reports/r.json", "-"])
def test_the_last_line_says_where_report_and_files_are(report: str | None, origin: Origin, tmp_path: Path) -> None:
    name = write(tmp_path, [origin.serve("/a.bin", Body(1000))])
    run = marscore("run", name, *(["--report", report] if report else []), cwd=tmp_path)
    [last] = run.events("run_finished")
    assert last["output_dir"] == str(tmp_path / "data")
    where = {None: str(tmp_path / "data/.marscore/report.json"), "-": "standard output"}.get(report, str(tmp_path / "reports/r.json"))
    assert last["report"] == where
