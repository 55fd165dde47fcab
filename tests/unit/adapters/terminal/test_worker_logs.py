"""A log of its own for each worker: where lines go, and what happens where they cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from marscore.adapters.terminal.worker_logs import WorkerLogs, folder_for
from marscore.errors import StorageError


def test_lines_go_to_the_file_of_who_told_them_and_those_of_the_run_to_none(tmp_path: Path) -> None:
    logs = WorkerLogs(folder_for(tmp_path / "new" / "logs"), "abc")
    for worker, lines in [("0", "a\n"), ("1-tcp://10.0.0.7:80/../x", "b\n"), (None, "c\n"), ("0", "d\n")]:
        with logs.of(worker):
            assert logs.write(lines)
    assert logs.write("e\n")
    logs.close()
    written = {path.name: path.read_text() for path in (tmp_path / "new" / "logs").iterdir()}
    assert written == {"abc-0.jsonl": "a\nd\n", "abc-1-tcp-10.0.0.7-80-..-x.jsonl": "b\n"}
    assert logs.lost is None


@pytest.mark.parametrize("there", ["file", "link"])
def test_nothing_that_is_there_is_written_to(there: str, tmp_path: Path) -> None:
    other, mine = tmp_path / "other", tmp_path / "abc-0.jsonl"
    other.write_text("whole")
    mine.symlink_to(other) if there == "link" else mine.write_text("whole")
    logs = WorkerLogs(tmp_path, "abc")
    with logs.of("0"):
        logs.write("a\n")
    assert logs.lost is not None
    assert "cannot write the logs of the workers" in logs.lost.message
    assert mine.read_text() == other.read_text() == "whole"


def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write the logs of the workers"):
        folder_for(tmp_path / "file" / "logs")
