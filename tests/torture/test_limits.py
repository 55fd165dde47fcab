"""A few limits on each `make test`; every one of them: `make torture`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.torture.limits import SWEEPS, missing_prlimit, missing_user
from tests.torture.trial import MIB, Figures, Sweep


def sweep(name: str, *rows: int) -> Figures:
    figures = Figures()
    few = Sweep(rows, SWEEPS[name].trial)
    # Not in pytest's own folder, which no other user is let into.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        for number in few.drawn(None):
            few.carry_out(Path(folder) / str(number), number, 0, figures)
    return figures


@pytest.mark.skipif(bool(missing_user()), reason=str(missing_user()))
def test_a_run_that_gets_few_threads_ends_with_a_report() -> None:
    figures = sweep("threads", 1, 6)
    assert figures.wrong == []
    assert figures.counts["ended with 0"] >= 1


@pytest.mark.skipif(bool(missing_prlimit()), reason=str(missing_prlimit()))
def test_a_run_that_gets_little_memory_ends_with_a_report_or_by_name() -> None:
    figures = sweep("memory", 60 * MIB, 120 * MIB)
    assert figures.wrong == []
    assert figures.counts["ended with 3"] >= 1


@pytest.mark.skipif(bool(missing_prlimit()), reason=str(missing_prlimit()))
def test_a_run_that_gets_no_file_to_load_its_client_from_ends_by_name() -> None:
    assert sweep("open files", 8).wrong == []
