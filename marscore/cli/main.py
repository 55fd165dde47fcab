"""The verbs: `marscore run | schema` here, the others in modules of their own."""

from __future__ import annotations

import json
from typing import Any

import click

from marscore.cli.cache import cache
from marscore.cli.complete import completion, files
from marscore.cli.ending import end
from marscore.cli.engine import engine
from marscore.cli.exits import exits, say_json
from marscore.cli.get import get
from marscore.cli.github import Github, github_option
from marscore.cli.init import init
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.lists import export, import_
from marscore.cli.lock import lock
from marscore.cli.meant import command_meant
from marscore.cli.options import engine_options, hook_options, run_options
from marscore.cli.outdated import outdated
from marscore.cli.plan import plan
from marscore.cli.report import report
from marscore.cli.validate import validate
from marscore.cli.verb import VerbGroup, say_version
from marscore.cli.verify import verify
from marscore.public import public_words


class _Verbs(VerbGroup):
    """A group whose verbs end with marscore's own exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        with exits():
            try:
                return super().invoke(ctx)
            except click.UsageError as error:
                # It repeats what was given, as it was given.
                error.message = public_words(error.message)  # type: ignore[misc]  # click's own subclasses build on the same text
                raise

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and (told := command_meant(args[0], self.list_commands(ctx))):
            ctx.fail(told)
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=say_version, help="Show the version and exit.")
def cli() -> None:
    """Download what a YAML manifest lists: many files at once, large ones in several parts, every one verified and resumable.

    \b
    Exit codes:
      0         every download is in place
      1         at least one failed; the rest are in place
      2         the manifest or the command line is wrong; nothing was started
      3         the machine stands in the way: no space, no permission, another run
      130, 143  interrupted; the next run resumes
    """


@cli.command()
@click.argument("manifest", shell_complete=files)
@run_options
@engine_options
@hook_options
@github_option
@click.pass_context
def run(context: click.Context, /, manifest: str, github: bool | None, **options: Any) -> None:
    """Download what MANIFEST lists (`-` reads it from standard input).

    What is in place already is not fetched again, and what an interrupted run began is resumed.
    """
    settings = settings_of(options)
    with Github(github, settings.log_format) as told:
        source = read_manifest(manifest)
        ended = engine(context).run(source, settings, handle_signals=True)
    end(context, ended, settings, source, told)


@cli.command()
@click.argument(
    "name",
    type=click.Choice(["manifest", "lock", "outdated", "plan", "report", "report-summary", "report-entry", "validate", "verify", "event"]),
)
@click.pass_context
def schema(context: click.Context, /, name: str) -> None:
    """Print the JSON Schema of a manifest, a lock, a plan, a report, what validate, verify and outdated find, or a line of the log."""
    say_json(json.dumps(engine(context).schema(name), indent=2))


cli.add_command(cache)
cli.add_command(completion)
cli.add_command(export)
cli.add_command(get)
cli.add_command(import_)
cli.add_command(init)
cli.add_command(lock)
cli.add_command(outdated)
cli.add_command(plan)
cli.add_command(report)
cli.add_command(validate)
cli.add_command(verify)
