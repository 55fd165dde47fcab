"""What is hashed from memory and what is read back: the digest is the same, and memory goes back when it is done with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from marscore.adapters.files import Folder
from marscore.adapters.follower import STEP

PIECES = 6
CONTENT = b"".join(bytes([n]) * STEP for n in range(1, PIECES + 1)) + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ORDERS = {
    "in order": range(PIECES + 1),
    "backwards": range(PIECES, -1, -1),
    "two ends": (0, 3, 1, 4, 2, 5, 6),
}


@pytest.mark.parametrize("spare", [0, 1, 20])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("portable", [False, True])
def test_lent_memory_is_hashed_as_it_was_written_in_whatever_order(tmp_path: Path, spare: int, order: range, portable: bool) -> None:
    partial = Folder(tmp_path, portable).create("file")
    partial.follow(["sha256"], (), spare)
    for number in order:
        data = CONTENT[number * STEP : (number + 1) * STEP]
        memory = partial.lend(STEP)
        memory[: len(data)] = data
        partial.write_lent(number * STEP, memory[: len(data)])
    assert partial.digests(len(CONTENT), ["sha256"]) == {"sha256": SHA256}
    assert partial.read(0, len(CONTENT)) == CONTENT
    partial.discard()


def test_memory_is_lent_again_once_it_is_done_with(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    memory = partial.lend(STEP)
    partial.write_lent(0, memory[:10])
    again = partial.lend(STEP)
    assert again.obj is memory.obj
    assert len(again) == STEP
    partial.discard()


def test_what_is_written_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    partial = Folder(tmp_path).create("file")
    partial.follow(["sha256"], (), 2)
    partial.close()
    partial.write_lent(0, partial.lend(STEP))
    assert partial.digests(0, ["sha256"])
