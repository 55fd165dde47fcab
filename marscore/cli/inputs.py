"""What the command line names, read: manifests from files and standard input, and one made of bare URLs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from marscore.adapters.files.text import cannot_read, read_text, text_of
from marscore.errors import ManifestError, Problem
from marscore.settings import MAX_MANIFEST, ManifestInput


def read_manifest(source: str) -> ManifestInput:
    """Read the manifest at this path; `-` is standard input, whose folder is the current one.

    Raises:
        ManifestError: there is no such file, or it cannot be read, or it is not UTF-8.
    """
    # Relative, as it may be: the current folder may be gone, and is no matter where the output folder is absolute.
    return ManifestInput(source, Path() if source == "-" else Path(source).parent, text=_text(source))


def _text(source: str) -> str:
    try:
        return read_text(Path(source), source, MAX_MANIFEST) if source != "-" else text_of(_stdin(), source, MAX_MANIFEST)
    except OSError as error:
        raise ManifestError(source, (Problem("", cannot_read(error)),)) from error


def _stdin() -> bytes:
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer.read(MAX_MANIFEST + 1)


def manifest_of_urls(urls: Sequence[str]) -> ManifestInput:
    """The manifest that lists these URLs and nothing else."""
    # A URL on the command line is what it is: `$` names no variable there.
    downloads = [url.replace("$", "$$") for url in urls]
    return ManifestInput("command line", Path(), data={"version": 1, "downloads": downloads})
