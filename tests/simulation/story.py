"""Tells what happens in a scenario, for people."""

from __future__ import annotations

from tests.simulation.play import play
from tests.simulation.scenario import Scenario


def told(scenario: Scenario) -> str:
    """Its files, its runs with their faults, every request, event and failing call, and what was wrong in the end."""
    outcome = play(scenario, tells=True)
    lines = [f"seed {scenario.seed}", *(f"  {file}" for file in scenario.files), *(f"  {run}" for run in scenario.runs)]
    return "\n".join([*lines, "", *outcome.story, "", *(f"WRONG: {line}" for line in outcome.wrong)])
