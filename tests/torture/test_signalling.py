"""A signal while a worker in a process of its own is in the middle of something; every point of a run: `make torture`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.torture.signalling import SWEEP
from tests.torture.trial import Figures, Sweep


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes that are left are found in /proc, which Linux has")
def test_a_signal_while_a_worker_verifies_is_in_code_and_report(tmp_path: Path) -> None:
    figures = Figures()
    Sweep([("verifying", signal.SIGTERM, 2)], SWEEP.trial).carry_out(tmp_path / "0", 0, 0, figures)
    assert figures.wrong == []
    assert figures.counts["ended with 143"] == 1
