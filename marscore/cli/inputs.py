"""What the command line names, read: manifests from files and standard input, and the settings of a run."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from marscore.adapters.files.text import cannot_read, read_text, text_of
from marscore.cli.meant import command_meant
from marscore.errors import ManifestError, Problem
from marscore.public import public_word
from marscore.settings import MAX_MANIFEST, ManifestInput, RunSettings


def read_manifest(source: str) -> ManifestInput:
    """Read the manifest at this path; `-` is standard input, whose folder is the current one.

    Raises:
        ManifestError: there is no such file, or it cannot be read, or it is not UTF-8.
    """
    # Relative, as it may be: the current folder may be gone, and is no matter where the output folder is absolute.
    return ManifestInput(source, Path() if source == "-" else Path(source).parent, text=_text(source, _help_of(source)))


def read_list(source: str) -> str:
    """The text of a list of downloads; `-` is standard input. Errors are those of `read_manifest`."""
    return _text(source)


def _text(source: str, help_: str | None = None) -> str:
    # What is there is no URL, and is called what it is called.
    try:
        return read_text(Path(source), source, MAX_MANIFEST) if source != "-" else text_of(_stdin(), source, MAX_MANIFEST)
    except OSError as error:
        raise ManifestError(public_word(source), (Problem("", cannot_read(error), help=help_),)) from error


def _help_of(source: str) -> str | None:
    """What helps whoever names a URL in the place of a manifest."""
    told = command_meant(source, ()) if re.match(r"(?i)https?:/", source) else None
    return told and f"a manifest is a file; {told}"


def _stdin() -> bytes:
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer.read(MAX_MANIFEST + 1)


def settings_of(options: Mapping[str, Any]) -> RunSettings:
    """The settings that a verb's options make; one that was not given leaves the field to its own default.

    Raises:
        UsageError: each option is right by itself, but not all together.
    """
    given = {name: value for name, value in options.items() if value is not None}
    _set_verbosity(given, given.pop("quiet", False), given.pop("verbose", 0))
    locked, unlocked = given.pop("locked", False), given.pop("no_lock", False)
    if unlocked and (locked or "lock" in given):
        raise click.UsageError("--no-lock looks at no lock, and --locked and --lock ask for one")
    if "engine_address" in given and given["engine"] == "local":
        raise click.UsageError("--engine-address says where a cluster is, and --engine asks for none")
    try:
        return RunSettings(**given, locking="exact" if locked else "none" if unlocked else "if_there")
    except ValueError as error:
        # It names a field of the settings, which is an option here.
        field, space, message = str(error).partition(" ")
        option = f"--{field.replace('_', '-')}" if field in given else field
        raise click.UsageError(option + space + message) from error


def _set_verbosity(given: dict[str, Any], quiet: bool, verbose: int) -> None:
    """Say in other settings what -q and -v mean."""
    if not quiet and not verbose:
        return
    if (quiet and verbose) or "log_level" in given:
        raise click.UsageError("-q, -v and --log-level say how much is told: give one of them")
    given["log_level"] = "error" if quiet else "info" if verbose == 1 else "debug"
    if quiet and given.get("progress") == "auto":
        given["progress"] = "none"
