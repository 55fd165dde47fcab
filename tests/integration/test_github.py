"""What GitHub Actions is told of a run: annotations at lines of the manifest, and the summary of its step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.command import LIMIT_S, Run, marscore, started, write
from tests.integration.test_interrupt_and_resume import BIG, HELD, MIB, bytes_in, wait_until
from tests.origin import Body, Origin, Status


def variables_of(folder: Path) -> dict[str, str]:
    return {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def on_github(folder: Path, *arguments: str, **more: str) -> Run:
    return marscore(*arguments, cwd=folder, env={**variables_of(folder), **more})


def annotations(run: Run) -> list[str]:
    return [line for line in run.err.splitlines() if line.startswith("::")]


def summary(folder: Path) -> str:
    return (folder / "summary.md").read_text() if (folder / "summary.md").exists() else ""


@pytest.fixture
def manifest(origin: Origin, tmp_path: Path) -> str:
    lines = [
        "version: 1",
        "output_dir: data",
        "downloads:",
        f"  - {origin.serve('/ok.bin', Body(1000))}",
        f"  - url: {origin.script('/gone.bin', [Status(404)])}?token=hidden",
        "    path: gone,100%.bin",
        f"  - url: {origin.script('/shard-1.bin', [Status(403)]).replace('-1', '-{i}')}",
        "    each: {i: [1]}",
    ]
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "downloads.yaml").write_text("\n".join(lines))
    return "ci/downloads.yaml"


def test_failures_stand_at_their_lines_and_in_the_summary(tmp_path: Path, manifest: str) -> None:
    run = on_github(tmp_path, "run", manifest)
    assert (run.code, run.out) == (1, "")
    gone, shard = annotations(run)
    assert gone.startswith("::error file=ci/downloads.yaml,line=5,title=gone%2C100%25.bin failed%3A http_status::the server answered 404")
    assert shard.startswith("::error file=ci/downloads.yaml,line=7,title=shard-1.bin failed%3A http_status::")
    assert "%0ATo do: check" in gone
    text = summary(tmp_path)
    assert "### marscore: 1 of 3 downloads in place" in text
    assert "| `gone,100%.bin`<br>" in text
    assert "hidden" not in run.err + text


@pytest.mark.parametrize(
    ("argv", "variables", "told", "summed"),
    [
        ([], {"GITHUB_ACTIONS": ""}, False, False),
        (["--github"], {"GITHUB_ACTIONS": ""}, True, True),
        (["--no-github"], {}, False, False),
        (["--log-format", "json"], {}, False, True),
        (["--log-format", "json", "--github"], {}, True, True),
        ([], {"GITHUB_STEP_SUMMARY": ""}, True, False),
    ],
    ids=["elsewhere", "asked for", "not wanted", "JSON lines alone", "both", "no summary"],
)
def test_who_is_told(tmp_path: Path, manifest: str, argv: list[str], variables: dict[str, str], told: bool, summed: bool) -> None:
    run = on_github(tmp_path, "run", manifest, *argv, **variables)
    assert (run.code, bool(annotations(run)), bool(summary(tmp_path))) == (1, told, summed)


def test_a_manifest_that_is_wrong_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text("version: 1\ndownloads:\n  - url: ftp://e.com/a\n")
    run = on_github(tmp_path, "run", "downloads.yaml")
    assert run.code == 2
    assert annotations(run)[0].startswith("::error file=downloads.yaml,line=3,col=10,title=downloads[0].url::")
    assert "### marscore: nothing was started" in summary(tmp_path)
    missing = on_github(tmp_path, "run", "none.yaml")
    assert missing.code == 2
    assert annotations(missing)[0].startswith("::error title=marscore::none.yaml: ")


def test_a_job_that_is_cancelled_is_told_that_its_bytes_are_kept(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/big.bin", BIG, [HELD])])
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = started("run", manifest, "--report-junit", "junit.xml", cwd=tmp_path, env=variables_of(tmp_path), **streams, text=True)
    wait_until(lambda: bytes_in(tmp_path / "data" / ".marscore" / "partial") >= 20 * MIB, "bytes on disk")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    (told,) = (line for line in err.splitlines() if line.startswith("::"))
    assert told.startswith("::warning file=downloads.yaml,title=1 download was interrupted::To do: run the same command again")
    assert "0 of 1 downloads in place, interrupted" in summary(tmp_path)
    assert '<error type="interrupted"' in (tmp_path / "junit.xml").read_text()


def test_a_warning_about_a_download_stands_at_its_line(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads:\n- {origin.serve('/a.bin', Body(10))}\n")
    (tmp_path / "downloads.lock").write_text(json.dumps({"schema": "marscore/lock/v1", "downloads": []}))
    run = on_github(tmp_path, "run", "downloads.yaml")
    assert run.code == 0
    assert annotations(run)[0].startswith("::warning file=downloads.yaml,line=4,title=marscore::the lock does not name this download")


def test_a_machine_in_the_way_is_told_too(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "ci" / "data").write_text("a file")
    run = on_github(tmp_path, "run", manifest)
    assert run.code == 3
    assert annotations(run)[0].startswith("::error title=marscore::cannot make the output folder")
    assert "the run could not begin" in summary(tmp_path)


def test_get_has_annotations_without_a_file(origin: Origin, tmp_path: Path) -> None:
    run = on_github(tmp_path, "get", origin.script("/gone.bin", [Status(404)]))
    assert run.code == 1
    assert annotations(run)[0].startswith("::error title=gone.bin failed%3A http_status::")


def test_the_summary_is_appended_to_and_never_larger_than_github_takes(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "summary.md").write_text("before\n")
    assert on_github(tmp_path, "run", manifest).code == 1
    assert summary(tmp_path).startswith("before\n\n### marscore: ")
    (tmp_path / "summary.md").write_text("x" * (1024 * 1024 - 300))
    assert on_github(tmp_path, "run", manifest).code == 1
    assert (tmp_path / "summary.md").stat().st_size <= 1024 * 1024


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_summary_that_cannot_be_written_changes_no_exit_code_and_is_not_waited_for(tmp_path: Path, manifest: str) -> None:
    os.mkfifo(tmp_path / "summary.md")
    run = on_github(tmp_path, "run", manifest)
    assert run.code == 1
    assert "marscore: cannot write the job's summary: it is no regular file" in run.err.splitlines()
    elsewhere = on_github(tmp_path, "run", manifest, GITHUB_STEP_SUMMARY=str(tmp_path / "no" / "folder"))
    assert elsewhere.code == 1
    assert "marscore: cannot write the job's summary: No such file or directory" in elsewhere.err.splitlines()


def test_a_manifest_outside_of_the_workspace_or_behind_a_link(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "ci").rename(tmp_path / "real" / "ci")
    linked = on_github(tmp_path, "run", "link/ci/downloads.yaml")
    assert annotations(linked)[0].startswith("::error file=link/ci/downloads.yaml,line=5,")
    real = on_github(tmp_path, "run", "real/ci/downloads.yaml", GITHUB_WORKSPACE=str(tmp_path / "link"))
    assert annotations(real)[0].startswith("::error file=ci/downloads.yaml,line=5,")
    outside = on_github(tmp_path, "run", "real/ci/downloads.yaml", GITHUB_WORKSPACE="/elsewhere")
    assert annotations(outside)[0].startswith(f"::error file={tmp_path}/real/ci/downloads.yaml,line=5,")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_servers_words_are_no_commands_to_the_runner(origin: Origin, tmp_path: Path, log_format: str) -> None:
    evil = "##[stop-commands]x"
    url = origin.serve("/a.bin", Body(10, etag=f'"{evil}"'))
    (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads:\n- {url}\n")
    run = on_github(tmp_path, "run", "downloads.yaml", "--log-format", log_format, "--log-file", "log.jsonl")
    assert run.code == 0
    assert "##[" not in run.err
    assert evil in (tmp_path / "log.jsonl").read_text(), "who reads the file is no runner"
    if log_format == "json":
        assert run.events("download_finished")[0]["etag"] == f'"{evil}"'
    elsewhere = marscore("run", "downloads.yaml", "--output-dir", "other", cwd=tmp_path)
    assert evil in elsewhere.err


@pytest.mark.parametrize("option", ["--report", "--log-file", "--report-junit"])
def test_nor_are_they_on_standard_output(origin: Origin, tmp_path: Path, option: str) -> None:
    evil = "##[stop-commands]x"
    write(tmp_path, [{"url": origin.serve("/a.bin", Body(10, etag=f'"{evil}"')), "path": evil}])
    run = on_github(tmp_path, "run", "downloads.yaml", option, "-")
    assert run.code == 0
    assert "stop-commands" in run.out
    assert "##[" not in run.out + run.err
    if option == "--report":
        assert json.loads(run.out)["downloads"][0]["etag"] == f'"{evil}"'
