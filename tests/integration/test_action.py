"""The steps of action.yml do in bash what the action promises. What GitHub does itself (expressions, the cache) is done by hand here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.origin import Body, Origin

ROOT = Path(__file__).parents[2]
STEPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the action's steps are bash")


def _step(name: str, folder: Path, given: dict[str, str]) -> tuple[int, dict[str, str], str]:
    """Run a step's script as the runner does; its exit code, outputs and what it printed."""
    (text,) = [step["run"] for step in STEPS if step.get("id") == name]
    outputs = folder / f"{name}.outputs"
    runner = {"RUNNER_TEMP": str(folder), "GITHUB_OUTPUT": str(outputs), "GITHUB_WORKSPACE": str(folder), "GITHUB_ACTIONS": "true"}
    files = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **runner, **files, **given}, capture_output=True, text=True, check=False)
    said = outputs.read_text().splitlines() if outputs.exists() else []
    return done.returncode, dict(line.split("=", 1) for line in said), done.stdout + done.stderr


def test_a_manifest_is_run_with_its_options_from_the_cache_and_with_a_report(tmp_path: Path) -> None:
    with Origin() as origin:
        url = origin.serve("/a.bin", Body(1000))
        origin.serve("/b.bin", Body(1000))
        text = f"version: 1\noutput_dir: data\ndownloads:\n  - {{url: '{url}', tags: ['of ci']}}\n  - {origin.url('/b.bin')}\n"
        (tmp_path / "downloads.yaml").write_text(text)
        given = {"BIN": str(Path(sys.executable).parent), "MANIFEST": "downloads.yaml", "ARGS": "--only 'of ci'", "CACHE": "true"}
        code, outputs, printed = _step("run", tmp_path, given)
    assert code == 0, printed
    assert Path(outputs["report"]).exists()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".marscore", "a.bin"]
    assert list((tmp_path / "marscore-cache").rglob("sha256/*/*"))
    assert "a.bin" in (tmp_path / "summary.md").read_text()


def test_arguments_are_split_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text("version: 1\noutput_dir: data\ndownloads: []\n")
    given = {"BIN": str(Path(sys.executable).parent), "MANIFEST": "downloads.yaml", "CACHE": "false"}
    code, _, _ = _step("run", tmp_path, given | {"ARGS": "--only $(touch$IFS'run') ; touch run"})
    assert code == 2
    assert not (tmp_path / "run").exists()


def test_no_arguments_are_none_and_a_quote_that_is_not_closed_ends_the_step(tmp_path: Path) -> None:
    with Origin() as origin:
        (tmp_path / "downloads.yaml").write_text(f"version: 1\noutput_dir: data\ndownloads:\n  - {origin.serve('/a.bin', Body(10))}\n")
        given = {"BIN": str(Path(sys.executable).parent), "MANIFEST": "downloads.yaml", "CACHE": "false"}
        code, _, printed = _step("run", tmp_path, given | {"ARGS": ""})
        assert code == 0, printed
        code, _, printed = _step("run", tmp_path, given | {"ARGS": "--only 'a.bin"})
    assert code != 0
    assert "quote" in printed


def test_the_cache_goes_by_the_lock_and_without_one_by_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text("version: 1\n")
    _, first, _ = _step("lock", tmp_path, {"MANIFEST": "downloads.yaml"})
    (tmp_path / "downloads.lock").write_text("{}")
    _, second, _ = _step("lock", tmp_path, {"MANIFEST": "downloads.yaml"})
    assert len(first["key"]) == len(second["key"]) == 64
    assert first != second
