"""Plans and ended runs, as a person reads them."""

from __future__ import annotations

import json
import sys

import pytest
from cli_fakes import FakeApp, Terminal, a_plan, an_end, call, entry

from marscore.cli.main import cli
from marscore.cli.summary import summary
from marscore.report.model import Error


def test_a_plan_is_a_table():
    result = call("plan", "sub/d.yaml", "--output-dir", "x", "--threads", "3", app=FakeApp(a_plan()))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2 downloads (1 fetch, 1 up_to_date); 1 process, 8 connections each",
        "ID            ACTION      PATH  URL                     REASON",
        "downloads[0]  fetch       f0    https://e.com/0\\x1b[2J  not there yet",
        "downloads[1]  up_to_date  f1    https://e.com/1\\x1b[2J  matches its checksum",
    ]


def test_an_empty_plan_says_so():
    assert "0 downloads (nothing to do)" in call("plan", "sub/d.yaml", app=FakeApp(a_plan(0))).stdout


def test_a_plan_for_programs_is_json():
    assert json.loads(call("plan", "sub/d.yaml", "--format", "json", app=FakeApp(a_plan())).stdout) == {"downloads": 2}


@pytest.mark.parametrize("code", [0, 1])
def test_on_a_terminal_a_run_ends_with_a_summary(monkeypatch, code):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    error = Error("dns", None, "no such host: e\x1b[2J.com")
    app = FakeApp(an_end(code, [entry(0, "failed", error)] if code else [entry(0, "downloaded", size=2048)]))
    assert cli.main(["run", "sub/d.yaml"], obj=app, standalone_mode=False) == code
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("1 download: ")
    assert lines[1:] == (["failed: zips/0.zip: dns: no such host: e\\x1b[2J.com"] if code else [])


def test_a_person_reads_a_plan_that_is_folded_to_the_terminal(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["plan", "sub/d.yaml"], obj=FakeApp(a_plan()), standalone_mode=False)
    heading, *table = stream.getvalue().splitlines()
    assert "1 fetch" in heading
    assert max(len(line) for line in table) <= 40
    assert "\x1b" not in stream.getvalue()


SUMMARY_CASES = [
    (
        [entry(0, "downloaded", size=24 * 1024 * 1024), entry(1, "up_to_date")],
        ["2 downloads: 1 downloaded, 1 up to date, 0 failed; 24.0 MiB in 1.3 s (18.5 MiB/s), 2 retries"],
    ),
    (
        [entry(0, "failed", Error("http_status", 404, "the server answered 404 Not Found")), entry(1, "skipped")],
        [
            "2 downloads: 0 downloaded, 0 up to date, 1 failed, 1 skipped; 0 B in 1.3 s, 2 retries",
            "failed: zips/0.zip: http_status: the server answered 404 Not Found",
        ],
    ),
    ([], ["0 downloads: 0 downloaded, 0 up to date, 0 failed; 0 B in 1.3 s, 2 retries"]),
]


@pytest.mark.parametrize(("entries", "lines"), SUMMARY_CASES, ids=["all well", "one failed", "none"])
def test_a_person_gets_the_sums_and_what_failed(entries, lines):
    end = an_end(entries=entries)
    assert summary(end.head, end.failures(), end.file) == [f"{lines[0]}; report: data/.marscore/report.json", *lines[1:]]


def test_of_many_failures_the_first_twenty_are_named():
    end = an_end(1, [entry(n, "failed", Error("dns", None, "no such host")) for n in range(25)])
    lines = summary(end.head, end.failures(), end.file)
    assert len(lines) == 22
    assert lines[-1] == "… and 5 more"
