"""What is left to `make test-slow` is there: under another name it would be in `make test` again, which would take longer, untold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long import SLOW

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("beginning", SLOW)
def test_each_beginning_of_a_name_is_that_of_a_test(beginning: str) -> None:
    path, _, name = beginning.partition("::")
    files = [file for file in ROOT.glob("tests/**/test_*.py") if file.relative_to(ROOT).as_posix().startswith(path)]
    assert files
    assert not name or any(f"def {name}" in file.read_text() for file in files)
