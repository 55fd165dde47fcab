"""The one vocabulary in which a run tells what happens; log, progress, report and exit code are folds of this stream.

A worker emits these and nothing else. They are frozen, survive pickle, and carry plain values only. `at` is Unix time in seconds.
`name_of` gives the event's public name (`RetryScheduled` -> `retry_scheduled`), `fields_of` its public fields.

`path`, last in most events about a download, is where it goes, relative to the output folder. Programs that listen get it (`located`);
within a run it is None, since the log and the report know it by the download.

This file is longer than the house's 300 lines, since it is the whole vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.values import FailureKind, FetchedRange, MadeRequest, Unpacked

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    at: float
    name: str | None
    manifest: str
    output_dir: str


@dataclass(frozen=True, slots=True)
class PlanCompiled:
    """`downloads` counts all that is wanted, `up_to_date` those of them that need no transfer."""

    at: float
    processes: int
    threads: int
    downloads: int
    up_to_date: int


@dataclass(frozen=True, slots=True)
class ProvingStarted:
    """So many files in place, of so many bytes together, are hashed first, since what is known of them may not hold any more."""

    at: float
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user chose and should know about, such as unverified TLS."""

    at: float
    download: str | None
    message: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class NotLocked:
    """A lock is used, and it does not name this download, which is taken as the server has it."""

    at: float
    download: str
    path: str


@dataclass(frozen=True, slots=True)
class UrlChanged:
    """The file in place came from another URL than the manifest's, and its checksum holds: it is taken as it is."""

    at: float
    download: str
    path: str


@dataclass(frozen=True, slots=True)
class ListRead:
    """A publisher's list of checksums was read, which names `digests` files. `status`: how it came, as a download; `read`: from a path."""

    at: float
    source: str
    digests: int
    status: str


@dataclass(frozen=True, slots=True)
class DownloadStarted:
    at: float
    download: str
    url: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadResumed:
    """The file is built on `pieces` that were read back from disk and proven; they hold `bytes_resumed` bytes."""

    at: float
    download: str
    bytes_resumed: int
    pieces: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ResumeDiscarded:
    """Bytes from before were not used: they will be fetched again."""

    at: float
    download: str
    reason: str
    bytes_discarded: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """`attempt` is the number of the coming retry of this range, from 1; `max_retries` is the limit for this kind."""

    at: float
    download: str
    attempt: int
    max_retries: int
    kind: FailureKind
    status: int | None
    wait_s: float
    url: str
    message: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class HostPaused:
    at: float
    download: str
    host: str
    wait_s: float
    path: str | None = None


@dataclass(frozen=True, slots=True)
class HostPaced:
    """The host refuses what it is asked too fast: from now on it is asked `rate` times a second."""

    at: float
    download: str
    host: str
    rate: float
    path: str | None = None


@dataclass(frozen=True, slots=True)
class MirrorSwitched:
    at: float
    download: str
    from_: str
    to: str
    reason: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class MirrorDropped:
    """Of several sources that bring a file at once one is asked no more: it has another file, fails, or sent wrong bytes."""

    at: float
    download: str
    url: str
    reason: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class RangesUnsupported:
    at: float
    download: str
    url: str
    reason: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request for bytes of a file is over: told where the log on standard error is asked for from debug up (`-vv`).

    `status` is that of its answer, None where none came; behind redirects, which are told by themselves, that of the last. `length` bytes
    were written from `offset` on. `first_byte_s` is how long the head of the answer took, connection, TLS and the wait for one included;
    `failure` is why it failed, if it did.
    """

    at: float
    download: str
    url: str
    status: int | None
    failure: FailureKind | None
    offset: int
    length: int
    first_byte_s: float | None
    duration_s: float
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionRedialled:
    """A connection was much slower than the others of its file, and a new one goes on in its place. Speeds are in bytes a second."""

    at: float
    download: str
    url: str
    speed: int
    others_speed: int
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Redirected:
    at: float
    download: str
    from_: str
    to: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ChecksumVerified:
    """`field` is the header field of an answer that named the digest; None where the manifest or the lock did."""

    at: float
    download: str
    checksum: str
    field: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """How many bytes of a file a source brought, of several."""

    url: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DownloadFinished:
    """The file is in place under its name. `digests` is `algorithm:hex`, sha256 first; mtime and inode identify the file.

    `cached`: it came from the cache, without a request; its source is "cache".

    `unpacked` says what came of an archive that the manifest wants unpacked; it is in place as well.

    ETag and Last-Modified are those that a source may be asked about: no date that another version may have too. That is the download's own
    URL, or the one whose key is `validator_of`. `sources` says how many bytes each brought where several brought some.
    """

    at: float
    download: str
    status: Literal["downloaded", "up_to_date", "cached"]
    reason: str
    size: int
    digests: tuple[str, ...]
    mtime_ns: int
    inode: int
    source: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    bytes_downloaded: int = 0
    bytes_resumed: int = 0
    segments: int = 0
    started_at: float | None = None
    duration_s: float = 0.0
    unpacked: Unpacked | None = None
    validator_of: str | None = None
    sources: tuple[Brought, ...] | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """The download is not in place. Kind `interrupted` means: told to stop, the next run resumes. `size` is what is known of the file's."""

    at: float
    download: str
    kind: FailureKind
    message: str
    status: int | None = None
    url: str | None = None
    bytes_downloaded: int = 0
    bytes_resumed: int = 0
    segments: int = 0
    started_at: float | None = None
    duration_s: float = 0.0
    size: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadAsked:
    """A server was asked about a file of which nothing was fetched: what its answer, of this HTTP status, shows of the file there.

    `said` is current where it says that the file is the one that was asked about; `by` is target where it is another URL's that answered,
    behind a redirect. `digests` are those that it announces of the whole, as `algorithm:hex`.
    """

    at: float
    download: str
    url: str
    status: int
    said: Literal["current", "shown"]
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    digests: tuple[str, ...] = ()
    by: Literal["url", "target"] = "url"
    encoding: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadSkipped:
    """The download was never started, since the run ended before its turn."""

    at: float
    download: str
    reason: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class HookStarted:
    """The run is over, and a program of the manifest begins. Its arguments are not told."""

    at: float
    hook: Literal["on_success", "on_failure"]
    program: str


