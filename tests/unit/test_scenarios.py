"""The table of scenarios names tests that exist, and each row of the faults stands in it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration import test_faults

TESTS = Path(__file__).parents[1]
TABLES = [line for line in (TESTS / "SCENARIOS.md").read_text().splitlines() if line.startswith("|")]
NAMED = [name for line in TABLES for name in re.findall(r"`([^`\s]+)`", line.split("|")[-2])]
ROWS = {
    str(row.id)
    for table in (test_faults.RANGES, test_faults.VERSIONS, test_faults.BODIES, test_faults.HEADS, test_faults.WAITS, test_faults.REDIRECTS)
    for row in table
}


def test_each_row_of_the_faults_is_a_scenario_and_each_named_row_exists() -> None:
    assert {name for name in NAMED if "/" not in name and "::" not in name} == ROWS


def test_each_named_test_exists() -> None:
    missing, file = [], ""
    for name in NAMED:
        if name in ROWS:
            continue
        path, _, test = name.partition("::")
        file = path or ("integration/test_faults.py" if name in _of_faults() else file)
        if not (TESTS / file).exists() or not re.search(rf"def {test}\b", (TESTS / file).read_text()):
            missing.append(name)
    assert missing == []


def _of_faults() -> set[str]:
    return {"::" + name for name in dir(test_faults) if name.startswith("test_")}
