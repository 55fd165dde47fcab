"""What is below a folder is found, each folder before what is in it, links as such, however deep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marscore.adapters.files.below import below


def test_folders_come_before_what_is_in_them_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("a", "b/d", "b/c/e"):
        (tmp_path / name).write_text("x")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    assert list(below(tmp_path)) == [("a", False), ("b", True), ("b/c", True), ("b/d", False), ("b/up", False), ("b/c/e", False)]


def test_it_is_found_a_thousand_folders_down(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    here = os.getcwd()  # noqa: PTH109 - gone back to
    deep.mkdir()
    try:
        os.chdir(deep)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102 - one below the other
            os.chdir("d")
    finally:
        os.chdir(here)
    found = list(below(deep))
    assert len(found) == 1200
    # What removes the folders of tests would call itself for each.
    for path, _ in reversed(found):
        (deep / path).rmdir()


def test_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    assert list(below(tmp_path / "gone", lambda path, error: told.append(path))) == []
    assert told == [""]
    with pytest.raises(FileNotFoundError):
        list(below(tmp_path / "gone"))
