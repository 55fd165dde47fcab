"""Folders in which the state says of a file what is true of another one."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from tests.disk import wrong_in
from tests.integration.command import fetch, marscore
from tests.origin import Body, Origin
from tests.state_database import make_earlier, stored_key

LARGE, SMALL = Body(5 * 1024 * 1024), Body(2000, seed=2)


def confuse(folder: Path, path: str, format_1: bool) -> None:
    """Give the file another's content, with a claim that knows the new size, time and inode, and the digest that was verified before."""
    file = folder / path
    file.write_bytes(SMALL.read(0, SMALL.size))
    status = file.stat()
    with contextlib.closing(sqlite3.connect(folder / ".marscore" / "state.db")) as database, database:
        database.execute(
            "UPDATE files SET size = ?, mtime_ns = ?, inode = ? WHERE path_key = ?",
            (status.st_size, status.st_mtime_ns, str(status.st_ino), stored_key(path)),
        )
    if format_1:
        make_earlier(folder / ".marscore" / "state.db", 1)


@pytest.mark.parametrize("format_1", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_a_file_whose_claim_is_of_another_is_fetched_again(origin: Origin, tmp_path: Path, checksum: bool, format_1: bool) -> None:
    url = origin.serve("/large.bin", LARGE)
    download = {"url": url, **({"checksum": f"sha256:{LARGE.sha256}"} if checksum else {})}
    assert fetch(tmp_path, download).code == 0
    confuse(tmp_path / "data", "large.bin", format_1)
    plan = marscore("plan", "downloads.yaml", "--format", "json", cwd=tmp_path)
    assert "up_to_date" not in [entry["action"] for entry in json.loads(plan.out)["downloads"]]
    again = fetch(tmp_path, download)
    assert (again.code, again.entry()["status"]) == (0, "downloaded")
    assert wrong_in(tmp_path / "data", {"large.bin": LARGE}) == []
    assert fetch(tmp_path, download).entry()["status"] == "up_to_date"
