"""`marscore get`: a small curl, on the same engine as `run`.

URLs, --input-file --wanted--> manifest of mappings --engine.get--> files where the user stands
ManifestError at downloads[3] --named--> the URL, the line of the list or the option that was meant
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import click

from marscore.cli.complete import files
from marscore.cli.ending import end
from marscore.cli.engine import engine
from marscore.cli.github import Github, github_option
from marscore.cli.inputs import read_list, settings_of
from marscore.cli.options import get_options
from marscore.cli.verb import Verb
from marscore.cli.wanted import GivenUrl, Wanted, distinct, headers_of, listed, login_of, named
from marscore.errors import ManifestError, StorageError
from marscore.public import is_url
from marscore.settings import RunSettings


@click.command(cls=Verb)
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "-o", "--output", metavar="PATH", shell_complete=files, help="Write the file to PATH, relative to the current folder; for one URL."
)
@click.option(
    "-i",
    "--input-file",
    metavar="FILE",
    shell_complete=files,
    help="Take URLs from FILE too, one a line, # begins a comment; - is standard input.",
)
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header field; @FILE reads them; repeatable."
)
@click.option("-u", "--user", metavar="USER[:PASSWORD]", help="Log in with this name; a password that is not given is asked for.")
@click.option("--checksum", metavar="ALGORITHM:HEX", help="What the file must be, such as sha256:9f86d0…; for one URL.")
@click.option("--retry", type=click.IntRange(min=0), metavar="N", help="Retry N times whatever may pass.  [default: as the failure asks]")
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@get_options
@github_option
@click.pass_context
def get(context: click.Context, /, urls: tuple[str, ...], input_file: str | None, overwrite: bool, **options: Any) -> None:
    """Download each URL into the current folder, named after the last part of its path.

    The same engine as `run`: several connections, retries, every file verified before it gets its name. After an interrupt the same call
    goes on where it was. Once all files are whole nothing else is left there. A file that is there already is not replaced.
    """
    given = [GivenUrl(url) for url in urls]
    list_name = "standard input" if input_file == "-" else input_file
    if input_file is not None and list_name is not None:
        given += listed(read_list(input_file), list_name)
    given = distinct(given)
    if not given:
        raise click.UsageError(f"{list_name} lists no URL" if list_name else "name a URL, or a list of them with --input-file")
    folder, name = _place(options.pop("output"), options.pop("output_dir"))
    wanted = Wanted(
        given,
        name,
        headers_of(options.pop("headers")),
        login_of(options.pop("user")),
        options.pop("checksum"),
        options.pop("retry"),
    )
    _check_count(wanted)
    if wanted.login is not None and any(name.lower() == "authorization" for name, _ in wanted.headers):
        raise click.UsageError("--user and --header 'Authorization: …' both say who you are: give one of them")
    github = options.pop("github")
    settings = settings_of(options)
    settings = replace(settings, output_dir=folder, variables=(*settings.variables, *wanted.variables))
    with Github(github, settings.log_format) as told:
        source = wanted.manifest()
        ended = _got(context, wanted, settings, overwrite)
    end(context, ended, settings, source, told)


def _got(context: click.Context, wanted: Wanted, settings: RunSettings, overwrite: bool) -> Any:
    try:
        return engine(context).get(wanted.manifest(), settings, overwrite, handle_signals=True)
    except ManifestError as error:
        raise named(error, wanted) from None
    except StorageError as error:
        if settings.output_dir in (None, Path()):
            raise
        # It was typed just now, and may be what is mistyped.
        failure = error.failure
        raise StorageError(replace(failure, message=f"{failure.message} ({settings.output_dir})")) from error


def _place(output: str | None, output_dir: Path | None) -> tuple[Path, str | None]:
    """The folder, and the name of the one file if that is given."""
    if output is None:
        return output_dir or Path(), None
    if output_dir is not None:
        raise click.UsageError("--output names the whole path, so leave --output-dir away")
    if output == "-":
        raise click.UsageError("--output - would print what is not verified yet: write to a file, and `cat` it")
    if is_url(output):
        raise click.UsageError("--output is a path of this machine, and no URL")
    if output.endswith("/") or os.path.isdir(output):  # noqa: PTH112 - of a name too long to be one, a Path raises
        raise click.UsageError(f"--output names a file, and {output} is a folder: --output-dir puts files there")
    if _is_below(output):
        # Then log, report and messages name the file as it was typed.
        return Path(), PurePath(output).as_posix()
    folder = Path(output).parent
    return Path(os.path.realpath(folder)) if ".." in folder.parts else folder, Path(output).name


def _is_below(output: str) -> bool:
    """Whether a path is of a file below the current folder, as a manifest may name it, and files can be put on its way.

    No link is on that way: it might lead out.
    """
    from marscore.manifest.output import check_output  # noqa: PLC0415 - with the manifest's reader, which --help has no use for

    try:
        check_output(PurePath(output).as_posix())
    except ValueError:
        return False
    here = os.path.realpath(".")
    folder = os.path.join(here, os.path.dirname(output))  # noqa: PTH118, PTH120 - of a name too long to be one, a Path raises
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there)  # noqa: PTH120 - as above
    is_free = os.path.isdir(there) and os.access(there, os.W_OK) and os.access(here, os.W_OK)  # noqa: PTH112 - as above
    return is_free and os.path.realpath(folder) == os.path.normpath(folder)


def _check_count(wanted: Wanted) -> None:
    count = len(wanted.urls)
    for option, value in (("--output", wanted.name), ("--checksum", wanted.checksum)):
        if value is not None and count > 1:
            raise click.UsageError(f"{option} is for one file, and there are {count} URLs")
