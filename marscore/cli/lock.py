"""`marscore lock`: what each file of a manifest is, written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, say_lines
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.options import Place, lock_options
from marscore.cli.summary import counted
from marscore.cli.verb import Verb

if TYPE_CHECKING:
    from marscore.locking import Locked


@click.command(cls=Verb)
@click.argument("manifest", required=False, shell_complete=files)
@lock_options
@click.option(
    "--upgrade",
    is_flag=False,
    flag_value="*",
    multiple=True,
    metavar="[GLOB_OR_TAG]",
    help="Ask the servers anew about all downloads, or about those with this tag, or whose path matches this pattern; repeatable.",
)
@click.option("--check", "mode", flag_value="check", help="Write nothing; exit 1 if the manifest has changed since it was locked.")
@click.option(
    "--diff",
    "old",
    type=Place(dir_okay=False, path_type=Path),
    metavar="OLD",
    help="Write nothing; say how the lock differs from this older one.",
)
@click.pass_context
def lock(
    context: click.Context,
    /,
    manifest: str | None,
    upgrade: tuple[str, ...],
    mode: str | None,
    old: Path | None,
    **options: Any,
) -> None:
    """Write down what each file of MANIFEST is, in downloads.lock beside downloads.yaml; `run` then fetches exactly that, or fails.

    Files in place and checksums of the manifest are taken as they are, what is not known yet is fetched. Entries of a lock that is there
    stay as they are, unless their downloads changed.
    """
    if manifest is None and upgrade and Path(upgrade[-1]).is_file():
        # What stands behind --upgrade is its pattern, and whoever writes only a manifest there means all of it.
        manifest, upgrade = upgrade[-1], upgrade[:-1] or ("*",)
    if manifest is None:
        raise click.MissingParameter(param_hint="'MANIFEST'", param_type="argument")
    if mode and (upgrade or old):
        raise click.UsageError("--check stands alone")
    source, settings = read_manifest(manifest), settings_of(options)
    if mode:
        wrong = engine(context).check_lock(source, settings)
        for each in wrong:
            complain(f"{manifest}: {each.id}: {each.message}" if each.id else f"{manifest}: {each.message}")
        context.exit(1 if wrong else 0)
    if old is not None:
        if changes := engine(context).diff_lock(source, settings, old):
            say_lines(changes)
        return
    _tell_of_lock(context, engine(context).lock(source, settings, upgrade, handle_signals=True))


def _tell_of_lock(context: click.Context, locked: Locked) -> None:
    ended = locked.ended
    if ended is not None and ended.trouble is not None:
        complain(f"marscore: {ended.trouble.message}")
    if locked.changes is None:
        assert ended is not None, "what did not have to be fetched cannot fail"
        why = f", since not every file is there: {ended.file} says why" if ended.trouble is None or ended.head.totals.failed else ""
        complain(f"marscore: {locked.place} was not written{why}")
        context.exit(ended.head.exit_code)
    say_lines([*locked.changes, f"{locked.place}: {counted(locked.downloads, 'download', 'downloads')}, {len(locked.changes)} changed"])
