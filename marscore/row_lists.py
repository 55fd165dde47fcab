"""Files of rows that are elsewhere, had before they are read: from servers by the engine, as any download; from object stores by obstore.

job of its lists --an inner run, or a look at the store--> .marscore/lists, where each of them is whole and right, or the run ends
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import Folder
from marscore.adapters.files.old_lists import note_use, remove_unused
from marscore.adapters.stores.objects import Objects
from marscore.adapters.stores.opened import is_installed
from marscore.adapters.stores.waiting import patiently
from marscore.destination import Destination, parse_destination
from marscore.errors import ManifestError, Problem, StorageError
from marscore.extras import installing
from marscore.job import Job
from marscore.policy.retry import Patience
from marscore.report.ended import Ended
from marscore.report.words import IN_PLACE
from marscore.resolve.model import Download
from marscore.values import OWN_FOLDER, Failure

#: Carries out a job.
Fetch: TypeAlias = Callable[[Job], Ended]


def refuse_session(job: Job) -> None:
    """Refuse lists that the manifest does not pin: what a caller's session sends would go to them, and wherever their rows lead.

    Raises:
        ManifestError: there are some.
    """
    loose = [
        Problem(each.id, "is not pinned by a checksum, and is not read with a session: its credentials would go where the list says")
        for each in job.downloads
        if not each.checksums
    ]
    if loose:
        raise ManifestError(job.source, tuple(loose))


def have(job: Job, fetch: Fetch, check: Callable[[], None]) -> None:
    """Have the files of rows that are the job's downloads, below its own folder.

    Raises:
        StorageError: one of them cannot be had. One that an earlier run had stays as it is then.
    """
    root = job.root / OWN_FOLDER / "lists"
    from_servers = tuple(each for each in job.downloads if each.url.lower().startswith("http"))
    if from_servers:
        _fetched(replace(job, downloads=from_servers, root=root), fetch)
    for each in job.downloads:
        if each not in from_servers:
            _saved(job, each, root / each.path, check)
        note_use(root / each.path)
    if job.network == "used":
        remove_unused(root, SystemClock().now())


def _fetched(job: Job, fetch: Fetch) -> None:
    execution = replace(job.execution, processes=1, fail_fast="never")
    # What the manifest names for the end of its run is not for the end of this one; and no cache holds what is asked for anew each time.
    ended = fetch(replace(job, name=None, sha256=None, hooks=None, cache=None, execution=execution, inputs=()))
    outcomes: Mapping[str, Mapping[str, object]] = {entry["id"]: entry for entry in map(json.loads, ended.entries())}
    for each in job.downloads:
        entry = outcomes.get(each.id, {})
        if entry.get("status") in IN_PLACE:
            continue
        error = entry.get("error")
        message = error["message"] if isinstance(error, Mapping) else ended.trouble.message if ended.trouble else "the run ended first"
        raise _not_had(job, each, str(message))


def _saved(job: Job, download: Download, place: Path, check: Callable[[], None]) -> None:
    """Write an object to a file, which appears whole and right or not at all."""
    if job.network == "offline":
        if not place.exists():
            raise _not_had(job, download, "it is not here, and nobody is asked")
        _prove(job, download, place)
        return
    where = parse_destination(download.url)
    assert isinstance(where, Destination), "it was read as one"
    if not is_installed():
        raise _not_had(job, download, f"object stores need obstore: {installing('stores')}")
    objects = Objects(replace(where, prefix=""), Patience(download.options.retry, download.options.access.timeouts))
    part = place.with_suffix(".part")
    try:
        with naming("cannot keep a list"):
            place.parent.mkdir(parents=True, exist_ok=True)
        if patiently(lambda: objects.save(where.prefix, part, download.options.max_size), check) is None:
            raise _not_had(job, download, "there is no such object")
        _prove(job, download, part)
        with naming("cannot keep a list"):
            part.replace(place)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _prove(job: Job, download: Download, file: Path) -> None:
    algorithms = [each.algorithm for each in download.checksums]
    digests = Folder(file.parent).measure(file.name, algorithms).digests if algorithms else {}
    wrong = next((each for each in download.checksums if digests[each.algorithm] != each.hex), None)
    if wrong is not None:
        raise _not_had(job, download, f"its {wrong.algorithm} is {digests[wrong.algorithm]}, and should be {wrong.hex}")


def _not_had(job: Job, download: Download, message: str) -> StorageError:
    more = "" if job.network == "offline" else "; --offline takes the one of the last run"
    told = f"the list {job.redactor.url(download.url)} could not be had: {job.redactor.text(message)}{more}"
    return StorageError(Failure("path", told))
