"""Checksums that publishers' lists name: the lists are had, each once, and the downloads get what they say.

    Downloads that await + their lists --an inner run into .marscore/lists, or a look at a path--> bytes --read_list, find--> checksums

A list is a download of its own, by the engine and the options of the downloads that name it; one of an earlier run is asked about.
One that cannot be had, or says nothing of a download, fails those that need it and no others (`Job.refused`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from marscore.adapters.clock import SystemClock
from marscore.adapters.files.old_lists import note_use, remove_unused
from marscore.adapters.files.regular import read_file
from marscore.events import LogLevel
from marscore.job import Job, ReadList
from marscore.policy.redirect import headers_for, sent_to
from marscore.report.ended import Ended
from marscore.report.words import IN_PLACE
from marscore.resolve.awaited import names_of
from marscore.resolve.checksum_list import ChecksumList, Missing, read_list
from marscore.resolve.model import Download, IfExists, ListSource, Options
from marscore.settings import RunSettings
from marscore.state import key_of
from marscore.url import parse_url
from marscore.values import OWN_FOLDER, Checksum, Failure, FailureKind

#: The largest list, in bytes: some six hundred thousand lines.
MAX_LIST = 64 * 1024 * 1024
#: What is said where a list cannot be asked for any more. What it said may be withdrawn: whoever wants it nevertheless has to say so.
_KEPT = "; nobody says what its files should be now: --offline takes what it said last, and a lock holds without it"
#: Carries out the job that fetches lists.
Fetch: TypeAlias = Callable[[Job], Ended]
_Had: TypeAlias = "ChecksumList | Failure"


def filled(job: Job, fetch: Fetch | None) -> Job:
    """The job with the checksums that its downloads await, and with what keeps some of them from being fetched.

    With no `fetch`, what is here is looked at and nobody is asked: all downloads go on to await their lists, those as well that have what
    these said before.
    """
    if not any(download.awaited for download in job.downloads):
        return job
    clock = SystemClock()
    began = clock.now(), clock.ticks()
    lists = _Lists(job, fetch)
    refused: dict[str, Failure] = {}
    downloads: list[Download] = []
    for download in job.downloads:
        found = lists.checksums_of(download) if download.awaited else download.checksums
        if isinstance(found, tuple):
            awaited = download.awaited if fetch is None else ()
            downloads.append(replace(download, checksums=found, awaited=awaited) if download.awaited else download)
        elif fetch is None:
            downloads.append(download)
        else:
            refused[download.id] = found
            downloads.append(replace(download, awaited=()))
    return replace(job, downloads=tuple(downloads), refused=refused, lists=tuple(lists.read), began=began)


def quiet(settings: RunSettings) -> RunSettings:
    """The settings of the run that fetches the lists: it has no report and no display, and tells what goes wrong."""
    level: LogLevel = "error" if settings.log_level == "error" else "warning"
    # A pipe is opened once, by the run itself.
    log_file = settings.log_file if settings.log_file is not None and Path(settings.log_file).is_file() else None
    own = replace(settings.of_inner_run(), traces="none")
    return replace(own, log_file=log_file, log_level=level, log_file_level=level)


class _Lists:
    """The lists of a job, each had when this is made."""

    def __init__(self, job: Job, fetch: Fetch | None) -> None:
        self._job = job
        self._had: dict[ListSource, _Had] = {}
        self.read: list[ReadList] = []
        named = _named_in(job.downloads, asks=job.network != "offline")
        self._root = job.root / OWN_FOLDER / "lists"
        asked = {source: options for source, options in named.items() if source.urls}
        outcomes: Mapping[ListSource, str | Failure]
        outcomes = _fetched(job, self._root, asked, fetch) if asked and fetch else dict.fromkeys(asked, "up_to_date")
        self._uses = fetch is not None
        for source in named:
            outcome = outcomes.get(source, "read")
            self._had[source] = outcome if isinstance(outcome, Failure) else self._look(source, outcome)
        if fetch is not None and job.network == "used":
            remove_unused(self._root, SystemClock().now())

    def checksums_of(self, download: Download) -> tuple[Checksum, ...] | Failure:
        """All checksums of a download, or why they are not known."""
        found = list(download.checksums)
        for awaited in download.awaited:
            had = self._had[awaited.source]
            if isinstance(had, Failure):
                return had
            checksum = had.find(names_of(download.url, awaited), awaited.algorithm)
            if isinstance(checksum, Missing):
                return Failure("checksum", f"the list {awaited.source.place} {checksum.message}")
            found.append(checksum)
        return tuple(dict.fromkeys(found))

    def _look(self, source: ListSource, status: str) -> _Had:
        place = self._root / _file_of(source) if source.urls else self._job.folder / source.place
        try:
            data = _bytes_of(place)
        except (OSError, ValueError) as error:
            kind: FailureKind = "permission" if isinstance(error, PermissionError) else "path"
            return Failure(kind, f"the list {source.place} cannot be read: {getattr(error, 'strerror', None) or error}")
        if self._uses and source.urls:
            note_use(place)
        found = read_list(data, source.place.partition("?")[0].rpartition("/")[2])
        if isinstance(found, Missing):
            return Failure("checksum", f"the list {source.place} {found.message}")
        self.read.append(ReadList(source.place, len(found.named) or len(found.nameless), status))
        return found


def _named_in(downloads: Iterable[Download], asks: bool) -> dict[ListSource, Options]:
    """The lists that downloads name, and how each is asked for."""
    named: dict[ListSource, tuple[Options, bool]] = {}
    for download in downloads:
        for source in {awaited.source for awaited in download.awaited}:
            # Of options that may send all to the list's origin, the first are taken.
            if source not in named or not named[source][1]:
                options, is_own = _options_for(download, source, asks)
                if source not in named or is_own:
                    named[source] = options, is_own
    return {source: options for source, (options, _) in named.items()}


def _options_for(download: Download, source: ListSource, asks: bool) -> tuple[Options, bool]:
    """The options of a download as its list may have them, and whether those are all.

    What the manifest sends to the download's origin goes to no other: a list elsewhere gets what the target of a redirect would. Where
    nobody is asked (`asks`), the list of the last run is taken as it is.
    """
    if_exists: IfExists = "refresh" if asks and not source.checksums else "keep"
    options = replace(download.options, if_exists=if_exists, threads=1, max_size=MAX_LIST, tags=())
    if not source.urls:
        return options, True
    own, urls = parse_url(download.url), list(map(parse_url, source.urls))
    if all(sent_to(own, url) for url in urls):
        return options, True
    other = next(url for url in urls if not sent_to(own, url))
    headers = tuple(headers_for(options.access, own, other).items())
    return replace(options, headers=headers, auth="netrc" if options.auth == "netrc" else None, cert=None), False


def _fetched(job: Job, root: Path, asked: Mapping[ListSource, Options], fetch: Fetch) -> dict[ListSource, str | Failure]:
    """Have the lists of URLs in `root`; says how each came, or why it did not."""
    downloads = {
        source: Download(
            f"checksums[{number}]",
            source.urls,
            _file_of(source),
            options,
            source.checksums,
            original=None if source.urls[0] == source.place else source.place,
        )
        for number, (source, options) in enumerate(asked.items())
    }
    execution = replace(job.execution, processes=1, fail_fast="never")
    # What the manifest names for the end of its run is not for the end of this one.
    alone = replace(job, name=None, sha256=None, not_locked=(), hooks=None, store=None, engine=None)
    inner = replace(alone, execution=execution, downloads=tuple(downloads.values()), root=root)
    ended = fetch(inner)
    told = {entry["id"]: entry for entry in map(json.loads, ended.entries())}
    kept = {source for source, download in downloads.items() if os.path.lexists(root / download.path)} if job.network == "used" else set()
    return {
        source: _outcome(source, told.get(download.id, {}), ended, _KEPT if source in kept else "")
        for source, download in downloads.items()
    }


def _outcome(source: ListSource, entry: Mapping[str, object], ended: Ended, more: str) -> str | Failure:
    """How a list came, or why it did not; `more` is what is to be said besides then."""
    status = entry.get("status")
    if status in IN_PLACE:
        return str(status)
    error = entry.get("error")
    if isinstance(error, Mapping):
        failure = Failure(error["kind"], error["message"], error.get("status"))
    else:
        failure = ended.trouble or Failure("interrupted", "the run ended first")
    return replace(failure, message=f"the list {source.place} could not be had: {failure.message}{more}")


def _file_of(source: ListSource) -> str:
    return f"{key_of(chr(10).join([*source.urls, *map(str, source.checksums)]))}.txt"


def _bytes_of(place: Path) -> bytes:
    data = read_file(os.fspath(place), MAX_LIST + 1)
    if len(data) > MAX_LIST:
        raise ValueError(f"it is larger than {MAX_LIST // 2**20} MiB")
    return data
