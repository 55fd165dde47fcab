"""What takes all downloads of a long list at once says so, and how much memory that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marscore.job import prepare
from marscore.lockfile.text import write_lock
from marscore.resolve import streamed, suspicious
from marscore.settings import ManifestInput, RunSettings
from tests.integration.command import write

ROWS = 60


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspicious, "MANY", 50)
    monkeypatch.setattr(suspicious, "BYTES_HELD", 10**6)
    monkeypatch.setattr(streamed, "MOST", 20)


def told(folder: Path, entry: dict[str, Any], settings: RunSettings, **more: Any) -> list[str]:
    (folder / "rows.csv").write_text("link,name\n" + "".join(f"https://example.com/{n}.zip,{n}.zip\n" for n in range(ROWS)))
    write(folder, [{"from": "rows.csv", "url": "link", "path": "{name}", **entry}], **more)
    source = folder / "downloads.yaml"
    job = prepare(ManifestInput(text=source.read_text(), source=str(source), folder=folder), settings, lists="streamed")
    assert (job.rows is None) == bool(job.suspicions)
    return [problem.message for problem in job.suspicions]


@pytest.mark.parametrize(
    ("entry", "settings", "what"),
    [
        ({}, RunSettings(only=("1.zip",)), "--only"),
        ({"unpack": True}, RunSettings(), "unpack"),
        ({"checksum": {"from": "SHA256SUMS"}}, RunSettings(), "a list of checksums (checksum: {from})"),
    ],
)
def test_what_takes_all_at_once_is_told_with_the_memory_it_takes(
    tmp_path: Path, entry: dict[str, Any], settings: RunSettings, what: str
) -> None:
    message = f"all 60 downloads are held at once, in some 60 MB of memory: {what} needs that; else rows are read while the run goes on"
    assert told(tmp_path, entry, settings) == [message]


def test_a_lock_takes_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "downloads.lock").write_text("".join(write_lock(())))
    assert [message.partition(": ")[2].partition(";")[0] for message in told(tmp_path, {}, RunSettings())] == ["the lock needs that"]


def test_nothing_is_told_of_a_list_that_is_read_while_the_run_goes_on(tmp_path: Path) -> None:
    assert told(tmp_path, {}, RunSettings()) == []
