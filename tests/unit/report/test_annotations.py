"""Failures and warnings as commands to GitHub's runner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import Problem
from marscore.report.annotations import MOST, Annotation, ManifestFile, command, of_failures, of_problems, of_warnings
from marscore.report.model import DownloadReport, Error

HERE = ManifestFile("ci/downloads.yaml", lambda download: 10 + int(download[10:-1]) if download else None)


def failed(number, kind="http_status", status=404, message="the server answered 404 Not Found", host="e.com", ended="failed"):
    url = f"https://{host}/{number}"
    return DownloadReport(f"downloads[{number}]", url, f"f{number}.bin", ended, error=Error(kind, status, message))


def parsed(line):
    """A command as the runner reads it (actions/runner, ActionCommand.TryParseV2): level, properties, message."""
    assert line.startswith("::")
    assert "\n" not in line
    assert "\r" not in line
    head, _, data = line[2:].partition("::")
    level, _, properties = head.partition(" ")
    pairs = dict(each.split("=", 1) for each in properties.split(",") if each)
    marks = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}

    def unescaped(text, names):
        for name in names:
            text = text.replace(name, marks[name])
        return text

    return level, {k: unescaped(v, marks) for k, v in pairs.items()}, unescaped(data, ["%0D", "%0A", "%25"])


@given(st.text(min_size=1), st.text(), st.one_of(st.none(), st.text(min_size=1)), st.one_of(st.none(), st.integers(1, 10**6)))
def test_a_command_says_what_was_meant_whatever_the_texts_are(title, message, file, line):
    level, properties, data = parsed(command(Annotation("error", title, message, file, line)))
    assert (level, data) == ("error", message)
    assert properties.pop("title") == title
    assert properties == ({} if file is None else {"file": file} if line is None else {"file": file, "line": str(line)})


TABLE = [
    pytest.param(
        Annotation("error", "a: b, c", "100% of\r\nit", "d.yaml", 3, 5),
        "::error file=d.yaml,line=3,col=5,title=a%3A b%2C c::100%25 of%0D%0Ait",
        id="everything is escaped",
    ),
    pytest.param(
        Annotation("warning", "t", "m", "a,b:c%.yaml", 1), "::warning file=a%2Cb%3Ac%25.yaml,line=1,title=t::m", id="a file's name"
    ),
    pytest.param(Annotation("error", "t", "::stop-commands::x"), "::error title=t::::stop-commands::x", id="a command is no command"),
    pytest.param(Annotation("error", "t", "m", None, 7), "::error title=t::m", id="no file, no line"),
]


@pytest.mark.parametrize(("annotation", "line"), TABLE)
def test_an_annotation_is_a_line(annotation, line):
    assert command(annotation) == line


def test_a_failure_stands_at_its_entry_and_says_what_to_do():
    (told,) = of_failures([failed(2)], HERE)
    assert (told.level, told.file, told.line, told.title) == ("error", "ci/downloads.yaml", 12, "f2.bin failed: http_status")
    what, url, to_do = told.message.split("\n")
    assert (what, url) == ("the server answered 404 Not Found", "https://e.com/2")
    assert to_do.startswith("To do: check the URL's spelling")


@pytest.mark.parametrize("count", [1, MOST, MOST + 1, 500])
def test_of_many_alike_there_is_one(count):
    told = of_failures([failed(number) for number in range(count)], HERE)
    if count <= MOST:
        assert [each.line for each in told] == [10 + number for number in range(count)]
        return
    (one,) = told
    assert (one.title, one.line) == (f"{count} downloads from e.com failed: http_status", 10)
    assert f"f4.bin\nand {count - 5} more\n" in one.message


def test_groups_stand_in_the_order_of_their_size_and_what_is_left_is_counted():
    many = [failed(number, host="big.org") for number in range(20, 40)]
    others = [failed(number, host=f"h{number}.org") for number in range(20)]
    told = of_failures([*others, *many], HERE)
    assert len(told) == MOST
    assert told[0].title == "20 downloads from big.org failed: http_status"
    assert told[1].title == "f0.bin failed: http_status"
    assert told[-1].title == "12 more downloads failed"


def test_what_was_interrupted_is_one_warning():
    told = of_failures([failed(n, "interrupted", None, "interrupted by signal 2", ended="interrupted") for n in range(3)], HERE)
    assert [(each.level, each.title) for each in told] == [("warning", "3 downloads were interrupted")]


def test_a_url_of_which_only_a_mask_is_left_is_no_trouble():
    entries = [DownloadReport(f"downloads[{n}]", "***", f"f{n}", "failed", error=Error("dns", None, "no such host")) for n in range(11)]
    assert [each.title for each in of_failures(entries, HERE)] == ["11 downloads failed: dns"]


def test_warnings_that_say_the_same_are_one_where_there_are_many():
    assert [each.line for each in of_warnings([(None, "a"), ("downloads[1]", "b")], HERE)] == [None, 11]
    told = of_warnings([(f"downloads[{n}]", "not locked") for n in range(1, 30)], HERE)
    assert [(each.message, each.line) for each in told] == [("not locked (29 times)", 11)]
    assert len(of_warnings([(None, str(n)) for n in range(30)], HERE)) == MOST


def test_what_is_wrong_with_a_manifest_stands_at_its_line():
    problems = [Problem("downloads[1].url", "is required", 4, 5)]
    (told,) = of_problems(problems, "d.yaml", "ci/d.yaml")
    assert command(told) == "::error file=ci/d.yaml,line=4,col=5,title=downloads[1].url::is required"
    (told,) = of_problems([Problem("", "no such file")], "d.yaml", None)
    assert command(told) == "::error title=marscore::d.yaml: no such file"
    assert of_problems(problems * 30, "d.yaml", None)[-1].message == "21 more problems are in the log."
