"""How a verb that ran something ends: what a CI is told, the summary for a person, what stood in the way, the exit code.

The report is written by then. So whatever is told here, or not for want of memory, the exit code is the one that the report names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marscore.adapters.terminal.scarcity import is_scarcity, tell_of_scarcity
from marscore.cli.exits import complain, tell
from marscore.cli.summary import summary

if TYPE_CHECKING:
    from marscore.cli.github import Github
    from marscore.report.ended import Ended
    from marscore.settings import ManifestInput, RunSettings


def end(context: click.Context, ended: Ended, settings: RunSettings, source: ManifestInput, github: Github) -> None:
    """Tell how it ended, and exit."""
    try:
        github.ended(ended, source)
        _tell(context, ended, settings)
    except (MemoryError, ImportError) as error:
        if not is_scarcity(error):
            raise
        tell_of_scarcity()
    context.exit(ended.head.exit_code)


def _tell(context: click.Context, ended: Ended, settings: RunSettings) -> None:
    if settings.log_format != "json" and not (context.params.get("quiet") and ended.head.exit_code == 0):
        tell(summary(ended, None if settings.log_file is None else str(settings.log_file)))
    if ended.trouble is not None:
        complain(f"marscore: {ended.trouble.message}")
    if ended.hook is not None:
        complain(f"marscore: {ended.hook}")
