"""`marscore report`: what a run's report tells of its ranges, and how it is shown."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest

from marscore.report.schema import report_schema
from tests.integration.command import Run, fetch, marscore
from tests.origin import Body, Good, Origin
from tests.origin.steps import Status

MIB = 1024 * 1024
LANES = pytest.mark.parametrize("lane", ["auto", "requests"])


def a_run(origin: Origin, folder: Path, lane: str = "auto") -> Run:
    """A large file that comes in ranges, of which one breaks off, one that comes of a mirror, a small one, and one that fails."""
    big, small = Body(6 * MIB, seed=1), Body(1000, seed=2)
    run = fetch(
        folder,
        {"url": origin.serve("/big.bin", big, [Good(rate=2 * MIB, cut_after=MIB), Good(rate=2 * MIB)]), "path": "big.bin"},
        {"url": origin.serve("/busy", small, [Status(503)]), "mirrors": [origin.serve("/mirror", small, [Good()])], "path": "mirrored.bin"},
        {"url": origin.serve("/small.bin", small, [Good()]), "path": "small.bin"},
        {"url": origin.serve("/gone.bin", small, [Status(404)]), "path": "gone.bin"},
        execution={"lane": lane, "processes": 1},
        defaults={"retry": {"max_retries": 1, "backoff": {"initial": "50ms"}}},
        name="nightly",
    )
    assert run.code == 1
    return run


@LANES
def test_a_report_tells_how_the_bytes_came(origin: Origin, tmp_path: Path, lane: str) -> None:
    run = a_run(origin, tmp_path, lane)
    jsonschema.Draft202012Validator(report_schema()).validate(run.report)
    big, mirrored, small, gone = run.report["downloads"]
    ranges = sorted(big["timeline"]["ranges"])
    assert ranges[0][0] == 0
    assert all(one[0] + one[1] == other[0] for one, other in pairwise(ranges) if other[1])
    assert sum(each[1] for each in ranges) == 6 * MIB
    assert {each[6] for each in ranges} >= {"failed", "done"}
    assert all(0 <= each[2] <= each[4] <= big["duration_s"] + 0.01 for each in ranges)
    assert [each[5:7] for each in mirrored["timeline"]["ranges"]] == [[0, "failed"], [0, "failed"], [1, "done"]]
    assert [note["event"] for note in mirrored["timeline"]["notes"]] == ["mirror_switched"]
    assert "timeline" not in small
    assert [each[5:7] for each in gone["timeline"]["ranges"]] == [[0, "failed"]]
    assert sum(run.report["throughput"]["bytes"]) == run.report["totals"]["bytes_downloaded"]


def test_the_bytes_of_child_processes_are_counted(origin: Origin, tmp_path: Path) -> None:
    bodies = [Body(300_000, seed=number) for number in range(8)]
    urls = [origin.serve(f"/{number}.bin", body, [Good(rate=MIB)]) for number, body in enumerate(bodies)]
    run = fetch(tmp_path, *urls, execution={"processes": 2, "threads": 2})
    assert run.code == 0
    assert sum(run.report["throughput"]["bytes"]) == run.report["totals"]["bytes_downloaded"] == 8 * 300_000


def test_a_run_is_shown_by_its_folder_its_report_or_standard_input(origin: Origin, tmp_path: Path) -> None:
    a_run(origin, tmp_path)
    file = tmp_path / "data" / ".marscore" / "report.json"
    by_folder, by_file = marscore("report", "data", cwd=tmp_path), marscore("report", str(file), cwd=tmp_path)
    by_input = marscore("report", "-", "--format", "table", cwd=tmp_path, stdin=file.read_text(encoding="utf-8"))
    assert (by_folder.code, by_folder.out) == (by_file.code, by_file.out) == (by_input.code, by_input.out)
    assert by_folder.code == 0
    assert by_folder.out.startswith("nightly: failed, ")
    assert "failed: gone.bin" in by_folder.out
    assert marscore("report", "data", "--format", "markdown", cwd=tmp_path).out.startswith("### nightly: failed, ")


def test_a_page_is_written_whole_or_to_standard_output(origin: Origin, tmp_path: Path) -> None:
    a_run(origin, tmp_path)
    assert marscore("report", "data", "--html", "page.html", cwd=tmp_path).code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>\n")
    assert marscore("report", "data", "--html", "-", cwd=tmp_path).out == page


def test_a_report_of_before_there_were_timelines_is_shown(origin: Origin, tmp_path: Path) -> None:
    run = a_run(origin, tmp_path)
    older = {name: value for name, value in run.report.items() if name != "throughput"}
    older["downloads"] = [{name: value for name, value in entry.items() if name != "timeline"} for entry in older["downloads"]]
    for options in ((), ("--format", "markdown"), ("--html", "-")):
        assert marscore("report", "-", *options, cwd=tmp_path, stdin=json.dumps(older)).code == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "r.json: cannot be read: No such file or directory"),
        (b"{", "r.json:1:1: is no JSON, as a report of a run is: EOF while parsing an object"),
        (b"{}", "r.json:1:1: it is no report of a run: that of a report is marscore/report/v1"),
        (b"\xff", "r.json: is not UTF-8 text: byte 0"),
    ],
    ids=["not there", "no JSON", "no report", "no text"],
)
def test_what_is_no_report_is_told_at_its_place(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "r.json").write_bytes(content)
    run = marscore("report", "r.json", cwd=tmp_path)
    assert (run.code, run.out, run.err.strip()) == (2, "", told)


def test_a_page_does_not_take_its_report_s_place(origin: Origin, tmp_path: Path) -> None:
    a_run(origin, tmp_path)
    file = tmp_path / "data" / ".marscore" / "report.json"
    before = file.read_bytes()
    for target in (str(file), "data/../data/.marscore/report.json"):
        run = marscore("report", "data", "--html", target, cwd=tmp_path)
        assert (run.code, "would replace" in run.err) == (2, True)
    assert file.read_bytes() == before
    (tmp_path / "taken").mkdir()
    assert marscore("report", "data", "--html", "taken", cwd=tmp_path).code == 3


def test_both_ways_at_once_are_refused(tmp_path: Path) -> None:
    assert marscore("report", "data", "--html", "x.html", "--format", "table", cwd=tmp_path).code == 2


@pytest.mark.skipif(os.name != "posix", reason="pipes and links as POSIX has them")
def test_a_page_goes_through_a_link_and_into_a_pipe_and_takes_the_place_of_neither(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads: [{origin.serve('/a.bin', Body(10))}]\n")
    assert marscore("run", "downloads.yaml", cwd=tmp_path).code == 0
    (tmp_path / "link.html").symlink_to("page.html")
    assert marscore("report", "data", "--html", "link.html", cwd=tmp_path).code == 0
    assert (tmp_path / "link.html").is_symlink()
    page = (tmp_path / "page.html").read_text()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_text)
        assert marscore("report", "data", "--html", "pipe", cwd=tmp_path).code == 0
        assert read.result(30) == page
    assert (tmp_path / "pipe").is_fifo()


@LANES
def test_small_files_that_take_a_second_tell_when_their_answers_came(origin: Origin, tmp_path: Path, lane: str) -> None:
    body = Body(1500, seed=7)
    run = fetch(
        tmp_path,
        {"url": origin.serve("/thinks.bin", body, [Good(delay_s=1.2)]), "path": "thinks.bin"},
        {"url": origin.serve("/drips.bin", body, [Good(drip=(300, 0.25))]), "path": "drips.bin"},
        {"url": origin.serve("/again.bin", body, [Status(503), Good()]), "path": "again.bin"},
        execution={"lane": lane, "processes": 1},
        defaults={"retry": {"backoff": {"initial": "50ms", "jitter": "none"}}},
    )
    assert run.code == 0
    thinks, drips, again = (entry["timeline"]["ranges"] for entry in run.report["downloads"])
    [(_, length, began, answered, ended, *_)] = thinks
    assert length == 1500
    assert 1.0 < answered - began <= ended - began
    [(_, length, began, answered, ended, *_)] = drips
    assert length == 1500
    assert ended - answered > 0.8 > answered - began
    assert [each[6] for each in again] == ["failed", "done"]
    assert all(each[2] <= each[3] <= each[4] for each in again)


@LANES
def test_a_hosts_pause_is_told_of_every_download_that_it_holds_back(origin: Origin, tmp_path: Path, lane: str) -> None:
    body = Body(1500, seed=8)
    run = fetch(
        tmp_path,
        {"url": origin.serve("/busy.bin", body, [Status(503), Good()]), "path": "busy.bin"},
        {"url": origin.serve("/asks.bin", body, [Status(429, retry_after="2"), Good()]), "path": "asks.bin"},
        execution={"lane": lane, "processes": 1},
        defaults={"retry": {"backoff": {"initial": "700ms", "jitter": "none"}}},
    )
    assert run.code == 0
    busy, asks = run.report["downloads"]
    assert len(run.events("host_paused")) == 1
    for entry in (busy, asks):
        [note] = entry["timeline"]["notes"]
        assert note["event"] == "host_paused"
        assert note["host"] == origin.url("/").split("/")[2]
        assert 1.5 < note["wait_s"] <= 2