@dataclass(frozen=True, slots=True)
class HookFinished:
    """It has ended: `exit_code` is 128 + n after signal n; there is none where it could not be started. `reason` says what went wrong."""

    at: float
    hook: Literal["on_success", "on_failure"]
    program: str
    exit_code: int | None
    duration_s: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunFinished:
    """`report` is the file that holds the report, or the name of the stream that it went to; None where it could not be written."""

    at: float
    status: Literal["succeeded", "failed", "interrupted"]
    exit_code: int
    downloaded: int
    up_to_date: int
    cached: int
    failed: int
    interrupted: int
    skipped: int
    bytes_downloaded: int
    bytes_resumed: int
    retries: int
    duration_s: float
    report: str | None = None
    output_dir: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressMade:
    """How far one active download is: a reading of counters for the progress display, never logged.

    `threads_active` connections are at work on it now, `threads_finished` have done their part and left.
    """

    at: float
    download: str
    bytes_done: int
    size: int | None
    bytes_downloaded: int
    threads_active: int
    threads_finished: int


@dataclass(frozen=True, slots=True)
class ProofMade:
    """How far the hashing of files in place is: a reading for the progress display, never logged."""

    at: float
    files_done: int
    bytes_done: int


@dataclass(frozen=True, slots=True)
class RangesFetched:
    """How a download's bytes came, told before its outcome where that says more than its times: for the report, never logged.

    `left_out` counts those beyond the first thousand.
    """

    at: float
    download: str
    ranges: tuple[FetchedRange, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class RequestsMade:
    """The requests of a download, in the order in which they ended, told before its outcome where the run is traced; never logged.

    `left_out` counts those beyond the first thousand.
    """

    at: float
    download: str
    requests: tuple[MadeRequest, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """So many bytes of bodies came in one process within the last `duration_s`: for the report, never logged."""

    at: float
    bytes: int
    duration_s: float


LoggedEvent: TypeAlias = (
    RunStarted
    | ProvingStarted
    | PlanCompiled
    | Warned
    | NotLocked
    | UrlChanged
    | ListRead
    | DownloadStarted
    | DownloadResumed
    | ResumeDiscarded
    | RetryScheduled
    | HostPaused
    | HostPaced
    | MirrorSwitched
    | MirrorDropped
    | RangesUnsupported
    | ConnectionRedialled
    | RequestFinished
    | Redirected
    | ChecksumVerified
    | DownloadFinished
    | DownloadFailed
    | DownloadAsked
    | DownloadSkipped
    | HookStarted
    | HookFinished
    | RunFinished
)
#: For the eye, the report and a trace only.
UnloggedEvent: TypeAlias = ProgressMade | ProofMade | RangesFetched | RequestsMade | BytesReceived
Event: TypeAlias = LoggedEvent | UnloggedEvent
#: The events that close a download: exactly one of them comes for each.
Outcome: TypeAlias = DownloadFinished | DownloadFailed | DownloadSkipped
#: What closes one of which a server was only asked, besides these.
AnyOutcome: TypeAlias = Outcome | DownloadAsked

_LEVELS: dict[str, LogLevel] = {
    "Warned": "warning",
    "NotLocked": "warning",
    "UrlChanged": "warning",
    "ResumeDiscarded": "warning",
    "RetryScheduled": "warning",
    "HostPaused": "warning",
    "MirrorSwitched": "warning",
    "MirrorDropped": "warning",
    "DownloadFailed": "error",
    "RangesUnsupported": "info",
    "RequestFinished": "debug",
    "ProgressMade": "debug",
    "ProofMade": "debug",
    "RangesFetched": "debug",
    "RequestsMade": "debug",
    "BytesReceived": "debug",
}


def name_of(kind: type) -> str:
    """The public name of an event class: `RetryScheduled` -> `retry_scheduled`."""
    return _snake(kind.__name__)


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def level_of(kind: type) -> LogLevel:
    """The level at which events of a class are logged."""
    return _LEVELS.get(kind.__name__, "info")


@cache
def shape_of(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The public names of an event class's fields (`from_` -> `from`), `at` included, and what reads their values off an event.

    A path that is for listeners alone is not among them.
    """
    names = tuple(field.name for field in fields(kind) if field.name != "path" or not _is_located(kind))
    return tuple(name.rstrip("_") for name in names), attrgetter(*names)


@cache
def _is_located(kind: Any) -> bool:
    """Whether events of a class get their path when a program is told of them."""
    return any(field.name == "path" and field.default is None for field in fields(kind))


def located(event: Event, path_of: Callable[[str], str | None]) -> Event:
    """The event as a program gets it: with the path of its download, if it is about one."""
    told: Any = event
    download = getattr(event, "download", None)
    if download is None or not _is_located(told.__class__):
        return event
    found: Event = replace(told, path=path_of(download))
    return found


def fields_of(event: Event) -> dict[str, object]:
    """The event's fields by public name, `at` included; a path that is not known is left out."""
    kind: Any = type(event)
    names, values_of = shape_of(kind)
    path = getattr(event, "path", None)
    return dict(zip(names, values_of(event), strict=True)) | ({} if path is None else {"path": path})
