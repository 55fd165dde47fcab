"""Makes a failing scenario smaller: fewer runs, files and faults, one process, as long as it still fails in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.play import Outcome, play
from tests.simulation.scenario import Run, Scenario

_PLAIN = Run()


def shrunk(outcome: Outcome, most: int = 300) -> Scenario:
    """The smallest scenario found that still fails, after so many tries at most."""
    smallest, tries, what = outcome.scenario, 0, _what(outcome)
    while True:
        for smaller in _smaller(smallest):
            tries += 1
            if tries > most:
                return smallest
            if _what(play(smaller)) == what:
                smallest = smaller
                break
        else:
            return smallest


def _what(outcome: Outcome) -> str:
    """What is wrong, without numbers and names: a smaller scenario has to fail in the same way."""
    said = outcome.wrong[0].rpartition("run: ")[2] if outcome.wrong else ""
    return re.sub("[^a-z ]", "", said.partition(": ")[2] or said)[:30]


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    runs, files = scenario.runs, scenario.files
    for at in range(len(runs)):
        yield replace(scenario, runs=runs[:at] + runs[at + 1 :])
    for at in range(len(files)) if len(files) > 1 else ():
        yield replace(scenario, files=files[:at] + files[at + 1 :])
    for at, run in enumerate(runs):
        for smaller in _smaller_runs(run):
            yield replace(scenario, runs=(*runs[:at], smaller, *runs[at + 1 :]))
    for at, file in enumerate(files):
        for change in (
            {"second": None},
            {"mirror": None},
            {"way": "direct"},
            {"secret": None},
            {"threads": 1},
            {"length": True},
            {"sized": False},
            {"conditions": True},
        ):
            if any(getattr(file, name) != value for name, value in change.items()):
                yield replace(scenario, files=(*files[:at], replace(file, **change), *files[at + 1 :]))


def _smaller_runs(run: Run) -> Iterator[Run]:
    for at in range(len(run.faults)):
        yield replace(run, faults=run.faults[:at] + run.faults[at + 1 :])
    for name in (
        "processes",
        "threads",
        "per_host",
        "max_rate",
        "buffer_size",
        "if_exists",
        "lateness",
        "idle",
        "unsummed",
        "fail_fast",
        "deadline",
        "total",
    ):
        if getattr(run, name) != getattr(_PLAIN, name):
            yield replace(run, **{name: getattr(_PLAIN, name)})
