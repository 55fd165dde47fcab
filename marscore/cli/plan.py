"""`marscore plan`: what a run would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import click

from marscore.adapters.terminal.runner import disarmed
from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, leave, say, say_json
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.options import plan_options
from marscore.cli.verb import Verb
from marscore.errors import ManifestError

if TYPE_CHECKING:
    from marscore.long_plan import LongPlan
    from marscore.planning.document import PlanDocument

_DETAILED = "--detailed-exitcode"
#: Where 2 says that something is to be done, 1 says that manifest or command line are wrong.
_WRONG, _TO_DO = 1, 2


class _Plan(Verb):
    """A verb whose option gives exit code 2 another meaning, so that a wrong command line gets one of its own."""

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        detailed = _DETAILED in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _own_code(error, detailed) from None

    def invoke(self, ctx: click.Context) -> Any:
        detailed = bool(ctx.params.get("detailed"))
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _own_code(error, detailed) from None
        except ManifestError as error:
            if not detailed:
                raise
            leave(_WRONG, str(error))


def _own_code(error: click.UsageError, detailed: bool) -> click.UsageError:
    if detailed:
        error.exit_code = _WRONG  # type: ignore[misc]  # click's is one of the class, and reads it of the error
    return error


@click.command(cls=_Plan)
@click.argument("manifest", shell_complete=files)
@plan_options
@click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="For people or for programs."
)
@click.option(
    _DETAILED,
    "detailed",
    is_flag=True,
    help="Exit with 0 where nothing is to be done, 2 where something is, 1 where the manifest or the command line is wrong.",
)
@click.pass_context
def plan(context: click.Context, /, manifest: str, style: Literal["table", "json"], detailed: bool, **options: Any) -> None:
    """Show what `run` would do with MANIFEST: what would be fetched, resumed or left as it is, and why. Nothing is downloaded.

    A size is what the manifest, its lock or an earlier answer tells; nobody is asked. Of a long list the table shows the first rows and
    counts all; JSON has them all.
    """
    found = engine(context).planned(read_manifest(manifest), settings_of(options))
    if hasattr(found, "tally"):
        from marscore.cli.plan_long import show  # noqa: PLC0415  few plans are so long

        to_do = show(cast("LongPlan", found), style)
    else:
        to_do = _show(found, style)
    if detailed:
        context.exit(_TO_DO if to_do else 0)


def _show(document: PlanDocument, style: Literal["table", "json"]) -> int:
    """Print a plan; returns how many downloads are to be done."""
    for warning in document.warnings:
        complain(f"warning: {warning}")
    if style == "json":
        say_json(document.model_dump_json(indent=2))
    else:
        from marscore.cli.plan_table import plan_table  # noqa: PLC0415  most verbs draw no table

        say(disarmed(plan_table(document)))
    return document.totals.to_do
