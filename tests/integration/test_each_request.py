"""`-vv`: each request with its status and times, and nothing secret; one `-v` has none of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import ended
from tests.origin import Body, Origin, Status

SMALL = Body(20_000, seed=5)
LARGE = Body(6 * 1024 * 1024, seed=6)
SECRET = "s3cret-of-nobody"


def told(origin: Origin, folder: Path, *options: str) -> list[dict[str, Any]]:
    """The lines of the log of a run of four downloads, one of which fails."""
    origin.serve("/small.bin", SMALL)
    origin.serve("/large.bin", LARGE)
    origin.script("/gone.bin", [Status(503), Status(404)])
    manifest = f"""
version: 1
defaults: {{headers: {{Authorization: "Bearer ${{TOKEN}}"}}, retry: {{backoff: {{initial: 1ms}}}}}}
downloads:
  - {origin.url("/small.bin")}?token={SECRET}
  - {{url: "{origin.url("/large.bin")}", threads: 3}}
  - {origin.url("/gone.bin")}
"""
    (folder / "downloads.yaml").write_text(manifest)
    done = ended("run", "downloads.yaml", "--log-format", "json", *options, cwd=folder, env={"TOKEN": SECRET})
    assert done.returncode == 1
    assert SECRET not in done.stderr.decode()
    return [json.loads(line) for line in done.stderr.decode().splitlines()]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_each_request_is_told(origin: Origin, tmp_path: Path, processes: str) -> None:
    lines = told(origin, tmp_path, "-vv", "--processes", processes)
    made = [line for line in lines if line["event"] == "request_finished"]
    of = {path: [line for line in made if line["path"] == path] for path in ("small.bin", "large.bin", "gone.bin")}
    assert [(line["status"], line["offset"], line["length"]) for line in of["small.bin"]] == [(200, 0, SMALL.size)]
    assert sum(line["length"] for line in of["large.bin"]) == LARGE.size
    assert [(line["status"], line.get("failure")) for line in of["gone.bin"]] == [(503, "server_error"), (404, "http_status")]
    assert all(line["level"] == "debug" and 0 <= line["first_byte_s"] <= line["duration_s"] + 0.001 for line in made)
    assert of["small.bin"][0]["url"].endswith("/small.bin?token=***")


def test_a_request_stands_before_what_comes_of_it(origin: Origin, tmp_path: Path) -> None:
    lines = [line["event"] for line in told(origin, tmp_path, "-vv") if line.get("path") == "gone.bin"]
    assert lines == ["download_started", "request_finished", "retry_scheduled", "request_finished", "download_failed"]


def test_one_v_has_none(origin: Origin, tmp_path: Path) -> None:
    assert "request_finished" not in {line["event"] for line in told(origin, tmp_path, "-v")}
