"""A run as Markdown on the page of its job."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import Problem
from marscore.report.head import Head, ManifestNamed, PlanSums, Sums
from marscore.report.markdown import code_cell, text_cell
from marscore.report.model import DownloadReport, Error, Retry
from marscore.report.step_summary import LIMIT, message_summary, problem_summary, step_summary


def a_head(entries, name=None, warnings=()):
    def count(status):
        return sum(each.status == status for each in entries)

    statuses = {name: count(name) for name in ("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped")}
    sums = Sums(len(entries), **statuses, bytes_downloaded=3 << 20, bytes_resumed=1 << 20, retries=1)
    ended = "failed" if count("failed") else "succeeded"
    return Head("1", "r", name, ManifestNamed("d.yaml", None), "t", "t", 1.5, ended, int(ended == "failed"), PlanSums(), sums, warnings)


def summary_of(entries, room=LIMIT, notes=(), **more):
    texts = [json.dumps(asdict(entry)) for entry in entries]
    return step_summary(a_head(entries, **more), [entry for entry in entries if entry.error], texts, notes, room)


def failed(number, path=None, message="the server answered 404 Not Found"):
    return DownloadReport(
        f"downloads[{number}]", f"https://e.com/{number}", path or f"f{number}", "failed", error=Error("http_status", 404, message)
    )


def rows_of(text):
    """The cells of each row of each table, as GitHub divides them: at each `|` that has no backslash before it."""
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]


def test_a_run_is_its_sums_and_its_tables():
    retry = Retry("t", "https://e.com/1", "server_error", 503, "the server answered 503", 0.1, 1)
    entries = [
        failed(0),
        DownloadReport("downloads[1]", "https://e.com/1", "zips/1.zip", "downloaded", size=2048, duration_s=0.25, retries=(retry,)),
        DownloadReport("downloads[2]", "https://e.com/2", "2.zip", "up_to_date", size=1),
        DownloadReport("downloads[3]", "https://e.com/3", "3.zip", "skipped"),
    ]
    assert summary_of(entries, notes=["the hook failed"], warnings=("a warning",)) == "\n".join(
        [
            "### marscore: 2 of 4 downloads in place",
            "",
            "| downloaded | up to date | failed | not started | retries | received | time | resumed |",
            "| --: | --: | --: | --: | --: | --: | --: | --: |",
            "| 1 | 1 | 1 | 1 | 1 | 3.0 MiB (2.0 MiB/s) | 1.5 s | 1.0 MiB |",
            "",
            "- the hook failed",
            "- a warning",
            "",
            "#### Failed (1)",
            "",
            "| file | what went wrong | kind | what to do |",
            "| --- | --- | --- | --- |",
            "| `f0`<br>`https://e.com/0` | the server answered 404 Not Found | `http_status` | "
            "check the URL's spelling and version; private servers answer so too where credentials are missing |",
            "",
            "<details><summary>Tried again (1)</summary>",
            "",
            "| file | tries | the last reason |",
            "| --- | --- | --- |",
            "| `zips/1.zip` | 2 | the server answered 503 |",
            "",
            "</details>",
            "",
            "<details><summary>In place (2)</summary>",
            "",
            "| file | how | size | seconds |",
            "| --- | --- | --- | --- |",
            "| `zips/1.zip` | downloaded | 2.0 KiB | 0.2 |",
            "| `2.zip` | was up to date | 1 B | 0.0 |",
            "",
            "</details>",
            "",
        ]
    )


@pytest.mark.parametrize("room", [0, 100, 1000, 5000, 60_000, LIMIT])
def test_it_never_takes_more_room_than_there_is_and_counts_what_is_left_out(room):
    text = summary_of([failed(number, path="ü" * 50 + str(number)) for number in range(2000)], room)
    assert len(text.encode()) <= room
    shown = text.count("the server answered")
    assert text == "" or shown == 0 or f"… and {2000 - shown:,} more: see the report." in text
    assert "#### Failed (2,000)" in text or shown == 0


@given(st.text())
def test_any_text_is_one_cell_and_nothing_but_text(text):
    for cell in (text_cell(text), code_cell(text)):
        assert rows_of(f"| {cell} |") == [[f" {cell} "]]
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u202e]", cell)
    shown = text_cell(text).replace("&#64;<!---->", "&#64;")
    controls = "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    assert re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), shown) == re.sub(controls, " ", text).strip()
    assert not re.search(r"[\\`*_{}\[\]<>|~@$!]", shown)
    assert not re.search(r"&(?!#\d+;)|#(?!\d+;)|://|www\.", shown)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a/b.zip", "`a/b.zip`"),
        ("a|b", "a&#124;b"),
        ("a`b", "a&#96;b"),
        ("<script>", "`<script>`"),
        ("", ""),
        (" a", "a"),
        ("a\x1b[2J", "`a\ufffd[2J`"),
        ("https://e.com|@x", "https&#58;//e.com&#124;&#64;<!---->x"),
    ],
)
def test_names_are_code_unless_code_cannot_hold_them(text, cell):
    assert code_cell(text) == cell


def test_what_did_not_start_is_told():
    text = problem_summary("d.yaml", [Problem("downloads[0].url", "is <required>", 4, 5)])
    assert text.startswith("### marscore: nothing was started\n")
    assert "| `d.yaml:4:5` | `downloads[0].url` | is &#60;required&#62; |" in text
    assert "the output folder&#64;<!---->" in message_summary("cannot make the output folder@")
    assert (problem_summary("d.yaml", [], 10), message_summary("x", 10)) == ("", "")
