"""Which downloads `--only` means: a pattern is a tag, or a glob on the output path or the id."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from marscore.errors import ManifestError, Problem
from marscore.resolve.model import Download


def select(downloads: Sequence[Download], patterns: Sequence[str]) -> tuple[Download, ...]:
    """The downloads that any pattern names, in their order.

    Raises:
        ManifestError: a pattern names none.
    """
    named: dict[str, Download] = {}
    problems = []
    for pattern in patterns:
        found = [download for download in downloads if _is_named(download, pattern)]
        named.update((download.id, download) for download in found)
        if not found:
            problems.append(Problem("", f"no download has the tag, the path or the id {pattern!r}"))
    if problems:
        raise ManifestError("--only", tuple(problems))
    # What a bad row would have been nobody knows: it fails whatever is named.
    return tuple(download for download in downloads if download.id in named or download.bad is not None)


def _is_named(download: Download, pattern: str) -> bool:
    # An id has brackets of its own, which a glob would read as a set of characters.
    return (
        pattern in download.options.tags
        or pattern == download.id
        or fnmatchcase(download.path, pattern)
        or fnmatchcase(download.id, pattern)
    )
