"""The verbs: `marscore run | validate | plan | schema` here, the others in modules of their own."""

from __future__ import annotations

import json
import shlex
from typing import Any, Literal

import click

from marscore.adapters.terminal.streams import printable
from marscore.cli.cache import cache
from marscore.cli.complete import completion, files
from marscore.cli.ending import end
from marscore.cli.engine import engine
from marscore.cli.exits import complain, exits, say, say_json
from marscore.cli.get import get
from marscore.cli.github import Github, github_option
from marscore.cli.init import init
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.lists import export, import_
from marscore.cli.lock import lock
from marscore.cli.options import hook_options, plan_options, run_options, validate_options
from marscore.cli.outdated import outdated
from marscore.cli.report import report
from marscore.cli.summary import counted
from marscore.cli.verify import verify
from marscore.errors import ManifestError
from marscore.settings import RunSettings
from marscore.version import __version__


class _Verbs(click.Group):
    """A group whose verbs end with marscore's own exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        with exits():
            return super().invoke(ctx)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="marscore %(version)s")
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
        told.ended(ended, source)
    end(context, ended, settings)


@cli.command()
@click.argument("manifests", shell_complete=files, metavar="MANIFEST...", nargs=-1, required=True)
@validate_options
@click.pass_context
def validate(context: click.Context, /, manifests: tuple[str, ...], **options: Any) -> None:
    """Check each MANIFEST and name everything that is wrong, with its line. Nothing is downloaded."""
    correct = [_is_correct(context, manifest, settings_of(options)) for manifest in manifests]
    context.exit(0 if all(correct) else 2)


def _is_correct(context: click.Context, source: str, settings: RunSettings) -> bool:
    try:
        checked = engine(context).validate(read_manifest(source), settings)
    except ManifestError as error:
        complain(str(error))
        return False
    say(f"{source}: ok, {counted(checked.downloads, 'download', 'downloads')}")
    for name, argv in checked.hooks.items():
        say(printable(f"{source}: {name} runs {shlex.join(argv)}"))
    return True


@cli.command()
@click.argument("manifest", shell_complete=files)
@plan_options
@click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="For people or for programs."
)
@click.pass_context
def plan(context: click.Context, /, manifest: str, style: Literal["table", "json"], **options: Any) -> None:
    """Show what `run` would do with MANIFEST: what would be fetched, resumed or left as it is, and why. Nothing is downloaded."""
    document = engine(context).plan(read_manifest(manifest), settings_of(options))
    for warning in document.warnings:
        complain(f"warning: {warning}")
    if style == "json":
        say_json(document.model_dump_json(indent=2))
    else:
        from marscore.cli.plan_table import plan_table  # noqa: PLC0415  rich is imported by the verb that draws

        say(plan_table(document))


@cli.command()
@click.argument("name", type=click.Choice(["manifest", "lock", "outdated", "plan", "report", "verify", "event"]))
@click.pass_context
def schema(context: click.Context, /, name: str) -> None:
    """Print the JSON Schema of the manifest, its lock, the plan, the report, what verify and outdated found, or a line of the log."""
    say_json(json.dumps(engine(context).schema(name), indent=2))


cli.add_command(cache)
cli.add_command(completion)
cli.add_command(export)
cli.add_command(get)
cli.add_command(import_)
cli.add_command(init)
cli.add_command(lock)
cli.add_command(outdated)
cli.add_command(report)
cli.add_command(verify)
