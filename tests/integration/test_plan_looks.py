"""`marscore plan` looks at the output folder and changes nothing there, whatever it finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.command import marscore, write
from tests.origin import Body, Origin


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["data", "w?# 100% data"])
@pytest.mark.parametrize("damage", [False, True])
def test_plan_changes_nothing_and_says_where_the_state_is_damaged(origin: Origin, tmp_path: Path, name: str, damage: bool) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(1000))], output_dir=name)
    assert marscore("run", manifest, cwd=tmp_path).code == 0
    if damage:
        (tmp_path / name / ".marscore" / "state.db").write_bytes(b"garbage")
    before = content(tmp_path)
    table = marscore("plan", manifest, cwd=tmp_path)
    planned = marscore("plan", manifest, "--format", "json", cwd=tmp_path)
    assert content(tmp_path) == before
    document = json.loads(planned.out)
    assert (table.code, planned.code) == (0, 0)
    assert document["downloads"][0]["action"] == ("fetch" if damage else "up_to_date")
    assert [("damaged" in warning) for warning in document["warnings"]] == [True] * damage
    for shown in (table.err, planned.err):
        assert ("warning: the state database is damaged" in shown) is damage


def test_plan_without_an_output_folder_makes_none(origin: Origin, tmp_path: Path) -> None:
    assert marscore("plan", write(tmp_path, [origin.serve("/a.bin", Body(10))]), cwd=tmp_path).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["downloads.yaml"]
    assert not origin.requests


def test_plan_on_a_folder_in_the_databases_place_is_3(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(10))])
    (tmp_path / "data" / ".marscore" / "state.db").mkdir(parents=True)
    run = marscore("plan", manifest, cwd=tmp_path)
    assert run.code == 3
    assert run.err.startswith("marscore: cannot read the state database: ")
