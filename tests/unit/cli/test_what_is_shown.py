"""Plans and ended runs, as a person reads them."""

from __future__ import annotations

import dataclasses
import json
import re
import sys

import pytest
from cli_fakes import FakeApp, Terminal, a_plan, a_report, an_end, call, entry

from marscore.cli.main import cli
from marscore.cli.summary import duration, summary
from marscore.policy.remedies import remedy
from marscore.report.ended import Kept
from marscore.report.model import Error


@pytest.mark.parametrize(("columns", "widest"), [("60", 60), ("100", 100), ("0", 120), ("x", 120), (None, 120)])
def test_a_plan_off_a_terminal_is_as_wide_as_columns_say(monkeypatch, columns, widest):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    lines = call("plan", "sub/d.yaml", app=FakeApp(a_plan())).stdout.splitlines()
    assert max(map(len, lines)) <= widest
    assert any(line.startswith("ID") for line in lines) is (widest == 120)


def test_a_plan_is_a_table(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    result = call("plan", "sub/d.yaml", "--output-dir", "x", "--threads", "3", app=FakeApp(a_plan()))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2 downloads (1 fetch, 1 up to date); 1 process, 8 connections each",
        "",
        "ID            ACTION         SIZE  PATH  URL                     REASON",
        "downloads[0]  fetch             ?  f0    https://e.com/0\\x1b[2J  not there yet",
        "downloads[1]  up to date  2.0 KiB  f1    https://e.com/1\\x1b[2J  matches its checksum",
        "",
        "1 file of unknown size to fetch; 2.0 KiB in place",
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
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    error = Error("dns", None, "no such host: e\x1b[2J.com")
    app = FakeApp(an_end(code, [entry(0, "failed", error)] if code else [entry(0, "downloaded", size=2048)]))
    assert cli.main(["run", "sub/d.yaml"], obj=app, standalone_mode=False) == code
    lines = stream.getvalue().splitlines()
    assert lines[-2].startswith("1 download: ")
    told = ["failed: zips/0.zip: no such host: e\\x1b[2J.com", "  https://e.com/x", f"  to do: {remedy('dns')}"]
    assert lines[:-2] == (told if code else [])


def test_a_summary_has_colours_and_is_folded_at_words(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    app = FakeApp(an_end(1, [entry(0, "failed", Error("http_status", 404, "the server answered 404 Not Found"))]))
    cli.main(["run", "sub/d.yaml"], obj=app, standalone_mode=False)
    lines = re.sub(r"\x1b\[[0-9]+m", "", stream.getvalue()).splitlines()
    assert "\x1b[31mfailed: zips/0.zip" in stream.getvalue()
    assert max(map(len, lines)) <= 40
    assert lines[3:5] == ["  to do: check the URL's spelling and", "    version; private servers answer so"]


@pytest.mark.parametrize(
    ("options", "code", "shown"),
    [
        ([], 0, True),
        ([], 1, True),
        (["-q"], 0, False),
        (["-q"], 1, True),
        (["-v"], 0, True),
        (["--log-format", "console"], 0, True),
        (["--log-format", "json"], 1, False),
    ],
    ids=str,
)
def test_elsewhere_it_is_plain_text_and_left_to_the_log_where_that_is_to_be_json(options, code, shown):
    error = Error("dns", None, "no such host")
    result = call("run", "sub/d.yaml", *options, app=FakeApp(an_end(code, [entry(0, "failed", error)] if code else [])))
    assert (result.exit_code, "report: data/.marscore/report.json" in result.stderr) == (code, shown)
    assert (f"  to do: {remedy('dns')}\n" in result.stderr) is bool(shown and code)
    assert "\x1b" not in result.stderr
    assert result.stdout == ""


def on_a_terminal(monkeypatch, columns, plan):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["plan", "sub/d.yaml"], obj=FakeApp(plan), standalone_mode=False)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("columns", [40, 69, 70, 80, 109, 110, 200])
def test_a_person_reads_a_plan_at_any_width(monkeypatch, columns):
    plan = a_plan()
    plan.downloads[0].path = "a-folder-with-a-long-name/" * 3 + "file.tar.gz"
    lines = on_a_terminal(monkeypatch, columns, plan)
    assert max(map(len, lines)) <= columns
    (columns_named,) = (line.split() for line in lines if line.startswith("ACTION"))
    assert columns_named == ["ACTION", "SIZE", "PATH", *["URL"] * (columns >= 110), *["REASON"] * (columns >= 70)]
    whole = "".join(line.strip() for line in lines).replace(" ", "")
    assert "notthereyet" in whole
    assert columns >= 70 or plan.downloads[0].path in whole
    assert "\x1b" not in "".join(lines)


def test_a_plan_says_how_much_is_to_be_fetched_and_what_is_kept(monkeypatch):
    plan = a_plan(4)
    plan.downloads[0].action, plan.downloads[0].bytes_kept, plan.downloads[0].size = "resume", 1 << 20, 3 << 20
    plan.totals.bytes_to_fetch, plan.totals.bytes_kept, plan.totals.size_unknown = 2 << 20, 1 << 20, 1
    lines = on_a_terminal(monkeypatch, 80, plan)
    assert " ".join(lines[3].split()) == "resume 3.0 MiB f0 not there yet (1.0 MiB)"
    end = " ".join(lines[-2:]).strip()
    assert end == "2.0 MiB to fetch and 1 file of unknown size, besides 1.0 MiB that an earlier run left; 4.0 KiB in place"


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["sub/d.yaml"], 0),
        (["sub/d.yaml", "--detailed-exitcode"], 2),
        (["sub/d.yaml", "--detailed-exitcode", "--format", "json"], 2),
        (["none.yaml"], 2),
        (["none.yaml", "--detailed-exitcode"], 1),
        (["--detailed-exitcode", "sub/d.yaml", "--thread", "x"], 1),
        (["--detailed-exitcode"], 1),
        (["sub/d.yaml", "--detailed-exitcode", "--lock", "x", "--no-lock"], 1),
        (["sub/d.yaml", "--lock", "x", "--no-lock"], 2),
    ],
)
def test_a_pipeline_tells_work_from_a_mistake(argv, code):
    assert call("plan", *argv, app=FakeApp(a_plan())).exit_code == code


