"""How a verb that ran something ends: the summary for a person, what stood in the way, the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marscore.cli.exits import complain, tell
from marscore.cli.summary import summary

if TYPE_CHECKING:
    from marscore.report.ended import Ended
    from marscore.settings import RunSettings


def end(context: click.Context, ended: Ended, settings: RunSettings) -> None:
    """Tell how it ended, and exit."""
    if settings.log_format != "json" and not (context.params.get("quiet") and ended.head.exit_code == 0):
        tell(summary(ended, None if settings.log_file is None else str(settings.log_file)))
    if ended.trouble is not None:
        complain(f"marscore: {ended.trouble.message}")
    if ended.hook is not None:
        complain(f"marscore: {ended.hook}")
    context.exit(ended.head.exit_code)
