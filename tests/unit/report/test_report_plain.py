"""A report as a table and as Markdown."""

from __future__ import annotations

from marscore.report.model import Error
from marscore.report.plain import markdown, table
from tests.browser.made_reports import HOSTILE, a_file, a_report, failed, small


def test_the_table() -> None:
    lines = list(table(small()))
    assert lines[:3] == [
        "nightly: failed, 2026-01-01 12:00:00 UTC",
        "14 files, 11 downloaded, 1 up to date, 2 failed",
        "10.9 KiB in 10.0 s (1.1 KiB/s), 500 B resumed, 1 retry",
    ]
    assert lines[4:8] == [
        "failed: gone.bin",
        "    https://one.example/gone.bin",
        "    http_status: the server answered 404",
        "    -> check the URL's spelling and version; private servers answer so too where credentials are missing",
    ]
    assert lines[14:17] == [
        "STATUS             SIZE        TOOK        SPEED  RETRIES  PATH",
        "downloaded       1000 B      0.50 s    2.0 KiB/s           part-0.bin",
        "downloaded       1001 B      0.50 s    2.0 KiB/s           part-1.bin",
    ]
    assert lines[-1] == "up to date      1.1 KiB                                    there.bin"


def test_many_failures_are_grouped() -> None:
    report = a_report(*(failed(n, f"gone-{n}.bin") for n in range(21)), failed(30, "other.bin", 401))
    assert "21 files of one.example: gone-0.bin, gone-1.bin, gone-2.bin, …" in list(table(report))
    assert "| 21 files of one.example: gone-0.bin, gone-1.bin, gone-2.bin, … |" in "\n".join(markdown(report))


def test_markdown() -> None:
    text = "\n".join(markdown(small()))
    assert text.startswith("### nightly: failed, 2026-01-01 12:00:00 UTC\n\n14 files, 11 downloaded")
    assert "| `gone.bin`<br>`https://one.example/gone.bin` | http&#95;status: the server answered 404 | check the URL's spelling" in text
    assert "<summary>14 files</summary>\n\n| File | Status |" in text


def test_in_markdown_a_stranger_s_text_means_nothing() -> None:
    odd = HOSTILE + " | a | [x](https://evil.example) @everyone `c` *b* www.evil.example :tada: $x$\n# h"
    lines = list(markdown(a_report(failed(0, odd), name=odd, warnings=(odd,))))
    assert not [line for line in lines if "\n" in line]
    text = "\n".join(lines)
    for meant in ("<script", "<img", "[x](", "@everyone", "https://evil", " | a |", "\n# h", "`c`", " *b*", "www.", ":tada:", "$x$"):
        assert meant not in text


def test_markdown_of_many_files_is_cut_and_says_so() -> None:
    lines = list(markdown(a_report(*map(a_file, range(1005)))))
    assert sum(line.startswith("| `part") for line in lines) == 1000
    assert "and 5 more" in lines


def test_what_to_do_about_an_interrupted_download_is_said_once():
    error = Error("interrupted", None, "interrupted by signal 15; run again to resume")
    stopped = a_file(1, "cut.bin", status="interrupted", error=error)
    lines = list(table(a_report(stopped)))
    assert "    interrupted: interrupted by signal 15; run again to resume" in lines
    assert not [line for line in lines if line.startswith("    ->")]
