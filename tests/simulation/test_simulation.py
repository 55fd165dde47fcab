"""Some hundred seeds in every test run; `make simulate` plays many more."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import marscore
from tests.long import ALL
from tests.simulation.defects import DEFECTS
from tests.simulation.faults import FAULTS
from tests.simulation.play import play
from tests.simulation.scenario import draw
from tests.simulation.story import told

FIRST, SEEDS, SHARES = 1, 3000 if ALL else 300, 6
STORIES = 30 if ALL else 8
#: Seeds that showed a defect once, and what it was.
ONCE_WRONG: dict[int, str] = {}


@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_the_promises_hold(share: int) -> None:
    met: Counter[str] = Counter()
    for seed in range(FIRST + share, FIRST + SEEDS, SHARES):
        outcome = play(draw(seed))
        met += outcome.met
        assert not outcome.wrong, f"python -m tests.simulation --seeds 1 --from {seed} tells the story: {outcome.wrong}"
    assert met["exit 0"] > SEEDS // SHARES


def test_a_seed_is_the_same_story_each_time_in_every_process() -> None:
    def story(salt: str) -> str:
        stories = f"print(*map(told, map(draw, range({STORIES}))))"
        line = f"from tests.simulation.story import told; from tests.simulation.scenario import draw; {stories}"
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        root = Path(__file__).parents[2]
        return subprocess.run([sys.executable, "-c", line], cwd=root, env=environment, capture_output=True, text=True, check=True).stdout

    one = story("1")
    assert len(one) > 10_000
    assert one == story("2")


def test_every_fault_is_drawn_and_says_what_it_is() -> None:
    drawn = {type(fault) for seed in range(2000) for run in draw(seed).runs for fault in run.faults}
    assert drawn == set(FAULTS)
    assert all(kind.__doc__ for kind in FAULTS)


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_what_was_found_once_is_found_no_more(seed: int) -> None:
    assert not play(draw(seed)).wrong


def test_a_story_tells_of_requests_events_and_ends() -> None:
    story = told(draw(1))
    assert all(word in story for word in ("seed 1", "a run begins", "origin", "DownloadStarted", "it ended with"))


def test_every_defect_can_be_put_back() -> None:
    for defect in DEFECTS:
        for file, before, after in defect.changes:
            text = (Path(marscore.__file__).parent / file).read_text()
            assert text.count(before) == 1, (defect.name, file, before)
            ast.parse(text.replace(before, after))
