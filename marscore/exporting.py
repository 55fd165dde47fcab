"""A manifest's downloads in another program's format: held to the lock as in a run, and without secrets of the environment.

Manifest --read, held_to_lock, select--> Downloads --lists.exported--> text, and what it does not say
"""

from __future__ import annotations

import re

from marscore.errors import ManifestError, Problem
from marscore.frozen import dataclass
from marscore.held import held_to_lock
from marscore.job import read
from marscore.lists.exported import export as written
from marscore.lists.model import Target
from marscore.lists.outgoing import Losses, Outgoing
from marscore.manifest import Parsed
from marscore.resolve.hidden import hidden_fields
from marscore.resolve.model import Download
from marscore.resolve.select import select
from marscore.settings import ManifestInput, RunSettings

_INDEX = re.compile(r"downloads\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Exported:
    """A manifest in another format: its text; what that does not say, in sentences; how many downloads are not in it."""

    text: str
    warnings: tuple[str, ...]
    left_out: int


def export(manifest: ManifestInput, settings: RunSettings, target: Target) -> Exported:
    """Write a manifest's downloads for another program. `settings.output_dir` is the folder that it is told to put them into.

    Raises:
        ManifestError: the manifest is wrong, or its lock is.
    """
    parsed, everything = read(manifest, settings)
    hidden = {download.id: fields for download, fields in zip(everything, hidden_fields(parsed, everything), strict=True)}
    held, _ = held_to_lock(manifest, settings, parsed, everything)
    wanted = select(held, settings.only) if settings.only else held
    folder = None if settings.output_dir is None else str(settings.output_dir)
    if folder is not None and not folder.isprintable():
        raise ManifestError("--output-dir", (Problem("", "must not hold control characters: no other program would read it back"),))
    losses = Losses(manifest.source)
    outgoing = [Outgoing(download, _line(parsed, download), hidden[download.id]) for download in wanted]
    for each in outgoing:
        if each.download.bad is not None:
            losses.leave_out("the row is bad", each)
    outgoing = [each for each in outgoing if each.download.bad is None]
    text = "".join(written(outgoing, target, folder, losses))
    unsaid = ["a Metalink names no folder: --output-dir is not in it"] if folder is not None and target == "metalink" else []
    return Exported(text, (*unsaid, *losses.lines()), losses.left_out)


def _line(parsed: Parsed, download: Download) -> int | None:
    place = _INDEX.match(download.id)
    return None if place is None else parsed.places.problem(("downloads", int(place[1])), "").line
