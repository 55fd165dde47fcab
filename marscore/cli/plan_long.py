"""A plan of long lists, printed while it is made: a table of the first downloads with the counts of all, or JSON with all of them.

{what is known before, "downloads": [...], what is known behind}        the same keys as those of a shorter plan, in another order
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from marscore.adapters.terminal.runner import disarmed
from marscore.cli.exits import complain, say, say_json_part
from marscore.cli.plan_table import plan_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marscore.long_plan import LongPlan
    from marscore.planning.document import PlannedDownload

#: So many downloads are in the table: nobody reads a million lines.
SHOWN = 100
#: What is known once all downloads are.
_BEHIND = {"processes", "warnings", "totals"}


def show(plan: LongPlan, style: Literal["table", "json"]) -> int:
    """Print it; returns how many downloads are to be done."""
    if style == "json":
        _say_json(plan)
    else:
        first: list[PlannedDownload] = []
        for downloads in plan.downloads():
            first += downloads[: SHOWN - len(first)]
        document = plan.document(first)
        for warning in document.warnings:
            complain(f"warning: {warning}")
        say(disarmed(plan_table(document, plan.tally.actions)))
    return plan.tally.totals().to_do


def _say_json(plan: LongPlan) -> None:
    before = plan.document().model_dump(mode="json", exclude={*_BEHIND, "downloads"})
    between = f'{_dumped(before)[:-2]},\n  "downloads": ['
    for downloads in plan.downloads():
        # What keeps all of them from being looked at, keeps anything from being printed.
        if downloads:
            say_json_part(between + _items(downloads))
            between = ","
    document = plan.document()
    for warning in document.warnings:
        complain(f"warning: {warning}")
    say_json_part(f"{'' if between == ',' else between}\n  ],\n{_dumped(document.model_dump(mode='json', include=_BEHIND))[2:]}\n")


def _items(downloads: Sequence[PlannedDownload]) -> str:
    from pydantic_core import to_json  # noqa: PLC0415 - as for the plan's own models

    # A list within an object has two columns more; a text has no line breaks of its own.
    return to_json(downloads, indent=2).decode()[1:-2].replace("\n", "\n  ")


def _dumped(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
