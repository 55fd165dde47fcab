"""`marscore validate`: is a manifest right? For people, for programs, and for GitHub's annotations.

manifests --engine.validate--> Checked... --> lines, JSON (`report.validation`), or workflow commands of GitHub Actions
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, Literal

import click

from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, say, say_json, say_lines
from marscore.cli.github import in_workspace
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.options import validate_options
from marscore.cli.summary import counted
from marscore.cli.verb import Verb
from marscore.errors import ManifestError, told
from marscore.printable import printable
from marscore.report.validation import Checked, as_json
from marscore.settings import RunSettings

_Style = Literal["text", "json", "github"]


@click.command(cls=Verb)
@click.argument("manifests", shell_complete=files, metavar="MANIFEST...", nargs=-1, required=True)
@validate_options
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations of GitHub Actions.",
)
@click.option("--allow-unset", "unset", flag_value="allowed", default="refused", help="Names of the environment need no values.")
@click.pass_context
def validate(context: click.Context, /, manifests: tuple[str, ...], style: _Style, unset: Any, **options: Any) -> None:
    """Check each MANIFEST and name everything that is wrong, with its line. Nothing is downloaded.

    Exit code 0 means that all are right, 2 that one is wrong. With --allow-unset, a value that depends on a name of the environment that is
    not set is taken to be right, so that a pipeline without secrets can check what it will run with them.
    """
    settings = settings_of(options)
    checked = [_check(context, source, settings, unset, tell=_TELLERS[style]) for source in manifests]
    if style == "json":
        say_json(as_json(checked))
    context.exit(0 if all(one.ok for one in checked) else 2)


def _check(context: click.Context, source: str, settings: RunSettings, unset: Any, *, tell: Callable[[Checked], None]) -> Checked:
    how = {} if unset == "refused" else {"unset": unset}
    try:
        found = engine(context).validate(read_manifest(source), settings, **how)
    except ManifestError as error:
        checked = Checked(error.source, ok=False, problems=error.problems)
    else:
        checked = Checked(source, ok=True, downloads=found.downloads, hooks=dict(found.hooks), warnings=found.warnings)
    tell(checked)
    return checked


def _as_text(checked: Checked) -> None:
    if not checked.ok:
        complain(str(ManifestError(checked.source, checked.problems)))
        return
    for warning in checked.warnings:
        first, *rest = told(checked.source, warning)
        complain("\n".join([f"warning: {first}", *rest]))
    hooks = [f"{checked.source}: {name} runs {shlex.join(argv)}" for name, argv in checked.hooks.items()]
    say_lines([f"{checked.source}: ok, {counted(checked.downloads or 0, 'download', 'downloads')}", *hooks])


def _for_github(checked: Checked) -> None:
    from marscore.report.annotations import command, of_problems  # noqa: PLC0415 - for GitHub alone

    file, most = in_workspace(checked.source), max(len(checked.problems), len(checked.warnings), 1)
    wrong = of_problems(checked.problems, checked.source, file, most=most)
    for annotation in [*wrong, *of_problems(checked.warnings, checked.source, file, "warning", most)]:
        say(printable(command(annotation)))


def _later(_checked: Checked) -> None:
    """JSON is one document."""


_TELLERS: dict[_Style, Callable[[Checked], None]] = {"text": _as_text, "json": _later, "github": _for_github}
