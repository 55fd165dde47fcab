"""A run as JUnit XML."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.report.head import Head, ManifestNamed, PlanSums, Sums
from marscore.report.junit import iter_junit
from marscore.report.model import DownloadReport, Error, Retry
from marscore.values import Failure

#: Jenkins' junit-10.xsd: which attributes an element may and must have, and which elements may be in it.
SHAPE = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"name", "tests", "failures", "errors"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": ({"name", "time", "classname", "group"}, {"name"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
}


def made(entries, trouble=None, name=None, manifest="ci/downloads.yaml"):
    statuses = ("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped")
    counts = {status: sum(each.status == status for each in entries) for status in statuses}
    sums = Sums(len(entries), **counts, bytes_downloaded=0, bytes_resumed=0, retries=0)
    started = "2024-05-01T12:00:00.250Z"
    head = Head("1", "r", name, ManifestNamed(manifest, None), started, started, 1234.5, "failed", 1, PlanSums(), sums)
    return head, [json.dumps(asdict(entry)) for entry in entries], trouble


def document(*args, **more):
    root = ElementTree.fromstring("".join(iter_junit(*made(*args, **more))))
    check(root)
    return root


def check(element):
    may, must, inside = SHAPE[element.tag]
    assert must <= set(element.attrib) <= may
    for child in element:
        assert child.tag in inside
        check(child)


def entry(number, status="downloaded", error=None, path=None, **more):
    return DownloadReport(
        f"downloads[{number}]", f"https://e.com/{number}", path or f"a/{number}.bin", status, error=error, duration_s=0.25, **more
    )


def test_each_download_is_a_test_case():
    retry = Retry("2024-05-01T12:00:00.300Z", "https://e.com/1", "server_error", 503, "the server answered 503", 0.1, 1)
    gone = Error("http_status", 404, "the server answered 404 Not Found")
    stopped = Error("interrupted", None, "interrupted by signal 15; run again to resume")
    root = document(
        [
            entry(0),
            entry(1, "failed", gone, retries=(retry,)),
            entry(2, "skipped", reason="fail_fast"),
            entry(3, "interrupted", stopped),
            entry(4, "up_to_date"),
        ],
        Failure("disk_full", "no space left"),
        name="nightly 1.2",
    )
    counts = {"tests": "6", "failures": "1", "errors": "2", "time": "1234.500"}
    assert root.attrib == {"name": "marscore", **counts}
    (suite,) = root
    more = {"skipped": "1", "timestamp": "2024-05-01T12:00:00", "file": "ci/downloads.yaml"}
    assert suite.attrib == {"name": "nightly 1_2", **counts, **more}
    names = ["a/0.bin", "a/1.bin", "a/2.bin", "a/3.bin", "a/4.bin", "the run itself"]
    assert [case.get("name") for case in suite] == names
    assert {case.get("classname") for case in suite} == {"marscore.nightly 1_2"}
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"], ["error"], [], ["error"]]
    failure = suite[1][0]
    assert (failure.get("type"), failure.get("message")) == ("http_status", "the server answered 404 Not Found")
    assert failure.text.split("\n") == [
        "the server answered 404 Not Found",
        "https://e.com/1",
        "Tried before:",
        "2024-05-01T12:00:00.300Z https://e.com/1: the server answered 503",
        "To do: check the URL's spelling and version; private servers answer so too where credentials are missing.",
    ]
    assert suite[2][0].get("message") == "fail_fast"
    assert suite[5][0].get("type") == "disk_full"


@pytest.mark.parametrize(("manifest", "name"), [("ci/downloads.yaml", "downloads"), ("-", "-"), ("<dict>", "<dict>")])
def test_a_manifest_without_a_name_is_called_by_its_file(manifest, name):
    assert document([entry(0)], manifest=manifest)[0].get("name") == name


def legal(char):
    """Whether XML 1.0 can write it (section 2.2), but for C1 controls, which are replaced too."""
    code = ord(char)
    if 0x7F <= code <= 0x9F:
        return code == 0x85
    return char in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def test_nothing_in_it_commands_a_ci_s_runner():
    evil = "::error::x ##[group]y ###vso[z] :::"
    text = "".join(iter_junit(*made([entry(0, "failed", Error("dns", None, evil), path=evil)])))
    assert not re.search(r"##|::", text)
    assert document([entry(0, "failed", Error("dns", None, evil), path=evil)])[0][0].get("name") == evil


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_any_text_is_read_back_as_it_was_but_for_what_xml_cannot_hold(path, message):
    case = document([entry(0, "failed", Error("dns", None, message), path=path or "x")])[0][0]

    def seen(text):
        return "".join(char if legal(char) else "\ufffd" for char in text)

    assert case.get("name") == seen(path or "x")
    assert case[0].get("message") == seen(message)
    assert case[0].text.startswith(seen(message) + "\n")
