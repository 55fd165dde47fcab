"""`marscore init`: a manifest to begin with, with comments that say what else there is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from marscore.adapters.files.failures import storage_error
from marscore.adapters.terminal.streams import printable
from marscore.cli.complete import files
from marscore.cli.engine import engine
from marscore.cli.exits import complain, say
from marscore.cli.verb import Verb
from marscore.cli.wanted import GivenUrl, distinct, named_of
from marscore.errors import ManifestError
from marscore.settings import ManifestInput, RunSettings
from marscore.version import __version__

_DEFAULT = "downloads.yaml"
_HEAD = """\
# Made by marscore {version}. `marscore run {file}` fetches what is listed here; again, only what is missing or changed.
# For editors: `marscore schema manifest >manifest.v1.schema.json`, and this line with one # less:
## yaml-language-server: $schema=manifest.v1.schema.json
version: 1
# name: nightly-artifacts             # a label for log and report
output_dir: data                      # beside this file

# execution:
#   max_rate: 50MiB                   # bytes a second for the whole run
#   per_host: 16                      # connections to one host
#   deadline: 2h                      # for the whole run

# defaults:                           # any option of a download, for all of them
#   headers: {{Authorization: "Bearer ${{API_TOKEN}}"}}     # read from the environment, and written nowhere
#   timeout: 30s
#   retry: {{max_retries: 5}}

downloads:
"""
_TAIL = """\
#   - url: https://example.com/file2.zip
#     path: zips/two.zip               # under output_dir; default: the last part of the URL's path
#     mirrors: [https://mirror.example.org/file2.zip]
#     checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
#     if_exists: refresh               # ask the server whether it has changed; default: keep what is known to be right
#   - url: https://example.com/shard-{i:05d}.tar      # one entry, a hundred downloads
#     path: shards/{i:05d}.tar
#     each: {i: {from: 0, to: 99}}
"""


@click.command(cls=Verb)
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "-o", "--output", metavar="FILE", shell_complete=files, default=_DEFAULT, show_default=True, help="Write to FILE; - is standard output."
)
@click.pass_context
def init(context: click.Context, /, urls: Sequence[str], output: str) -> None:
    """Write a manifest that lists each URL, with comments on what else may stand there (`-` in the place of a URL prints it).

    A file that is there already stays as it is.
    """
    if "-" in urls:
        if context.get_parameter_source("output") is ParameterSource.COMMANDLINE and output != "-":
            raise click.UsageError("- prints the manifest, and --output writes it to a file: give one of them")
        urls, output = [url for url in urls if url != "-"], "-"
    given = distinct(map(GivenUrl, urls or ["https://example.com/file1.zip"]))
    text, secrets = _text(given, _DEFAULT if output == "-" else output)
    try:
        engine(context).validate(ManifestInput(_DEFAULT, Path(), text=text), RunSettings(variables=tuple(secrets.items())))
    except ManifestError as error:
        raise ManifestError("marscore init", tuple(named_of(problem, given) for problem in error.problems)) from None
    if output == "-":
        say(text.removesuffix("\n"))
    else:
        _write(output, text)
    for name in secrets:
        complain(printable(f"a secret is not written: set {name} in the environment to what stands in the URL"))
    if output != "-":
        complain(printable(f"wrote {output}; next: marscore plan {output}"))


def _text(given: Sequence[GivenUrl], file: str) -> tuple[str, Mapping[str, str]]:
    """The manifest, and what was secret in the URLs, by the names that stand there for it: a manifest is there to be committed."""
    from marscore.lists.model import Listing  # noqa: PLC0415 - of a use to this verb alone
    from marscore.lists.secret_names import Secrets  # noqa: PLC0415 - as above

    names, secrets = _names(given), Secrets("named", Listing())
    entries = "".join(_entry(secrets.url(each.text, number), name) for number, (each, name) in enumerate(zip(given, names, strict=True)))
    return _HEAD.format(version=__version__, file=printable(file)) + entries + _TAIL, secrets.values


def _names(given: Sequence[GivenUrl]) -> list[str | None]:
    """For each URL, the path that it needs: None where its own last part will do."""
    from marscore.resolve.paths import Outputs, name_in  # noqa: PLC0415 - of a use to this verb alone

    outputs, names = Outputs(), list[str | None]()
    for number, each in enumerate(given, 1):
        own = None
        try:
            name = name_in(each.text)
        except ValueError:
            name = own = f"file{number}"
        while outputs.claim(name, each.text):
            name = own = f"{number}-{name}"
        names.append(own)
    return names


def _entry(url: str, name: str | None) -> str:
    from marscore.lists.manifest_text import scalar  # noqa: PLC0415 - as above

    return f"  - {scalar(url)}\n" if name is None else f"  - url: {scalar(url)}\n    path: {scalar(name.replace('$', '$$'))}\n"


def _write(output: str, text: str) -> None:
    """Make the file; one that is there is left alone, whatever it is.

    Raises:
        UsageError: there is one.
        StorageError: it cannot be made.
    """
    try:
        with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except FileExistsError:
        raise click.UsageError(f"{output} is there already; `marscore init -` prints one") from None
    except OSError as error:
        raise storage_error(error, f"cannot write {output}") from error
