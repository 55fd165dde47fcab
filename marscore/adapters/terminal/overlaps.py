"""What a run was told to write, report, log file and metrics, held against what it reads, makes and keeps: nothing is written over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from marscore.adapters.terminal.named_outputs import is_file_or_nothing
from marscore.errors import ManifestError, Problem
from marscore.settings import STANDARD_OUTPUT, RunSettings
from marscore.values import OWN_FOLDER


def refuse_overlap(settings: RunSettings, taken: Mapping[str, str], root: Path) -> None:
    """Refuse a report, a log file or metrics that would be written over something else of the run, and workers' logs in the place of it.

    Args:
        settings: what the user named.
        taken: the real path of each file that has another purpose, and what that is.
        root: the output folder, where the report alone is this run's to name.

    Raises:
        ManifestError: it would; nothing was started.
    """
    known = dict(taken)
    for option, path in settings.files:
        if str(path) == str(STANDARD_OUTPUT):
            continue
        try:
            place = os.path.realpath(path)
        except OSError:
            # The current folder is gone: whoever writes there says so.
            continue
        what = known.get(place) or _own(place, root, option)
        if what is not None and is_file_or_nothing(place):
            raise ManifestError(option, (Problem("", f"names {what}, which would be written over"),))
        known[place] = f"the same file as {option}"
    if settings.worker_logs is not None:
        _refuse_folder("--worker-logs", settings.worker_logs, known, root)


def _refuse_folder(option: str, path: Path | str, known: Mapping[str, str], root: Path) -> None:
    """Refuse a folder where a file is to be, or below one, and any in what the output folder keeps for itself: what is there is in use."""
    try:
        place = os.path.realpath(path)
    except OSError:
        # As above.
        return
    own = os.path.join(os.path.realpath(root), OWN_FOLDER)  # noqa: PTH118 - as its real path is spelt
    above = [place, *map(str, Path(place).parents)]
    what = "what the output folder keeps for itself" if own in above else next((known[each] for each in above if each in known), None)
    if what is not None:
        raise ManifestError(option, (Problem("", f"names {what}, which is no place for a folder of logs"),))


def _own(place: str, root: Path, option: str) -> str | None:
    """What of marscore's own in the output folder this is, if it is: parts of files, what was unpacked, the report."""
    own = os.path.join(os.path.realpath(root), OWN_FOLDER)  # noqa: PTH118 - as its real path is spelt
    if os.path.dirname(place).startswith(own + os.sep):  # noqa: PTH120 - as above
        return "a file of what the output folder keeps for itself"
    is_report = place == os.path.join(own, "report.json")  # noqa: PTH118 - as above
    return "the report of the output folder" if is_report and option != "--report" else None
