"""`--report-junit` writes the run once more, for CI systems that show tests."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.integration.command import fetch, marscore, write
from tests.origin import Body, Origin, Status


def cases(text: str) -> dict[str, list[str]]:
    """Which elements the test case of each path holds."""
    return {case.get("name", ""): [child.tag for child in case] for case in ElementTree.fromstring(text).iter("testcase")}


def two_files(origin: Origin, folder: Path) -> str:
    ok, gone = origin.serve("/ok.bin", Body(1000)), origin.script("/gone.bin", [Status(404)])
    return write(folder, [ok, f"{gone}?token=hidden"])


def test_each_download_is_a_test_case(origin: Origin, tmp_path: Path) -> None:
    run = marscore("run", two_files(origin, tmp_path), "--report-junit", "out/marscore.xml", cwd=tmp_path)
    text = (tmp_path / "out" / "marscore.xml").read_text()
    assert (run.code, run.out) == (1, "")
    assert cases(text) == {"ok.bin": [], "gone.bin": ["failure"]}
    assert "hidden" not in text
    assert run.report["totals"]["failed"] == 1, "the JSON report is written as well"


def test_standard_output_has_the_document_alone(origin: Origin, tmp_path: Path) -> None:
    run = marscore("run", two_files(origin, tmp_path), "--report-junit", "-", cwd=tmp_path)
    assert (run.code, cases(run.out)) == (1, {"ok.bin": [], "gone.bin": ["failure"]})


@pytest.mark.parametrize("other", ["--report", "--log-file"])
def test_two_documents_are_not_written_to_one_place(origin: Origin, tmp_path: Path, other: str) -> None:
    manifest = two_files(origin, tmp_path)
    for place in ("-", "same.file"):
        run = marscore("run", manifest, "--report-junit", place, other, place, cwd=tmp_path)
        assert run.code == 2
    assert not origin.requests


def test_one_that_cannot_be_written_is_exit_3_and_the_report_says_so(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/ok.bin", Body(10))])
    (tmp_path / "file").touch()
    run = marscore("run", manifest, "--report-junit", "file/junit.xml", cwd=tmp_path)
    assert run.code == 3
    assert run.err.splitlines()[-1].startswith("marscore: cannot write the JUnit report file/junit.xml: ")
    assert (run.report["exit_code"], run.report["totals"]["downloaded"]) == (3, 1)


def test_lists_of_checksums_have_no_document_of_their_own(origin: Origin, tmp_path: Path) -> None:
    body = Body(1000)
    origin.serve("/SUMS", Body(text=f"{body.sha256}  a.bin\n".encode()))
    download = {"url": origin.serve("/a.bin", body), "checksum": {"from": origin.url("/SUMS")}}
    manifest = write(tmp_path, [download])
    run = marscore("run", manifest, "--report-junit", "-", cwd=tmp_path)
    assert (run.code, cases(run.out)) == (0, {"a.bin": []})


def test_a_run_without_downloads_in_place_yet_has_them_all(origin: Origin, tmp_path: Path) -> None:
    assert fetch(tmp_path, origin.serve("/a.bin", Body(10))).code == 0
    run = marscore("run", "downloads.yaml", "--report-junit", "-", cwd=tmp_path)
    assert (run.code, cases(run.out)) == (0, {"a.bin": []})
