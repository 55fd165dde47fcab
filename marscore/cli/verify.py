"""`marscore verify`: whether the files in place are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, say_json, say_lines
from marscore.cli.inputs import read_manifest, settings_of
from marscore.cli.options import Place, verify_options
from marscore.cli.summary import counted
from marscore.cli.verb import Verb
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.report.verification import VerifyDocument
    from marscore.verifying import Verified


@click.command(cls=Verb)
@click.argument("manifest", required=False, shell_complete=files)
@verify_options
@click.option("--extra", is_flag=True, help="Tell of files in the output folder that nothing names, too.")
@click.option("--fix", is_flag=True, help="Fetch what is missing or wrong, and nothing else.")
@click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="For people or for programs."
)
@click.option("--report", type=Place(dir_okay=False, allow_dash=True), metavar="FILE", help="Write what was found here too, as JSON.")
@click.pass_context
def verify(
    context: click.Context,
    /,
    manifest: str | None,
    extra: bool,
    fix: bool,
    style: Literal["table", "json"],
    report: str | None,
    **options: Any,
) -> None:
    """Hash the files that are in place and hold them against the lock, else against MANIFEST, else against what earlier runs noted.

    No server is asked. Without MANIFEST, the files of the lock that --lock names are looked at, or those that the output folder's state
    knows. Exit code 0 means that all is as it should be, 1 that something is missing, changed or, with --extra, nobody's.
    """
    if fix and manifest is None:
        raise click.UsageError("--fix needs a MANIFEST, which says where the files are to be had")
    if extra and options["only"]:
        raise click.UsageError("--extra looks at all downloads, and --only at some")
    settings, source = settings_of(options), None if manifest is None else read_manifest(manifest)
    found = engine(context).verify(source, settings, "told" if extra else "ignored", "yes" if fix else "no")
    document = _document(found)
    if report is not None:
        _write(report, document)
    if style == "json":
        say_json(document.model_dump_json(indent=2))
    else:
        _tell(document)
    context.exit(_exit_code(found))


def _document(found: Verified) -> VerifyDocument:
    from marscore.report.verification import document  # noqa: PLC0415 - pydantic, for the verb that writes one

    return document(found.output_dir, found.files, found.bytes, found.findings, mended=_is_mended(found))


def _is_mended(found: Verified) -> bool:
    told = any(finding.status == "extra" for finding in found.findings)
    return found.ended is not None and found.ended.head.exit_code == 0 and not told


def _exit_code(found: Verified) -> int:
    if found.ended is not None and found.ended.head.exit_code != 0:
        if found.ended.trouble is not None:
            complain(f"marscore: {found.ended.trouble.message}")
        return found.ended.head.exit_code
    return 1 if found.findings and not _is_mended(found) else 0


def _write(report: str, document: VerifyDocument) -> None:
    from marscore.adapters.terminal.named_outputs import Output  # noqa: PLC0415 - few ask for one

    Output(report, "the report").write_whole(lambda: iter([document.model_dump_json(indent=2) + "\n"]))


def _tell(document: VerifyDocument) -> None:
    totals = document.totals
    counts = {name: getattr(totals, name) for name in ("ok", "missing", "changed", "unknown", "unreadable", "extra")}
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "ok")
    mended = "; all that was wrong is fetched" if document.status == "mended" else ""
    said = [f"{file.status}: {file.path}: {file.reason}" for file in document.files]
    say_lines([*said, f"{counted(totals.files, 'file', 'files')}: {parts}; {format_size(totals.bytes)} hashed{mended}"])
