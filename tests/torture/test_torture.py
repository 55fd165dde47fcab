"""A little of the torture on each `make test`: a few kills, a few mixed runs."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.origin import Body, Origin
from tests.servers import Nginx
from tests.torture.killing import KIB, MIB, Killing
from tests.torture.mixing import Mixing

FEW = {f"large-{n}.bin": Body((9 + 7 * n) * MIB, seed=n) for n in range(2)}
MANY = {f"small-{n}.bin": Body(n * 3 * KIB, seed=n) for n in range(100)}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is in socket buffers is told by /proc, which Linux has")
@pytest.mark.parametrize(("bodies", "rate", "processes"), [(FEW, 3 * MIB, 4), (MANY, MIB, 1)], ids=["few large", "many small"])
def test_kill_9_loses_no_file_and_at_most_a_piece_for_each_connection(
    origin: Origin, tmp_path: Path, bodies: dict[str, Body], rate: int, processes: int
) -> None:
    killing = Killing(origin, random.Random(4))
    killing.round(tmp_path / "round", bodies, rate, processes, most_kills=4)
    assert killing.figures.kills >= 2
    assert killing.figures.wrong == []
    assert killing.figures.over <= 0


@pytest.mark.parametrize("lane", ["auto", "requests"])
@pytest.mark.parametrize("processes", [1, 2])
def test_files_of_all_sizes_fetched_at_once_hold_their_own_bytes(web: Nginx, tmp_path: Path, lane: str, processes: int) -> None:
    mixing = Mixing(web, random.Random(9))
    for number in range(4):
        mixing.run(tmp_path / str(number), lane=lane, processes=processes, threads=(1, 3, 8, 16)[number])
    assert mixing.figures.wrong == []
