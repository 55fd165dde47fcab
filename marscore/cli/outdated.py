"""`marscore outdated`: what has changed on the servers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import click

from marscore.adapters.terminal.streams import printable
from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import say_json, say_lines
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.options import outdated_options
from marscore.cli.summary import counted
from marscore.cli.verb import Verb

if TYPE_CHECKING:
    from marscore.asking import Asked
    from marscore.report.outdated import OutdatedDocument
    from marscore.resolve.outdated import Looked, Status

_STATUSES: tuple[Status, ...] = ("current", "changed", "gone", "unknown", "failed")
_STATUS_BY_EXIT: dict[int, Literal["current", "outdated", "unknown"]] = {0: "current", 1: "outdated", 3: "unknown"}
#: Columns of a terminal, and of them those for the path.
_WIDE, _PATH = 80, 36


@click.command(cls=Verb)
@click.argument("manifest", shell_complete=files)
@outdated_options
@click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="For people or for programs."
)
@click.pass_context
def outdated(context: click.Context, /, manifest: str, style: Literal["table", "json"], **options: Any) -> None:
    """Ask the servers what has changed there since the files of MANIFEST were locked, or else fetched. Nothing is downloaded.

    What is current is only counted. Exit code 0 means that nothing changed, 1 that something did, 3 that of no file it could be said.
    """
    asked = engine(context).outdated(read_manifest(manifest), settings_of(options))
    if style == "json":
        say_json(_document(asked).model_dump_json(indent=2))
    else:
        say_lines(_table(asked))
    context.exit(asked.exit_code)


def _table(asked: Asked) -> list[str]:
    rows = [each for each in asked.files if each.standing.status != "current"]
    lines = [line for each in rows for line in _lines(each)]
    counts = Counter(each.standing.status for each in asked.files)
    parts = ", ".join(f"{counts[status]} {status}" for status in _STATUSES if counts[status] or status == "changed")
    heading = [f"{'STATUS':<9}{'PATH':<{_PATH}}  WHY"] if rows else []
    return [*heading, *lines, f"{counted(len(asked.files), 'file', 'files')}: {parts}"]


def _lines(looked: Looked) -> list[str]:
    """The line of a file; what does not fit into it stands in lines below, so that no line is wider than a terminal."""
    path, why = printable(looked.download.path), printable(looked.standing.reason)
    lead = f"{looked.standing.status:<9}{path:<{_PATH}}  "
    if len(lead) + len(why) <= _WIDE:
        return [lead + why]
    room = _WIDE - 11
    words, below = why.split(" "), [""]
    for word in words:
        if below[-1] and len(below[-1]) + 1 + len(word) > room:
            below.append("")
        below[-1] = f"{below[-1]} {word}".lstrip()
    return [lead.rstrip(), *(f"{'':<11}{line}" for line in below)]


def _document(asked: Asked) -> OutdatedDocument:
    from marscore.report.outdated import document  # noqa: PLC0415 - pydantic, for who asks for JSON

    return document(asked.source, _STATUS_BY_EXIT[asked.exit_code], asked.files, asked.urls)
