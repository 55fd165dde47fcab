"""Entries of a run: in memory while they are few, in a file without a name once they are many, and never lost."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from marscore.adapters.files.spool import FileSpool
from marscore.report.entries import Entries


def test_entries_come_back_by_number_wherever_they_are_kept(tmp_path: Path) -> None:
    spools: list[FileSpool] = []

    def make() -> FileSpool:
        spools.append(FileSpool(tmp_path))
        return spools[-1]

    entries = Entries(make, room=100_000)
    texts = {number: f"{number} " + "ä\ud800" * random.Random(number).randrange(1, 400) for number in range(0, 6_000, 2)}
    entries.grow(1_000)
    for number, text in texts.items():
        if number >= len(entries):
            entries.grow(1_000)
        assert not entries.has(number)
        entries.add(number, text)
        assert entries.has(number)
    assert len(spools) == 1
    assert not list(tmp_path.iterdir()), "it has no name"
    for number in random.Random(1).sample(range(6_000), 6_000):
        assert entries.get(number) == texts.get(number)


def test_few_entries_need_no_file() -> None:
    def make() -> FileSpool:
        raise AssertionError("not needed")

    entries = Entries(make)
    entries.grow(2)
    entries.add(1, "one")
    assert (entries.get(0), entries.get(1), len(entries)) == (None, "one", 2)


def test_a_disk_that_is_full_leaves_them_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, write, written = FileSpool(tmp_path), os.write, list[int]()

    def full(file: int, data: bytes) -> int:
        written.append(len(data))
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        # The last piece that the disk takes ends in the midst of a text.
        return write(file, bytes(data)[: 900_500 if len(written) == 2 else None])

    monkeypatch.setattr(os, "write", full)
    texts = [f"{number}:" + "x" * 997 for number in range(5_000)]
    places = [spool.write(text) for text in texts]
    monkeypatch.undo()
    assert len(written) == 3
    assert [spool.read(place) for place in places] == texts


def test_where_no_file_can_be_made_they_stay_in_memory(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "missing")
    texts = ["y" * 700_000 for _ in range(4)]
    assert [spool.read(place) for place in [spool.write(text) for text in texts]] == texts
