"""How many processes there are for what."""

from __future__ import annotations

import pytest

from marscore.manifest import PlainExecution
from marscore.planning.model import looking_processes


@pytest.mark.parametrize(
    ("processes", "cores", "looking"),
    [("auto", 1, 0), ("auto", 2, 2), ("auto", 4, 4), ("auto", 64, 4), (1, 64, 0), (2, 64, 2), (16, 2, 2), (16, 64, 4), (3, 1, 0)],
)
def test_no_more_look_than_there_are_cores_nor_than_are_wanted(processes, cores, looking):
    assert looking_processes(PlainExecution(processes=processes), cores) == looking
