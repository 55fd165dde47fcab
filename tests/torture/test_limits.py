"""A few limits on each `make test`; every one of them: `make torture`."""

from __future__ import annotations

import shutil

import pytest

from tests.origin import Origin
from tests.torture.limits import MIB, Limits, can_limit_processes


@pytest.mark.skipif(not can_limit_processes(), reason="needs the superuser, prlimit and setpriv")
def test_a_run_that_gets_few_threads_ends_with_a_report(origin: Origin) -> None:
    limits = Limits(origin)
    for most in (1, 2, 3, 6, 40):
        limits.processes(most)
    assert limits.wrong == []
    assert limits.whole >= 2


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit")
def test_a_run_that_gets_little_memory_ends_with_a_report_or_by_name(origin: Origin) -> None:
    limits = Limits(origin)
    for most in (60, 90, 200, 1200):
        limits.memory(most * MIB)
    assert limits.wrong == []
    assert limits.whole >= 1
