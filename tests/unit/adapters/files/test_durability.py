"""Flushing tells the truth: True only where every file was there to be flushed. That bytes reach the platter is the system's word."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from marscore.adapters.files import durability

FEW, MANY = 3, durability._FEW + 1


def made(root: Path, count: int) -> list[str]:
    files = [f"{number % 3}/deep/{number}" for number in range(count)]
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"content")
    return files


@pytest.mark.parametrize("count", [0, 1, FEW, MANY])
def test_files_are_flushed_and_nothing_stays_open(tmp_path: Path, count: int) -> None:
    files = made(tmp_path, count)
    before = open_files()
    assert durability.flush(tmp_path, files)
    assert open_files() == before


def test_a_file_that_is_gone_cannot_be_said_to_be_flushed(tmp_path: Path) -> None:
    files = made(tmp_path, FEW)
    (tmp_path / files[1]).unlink()
    assert not durability.flush(tmp_path, files)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_a_folder_that_is_gone_is_no_error(tmp_path: Path, count: int) -> None:
    files = made(tmp_path / "output", count)
    (tmp_path / "output").rename(tmp_path / "moved")
    assert not durability.flush(tmp_path / "output", files)


def test_every_folder_on_the_way_is_flushed_once(tmp_path: Path) -> None:
    folders = durability._folders(tmp_path, ["a/b/1", "a/b/2", "a/c/3", "4"])
    assert sorted(folders) == sorted([tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "c"])


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform.startswith("linux") else 0  # noqa: PTH208 - no paths are needed
