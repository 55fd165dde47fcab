"""The benchmark runs from end to end. Its figures are nobody's business here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import scale
from bench.__main__ import main
from bench.course import Course
from bench.job import Job
from bench.measure import warm
from bench.origin import origin
from bench.tools import Tool
from bench.works import File, Scale, Work, works
from tests.long import long
from tests.servers import have_nginx

pytestmark = [
    pytest.mark.skipif(not have_nginx(), reason="nginx is not on this machine: apt-get install nginx-light"),
    pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc"),
]

TINY = Scale(large=64 * 1024, half=32 * 1024, middle=16 * 1024, medium=64 * 1024, small=5, mixed=4, tiny=5)


def run(results: Path, *more: str) -> dict[str, Any]:
    assert main(["--quick", "--repeat", "1", "--results", str(results), *more], TINY) == 0
    return {path.stem: json.loads(path.read_text()) for path in results.glob("*.json")}


def test_every_work_has_its_figures_its_limit_and_its_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "large-h2,large-sha256,small,distant-tls,again"
    results = run(tmp_path, "--only", names, "--tools", "curl,marscore")
    assert set(results) == set(names.split(","))
    for name, result in results.items():
        assert result["repeat"] == 1
        assert result["machine"]["cores"] == len(os.sched_getaffinity(0))
        for tool in ("curl", "marscore"):
            entry = result["tools"][tool]
            assert len(entry["samples"]) == 1, (name, entry)
            assert entry["median"]["wall_s"] > 0
        assert result["tools"]["marscore"]["ratio_to_marscore"]["wall_s"] == 1
        assert ("median" in result["tools"]["limit"]) == (name != "again")
    # One that takes a fifth of a second may end before its memory is seen, where the machine is busy.
    assert any(result["tools"]["marscore"]["median"]["peak_bytes"] > 0 for result in results.values())
    assert (tmp_path / "table.md").read_text().count("| **marscore** |") == len(results)
    assert (tmp_path / "table.md").read_text().count("curl 7.") + (tmp_path / "table.md").read_text().count("curl 8.") == len(results)
    table = capsys.readouterr().out.splitlines()[-len(results) :]
    assert [line.split()[0] for line in table] == [work.name for work in works(TINY) if work.name in results]


def test_memory_is_used_before_a_run_and_given_back(tmp_path: Path) -> None:
    warm(tmp_path, 3 * 1024 * 1024 + 5)
    assert list(tmp_path.iterdir()) == []


def test_http_2_is_spoken_where_a_client_asks_for_it(tmp_path: Path) -> None:
    with origin(tmp_path) as server:
        server.make([File("one/one.bin", 10)])
        for site, version in (("h2", "2"), ("tls", "1.1")):
            words = ["curl", "-q", "-sS", "--cacert", str(server.authority), "-o", "/dev/null", "-w", "%{http_version}"]
            done = subprocess.run([*words, f"{server.base(site)}/one/one.bin"], capture_output=True, text=True, check=True)
            assert done.stdout == version


def test_start_tells_what_the_imports_cost(tmp_path: Path) -> None:
    start = run(tmp_path, "--only", "start", "--tools", "marscore")["start"]["start"]
    assert set(start["commands"]) == {"marscore --version", "python -c pass"}
    assert len(start["imports"]) == 10


def test_a_tool_that_is_missing_is_shown_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = run(tmp_path / "results", "--only", "small", "--tools", "aria2c,marscore")["small"]["tools"]
    assert found["aria2c"]["failed"] == "not installed: apt-get install aria2"
    assert "| aria2c | not installed" in (tmp_path / "results" / "table.md").read_text()


WRONG = {
    "echo broken >&2; exit 7": "exit 7: broken",
    "true": "wrong result: one.bin is missing",
    "echo > files/one.bin": "wrong result: one.bin has 1 bytes of 1000",
    "head -c 1000 /dev/zero > files/one.bin": "wrong result: one.bin has another content",
    "sleep 60": "killed after 2 s",
    # A child in a session of its own: it is not to write into a folder that is being removed.
    "setsid sh -c 'while :; do mktemp -p files; done'; true": "killed after 2 s",
}


def test_a_run_that_fails_or_leaves_wrong_files_counts_as_failed_and_is_not_repeated(tmp_path: Path) -> None:
    tools = [Tool(f"tool {number}", shell(words), ("sh",), "") for number, words in enumerate(WRONG)]
    with origin(tmp_path) as server:
        outcomes = Course(server, tmp_path, repeat=2, limit_s=2).run(Work("one", "one file", (File("one/one.bin", 1000),)), tools)
    assert [outcome.reason for outcome in outcomes] == list(WRONG.values())
    assert all(len(outcome.samples) <= 1 for outcome in outcomes)


ENDING = """
import subprocess, sys
from bench.measure import _tree
process = subprocess.Popen(["sleep", "60"])

def end(event, arguments):
    if event in {events} and f"/proc/{{process.pid}}/task" in str(arguments[0]):
        process.kill()
        process.wait()

sys.addaudithook(end)
print(list(_tree(process.pid)) == [process.pid], process.returncode)
"""


@pytest.mark.parametrize("events", [{"os.scandir", "os.listdir"}, {"open"}], ids=["its threads are listed", "its children are read"])
def test_a_process_that_ends_while_it_is_looked_at_has_no_children(events: set[str]) -> None:
    code = ENDING.format(events=events)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.stdout == "True -9\n", done.stderr


def shell(words: str) -> Callable[[Job], list[str]]:
    return lambda job: ["/bin/sh", "-c", words]


@long
def test_the_scale_is_measured_fetched_and_in_place(tmp_path: Path) -> None:
    assert scale.main(["--counts", "3", "--results", str(tmp_path)]) == 0
    runs = json.loads((tmp_path / "scale.json").read_text())["runs"]
    assert [(row["downloads"], row["run"]) for row in runs] == [(3, "fetched"), (3, "in place")]
    assert all(row["exit_code"] == 0 and row["peak_mib"] > 0 for row in runs)
