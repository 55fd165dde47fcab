"""`--worker-logs`: what each worker tells, in a file of its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.command import Run, marscore
from tests.integration.test_slow_workers import BODIES, all_were_fetched_once, one_holds_up_others
from tests.origin import Origin

EVENTS = jsonschema.Draft202012Validator(json.loads((Path(__file__).parents[2] / "schemas" / "event.v1.schema.json").read_text()))


def told_by(logs: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in logs.iterdir()}


def each_told_its_own(run: Run, logs: Path, workers: int) -> None:
    """Every line is one of the log, and each file was finished by one worker."""
    told = told_by(logs)
    assert len(told) == workers
    assert all(name.startswith(f"{run.report['run_id']}-") for name in told)
    for lines in told.values():
        assert lines
        for line in lines:
            EVENTS.validate(line)
    finished = Counter(line["path"] for lines in told.values() for line in lines if line["event"] == "download_finished")
    assert finished == Counter(list(BODIES))


def test_each_process_has_a_log_of_its_own(origin: Origin, tmp_path: Path) -> None:
    run = marscore("run", one_holds_up_others(origin, tmp_path), "--worker-logs", "logs", cwd=tmp_path)
    all_were_fetched_once(origin, run)
    each_told_its_own(run, tmp_path / "logs", 2)


def test_a_folder_that_cannot_be_made_ends_the_run_before_it_begins(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = marscore("run", one_holds_up_others(origin, tmp_path), "--worker-logs", "file/logs", cwd=tmp_path)
    assert run.code == 3
    assert "cannot write the logs of the workers" in run.err
    assert origin.requests == []


@pytest.mark.parametrize(
    "place", ["data/0.bin", "data/0.bin/logs", "data/.marscore", "data/.marscore/state.db", "data/.marscore/x/y", "log"]
)
def test_a_folder_in_the_place_of_a_file_of_the_run_is_refused(place: str, origin: Origin, tmp_path: Path) -> None:
    manifest = one_holds_up_others(origin, tmp_path)
    run = marscore("run", manifest, "--log-file", "log", "--worker-logs", place, cwd=tmp_path)
    assert (run.code, "--worker-logs" in run.err, "no place for a folder of logs" in run.err) == (2, True, True), run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [manifest]
    assert origin.requests == []
