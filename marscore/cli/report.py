"""`marscore report`: a run that is over, shown."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from marscore.cli.exits import say, say_lines
from marscore.cli.verb import Verb
from marscore.destination import is_url
from marscore.errors import ManifestError, Problem

if TYPE_CHECKING:
    from marscore.report.model import Report


@click.command(cls=Verb)
@click.argument("source", metavar="REPORT")
@click.option("--html", "target", metavar="FILE", help="Write the run as a page, in one file that needs no network; - is standard output.")
@click.option("--format", "style", type=click.Choice(["table", "markdown"]), help="For a terminal (the default), or for a pull request.")
def report(source: str, target: str | None, style: Literal["table", "markdown"] | None) -> None:
    """Show the run that REPORT tells of: a report, the output folder of a run (a folder, or s3://BUCKET/PREFIX), or - for standard input.

    Exit code 0 means that it is shown, however the run ended.
    """
    if target is not None and style is not None:
        raise click.UsageError("--html writes a page and --format a text: give one of them")
    from marscore import reporting  # noqa: PLC0415 - pydantic, which --help has no use for

    with contextlib.ExitStack() as kept:
        place, text = (None, _stdin()) if source == "-" else reporting.report_at(reporting.brought(source, kept))
        _show(reporting.report_from(text, place, source if place is None or is_url(source) else str(place)), place, target, style)


def _show(told: Report, place: Path | None, target: str | None, style: Literal["table", "markdown"] | None) -> None:
    from marscore import reporting  # noqa: PLC0415 - as above

    if target is None:
        _write(told, style or "table")
    elif target == "-":
        say("".join(reporting.page_of(told)).rstrip("\n"))
    else:
        if place is not None and _is_same(Path(target), place):
            raise click.UsageError("--html names the report itself, which the page would replace")
        reporting.write_page(told, Path(target))


def _is_same(target: Path, place: Path) -> bool:
    try:
        return target.samefile(place)
    except OSError:
        # There is none yet, or there can be none.
        return False


def _write(told: Report, style: Literal["table", "markdown"]) -> None:
    from marscore.report.plain import markdown, table  # noqa: PLC0415 - with the report's model, which no other verb needs

    lines = markdown(told) if style == "markdown" else table(told)
    say_lines(lines)


def _stdin() -> str:
    try:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return sys.stdin.buffer.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError("-", (Problem("", f"cannot be read: {error}"),)) from error