def test_nothing_to_do_is_0():
    plan = a_plan(2)
    plan.totals.to_do = 0
    assert call("plan", "sub/d.yaml", "--detailed-exitcode", app=FakeApp(plan)).exit_code == 0


REPORT = "report: data/.marscore/report.json"
NOT_FOUND = Error("http_status", 404, "the server answered 404 Not Found")
SUMMARY_CASES = [
    (
        [entry(0, "downloaded", size=24 * 1024 * 1024), entry(1, "up_to_date")],
        ["2 downloads: 1 downloaded, 1 up to date; 24.0 MiB in 1.3 s (18.5 MiB/s); 2 retries"],
    ),
    (
        [entry(0, "failed", NOT_FOUND), entry(1, "skipped")],
        [
            "failed: zips/0.zip: the server answered 404 Not Found",
            "  https://e.com/x",
            f"  to do: {remedy('http_status', 404)}",
            "2 downloads: 1 failed, 1 not started; nothing fetched in 1.3 s; 2 retries",
        ],
    ),
    ([], ["0 downloads: nothing to do; nothing fetched in 1.3 s; 2 retries"]),
]


def lines_of(end, log_file=None):
    return [text for text, _ in summary(end, log_file)]


@pytest.mark.parametrize(("entries", "lines"), SUMMARY_CASES, ids=["all well", "one failed", "none"])
def test_a_person_gets_the_sums_and_what_failed(entries, lines):
    assert lines_of(an_end(entries=entries)) == [*lines, REPORT]


def test_where_the_log_is_stands_beside_the_report():
    assert lines_of(an_end(), "run.jsonl")[-1] == f"{REPORT}; log: run.jsonl"
    assert lines_of(an_end(), "-")[-1] == REPORT


def test_the_mirror_that_failed_last_is_named():
    failed = dataclasses.replace(entry(0, "failed", NOT_FOUND), source="https://mirror.org/x")
    assert lines_of(an_end(1, [failed]))[1] == "  https://e.com/x (asked last: https://mirror.org/x)"


def test_twenty_failures_are_told_one_by_one_and_more_by_kind_and_host():
    dns = Error("dns", None, "no such host")
    assert len(lines_of(an_end(1, [entry(n, "failed", dns) for n in range(20)]))) == 20 * 3 + 2
    others = [dataclasses.replace(entry(n, "failed", NOT_FOUND), source=f"https://m{n % 2}.org:8443/x") for n in range(5)]
    assert lines_of(an_end(1, [*(entry(n, "failed", dns) for n in range(25)), *others])) == [
        "failed: 25 downloads from e.com: no such host",
        "  zips/0.zip, zips/1.zip, zips/2.zip and 22 more",
        f"  to do: {remedy('dns')}",
        "failed: 3 downloads from m0.org:8443: the server answered 404 Not Found",
        "  zips/0.zip, zips/2.zip, zips/4.zip",
        f"  to do: {remedy('http_status', 404)}",
        "failed: 2 downloads from m1.org:8443: the server answered 404 Not Found",
        "  zips/1.zip, zips/3.zip",
        f"  to do: {remedy('http_status', 404)}",
        "30 downloads: 30 failed; nothing fetched in 1.3 s; 2 retries",
        REPORT,
    ]


def test_of_many_hosts_the_first_twenty_are_named():
    entries = [dataclasses.replace(entry(n, "failed", NOT_FOUND), source=f"https://{n}.org/") for n in range(30)]
    lines = lines_of(an_end(1, entries))
    assert lines[60] == "failed: 10 other downloads, which the report names"
    assert len(lines) == 63


def test_messages_that_differ_within_a_group_are_said_to():
    entries = [entry(n, "failed", Error("truncated", None, f"the body broke off after {n} bytes")) for n in range(21)]
    assert lines_of(an_end(1, entries))[0] == "failed: 21 downloads from e.com: the body broke off after 0 bytes, and the like"


def test_who_interrupted_it_is_told_what_was_kept_and_how_to_go_on():
    report = a_report(130, [entry(0, "downloaded", size=10), entry(1, "interrupted", Error("interrupted", None, "by signal 2"))])
    report = report.model_copy(update={"status": "interrupted"})
    end = dataclasses.replace(an_end(), head=report, kept=Kept(1, 120 * 1024 * 1024))
    assert lines_of(end)[1] == "interrupted: 1 of 2 files is in place, kept 120.0 MiB of 1 more; run the same command again to go on"
    nothing = dataclasses.replace(end, kept=Kept(0, 0))
    assert lines_of(nothing)[1] == "interrupted: 1 of 2 files is in place; run the same command again to go on"


@pytest.mark.parametrize(("seconds", "words"), [(1.25, "1.2 s"), (99.9, "99.9 s"), (125, "2 min 5 s"), (11520, "3 h 12 min")])
def test_how_long_it_took(seconds, words):
    assert duration(seconds) == words
