"""`marscore import` and `marscore export`: lists of downloads of other programs, into a manifest and out of one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import click

from marscore.adapters.terminal.streams import printable
from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, say
from marscore.cli.inputs import read_list, read_manifest, settings_of
from marscore.cli.options import Place, export_options
from marscore.cli.verb import Verb
from marscore.lists.model import Format, Target

_TO = click.option(
    "-o",
    "--output",
    type=Place(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write to this file.  [default: standard output]",
)


@click.command(name="import", cls=Verb)
@click.argument("source", metavar="FILE", shell_complete=files)
@click.option("--from", "form", type=click.Choice(get_args(Format)), help="The list's format.  [default: guessed by content and name]")
@click.option("--base", metavar="URL", help="Where the files are that the list only names, and what relative URLs are relative to.")
@click.option("--keep-secrets", "secrecy", flag_value="kept", default="named", help="Write passwords and tokens as they stand there.")
@_TO
@click.pass_context
def import_(context: click.Context, /, source: str, form: Format | None, base: str | None, secrecy: Any, output: str | None) -> None:
    """Print the manifest that says what the list of downloads in FILE does (`-` reads standard input).

    What a manifest cannot say is told at its line. Passwords and tokens become names of the environment, `${NAME}`. Exit code 1 means
    that entries were left out: the rest is printed.
    """
    text = read_list(source)
    if output is not None and _is_file(output) and _is_file(source) and Path(output).samefile(source):
        raise click.UsageError("--output names the list itself")
    made = engine(context).import_list(text, source, form, base, secrecy)
    _tell(made.warnings)
    if made.downloads or not made.left_out:
        _write(output, "".join(made.text))
    context.exit(1 if made.left_out else 0)


@click.command(cls=Verb)
@click.argument("manifest", shell_complete=files)
@click.option("--to", "target", type=click.Choice(get_args(Target)), required=True, help="What to write it for.")
@_TO
@export_options
@click.pass_context
def export(context: click.Context, /, manifest: str, target: Target, output: str | None, **options: Any) -> None:
    """Print what MANIFEST lists as an input file of aria2, a config of curl, a Metalink or a list for `sha256sum -c`.

    Checksums come from the manifest, else from the lock beside it. What the format cannot say is told once for each kind. What would
    take a value of the environment is left out, and exit code 1 says so.
    """
    made = engine(context).export(read_manifest(manifest), settings_of(options), target)
    _tell(made.warnings)
    _write(output, made.text)
    context.exit(1 if made.left_out else 0)


def _is_file(name: str) -> bool:
    return name != "-" and Path(name).exists()


def _tell(warnings: Iterable[str]) -> None:
    if lines := [printable(warning) for warning in warnings]:
        complain("\n".join(lines))


def _write(output: str | None, text: str) -> None:
    if output is None or output == "-":
        if text:
            say(text.removesuffix("\n"))
        return
    from marscore.adapters.terminal.named_outputs import Output  # noqa: PLC0415 - most ask for none

    Output(output, "the list").write_whole(lambda: iter([text]))
