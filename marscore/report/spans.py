"""A run as spans of a trace: run > download > request. The same events, and no more is known here of OpenTelemetry than its words.

    events --SpanFold.add--> the span of a download that is over, with those of its requests
    RunFacts --run_attributes--> ; RunFinished --run_result--> what the span of the run says at its beginning and its end

Times are Unix seconds. Attributes are named by OpenTelemetry's conventions (opentelemetry.io/docs/specs/semconv/http/http-spans, files,
errors), and `marscore.…` where they have no name. What is secret is replaced, here and by whoever told the events. A file that is in place
and needed no transfer has no span: a million of them would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    DownloadSkipped,
    DownloadStarted,
    Event,
    HostPaused,
    MirrorDropped,
    MirrorSwitched,
    Outcome,
    RangesUnsupported,
    RequestsMade,
    ResumeDiscarded,
    RetryScheduled,
    RunFinished,
    fields_of,
    name_of,
)
from marscore.frozen import dataclass
from marscore.policy.redact import Redactor
from marscore.report.entry import status_of
from marscore.report.fold import RunFacts
from marscore.report.record import well_formed
from marscore.resolve.model import Download
from marscore.values import MadeRequest

Attributes: TypeAlias = Mapping[str, str | int | float]

#: What happened on a download's way, told as events of its span. One has no more than OpenTelemetry keeps of them.
Told: TypeAlias = RetryScheduled | DownloadResumed | ResumeDiscarded | MirrorSwitched | MirrorDropped | RangesUnsupported | HostPaused
MOST_EVENTS = 128
#: How fields of these events are called where OpenTelemetry has a name.
_NAMES = {
    "kind": "error.type",
    "status": "http.response.status_code",
    "url": "url.full",
    "message": "error.message",
}
_NOT_TOLD = frozenset({"at", "download", "path"})


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at a time."""

    name: str
    at: float
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took from one time to another; `error` says why it failed, if it did ("": the attributes say it)."""

    name: str
    kind: Literal["internal", "client"]
    began: float
    ended: float
    attributes: Attributes
    events: tuple[SpanEvent, ...] = ()
    error: str | None = None
    children: tuple[Span, ...] = ()


@dataclass(slots=True)
class _Open:
    """A download on its way."""

    began: float | None = None
    events: list[SpanEvent] = field(default_factory=list)
    made: RequestsMade | None = None


class SpanFold:
    """Makes spans of one run's events. Not safe to share between threads."""

    def __init__(self, downloads: Mapping[str, Download], redactor: Redactor) -> None:
        """Begin; `downloads` are known by id, each at least until it is over."""
        self._downloads = downloads
        self._redactor = redactor
        self._open: dict[str, _Open] = {}

    def add(self, event: Event) -> Span | None:
        """Take the next event; returns a download's span where that is its outcome, and it ever began or failed."""
        match event:
            case DownloadStarted():
                self._of(event.download).began = event.at
            case RequestsMade():
                self._of(event.download).made = event
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                return self._close(event)
            case _ if isinstance(event, Told):
                events = self._of(event.download).events
                if len(events) < MOST_EVENTS:
                    events.append(SpanEvent(name_of(type(event)), event.at, _attributes_of(event)))
        return None

    def _of(self, download: str) -> _Open:
        return self._open.setdefault(download, _Open())

    def _close(self, event: Outcome) -> Span | None:
        had = self._open.pop(event.download, None) or _Open()
        download = self._downloads.get(event.download)
        began = had.began if isinstance(event, DownloadSkipped) else event.started_at or had.began
        if download is None or isinstance(event, DownloadSkipped) or (began is None and isinstance(event, DownloadFinished)):
            return None
        made = had.made.requests if had.made else ()
        left_out = {"marscore.requests.left_out": had.made.left_out} if had.made and had.made.left_out else {}
        return Span(
            name="download",
            kind="internal",
            began=event.at if began is None else began,
            ended=event.at,
            attributes={**self._attributes(download, event), **left_out},
            events=tuple(had.events),
            error=well_formed(event.message) if isinstance(event, DownloadFailed) else None,
            children=tuple(self._requests(download, made)),
        )

    def _attributes(self, download: Download, event: DownloadFinished | DownloadFailed) -> dict[str, str | int | float]:
        attributes: dict[str, str | int | float] = {
            "marscore.download.id": download.id,
            "marscore.download.status": status_of(event),
            "marscore.download.bytes_downloaded": event.bytes_downloaded,
            "marscore.download.bytes_resumed": event.bytes_resumed,
            "file.path": well_formed(download.path),
            "url.full": well_formed(self._redactor.url(download.url)),
        }
        if isinstance(event, DownloadFinished):
            return {**attributes, "file.size": event.size}
        attributes["error.type"] = event.kind
        return attributes if event.status is None else {**attributes, "http.response.status_code": event.status}

    def _requests(self, download: Download, made: Sequence[MadeRequest]) -> Iterable[Span]:
        places = [well_formed(self._redactor.url(source)) for source in download.sources]
        for request, again in zip(made, _resends(made), strict=True):
            yield _request_span(request, places[request.source], again)


def run_attributes(facts: RunFacts, redactor: Redactor) -> Attributes:
    """What the span of a run says from the beginning."""
    attributes = {"marscore.run.id": facts.run_id, "marscore.manifest.path": well_formed(facts.manifest)}
    return attributes if facts.name is None else {**attributes, "marscore.run.name": well_formed(redactor.text(facts.name))}


def run_result(event: RunFinished) -> Attributes:
    """What it says at the end."""
    counts = ("downloaded", "up_to_date", "cached", "failed", "interrupted", "skipped", "bytes_downloaded", "bytes_resumed", "retries")
    sums = {f"marscore.run.{name}": getattr(event, name) for name in counts}
    failed = {} if event.status == "succeeded" else {"error.type": event.status}
    return {"process.exit.code": event.exit_code, **sums, **failed}


def _request_span(request: MadeRequest, url: str, again: int) -> Span:
    attributes: dict[str, str | int | float] = {
        "http.request.method": "GET",
        "url.full": url,
        **_server(url),
        "marscore.range.offset": request.offset,
        "http.response.body.size": request.length,
    }
    if request.status is not None:
        attributes["http.response.status_code"] = request.status
    if again:
        attributes["http.request.resend_count"] = again
    failed = request.status is not None and request.status >= 400
    if failed or request.failure is not None:
        # The convention: the status where that is the error.
        attributes["error.type"] = str(request.status) if failed else str(request.failure)
    events = () if request.answered is None else (SpanEvent("response_head", request.answered, {}),)
    error = "" if "error.type" in attributes else None
    return Span("GET", "client", request.began, request.ended, attributes, events, error)


def _server(url: str) -> dict[str, str | int | float]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        # What stands for a secret may stand anywhere.
        return {}
    return {"server.address": parts.hostname or "", **({} if port is None else {"server.port": port})}


def _resends(made: Sequence[MadeRequest]) -> Iterable[int]:
    """How often each was sent before: one that goes on where another failed is sent again."""
    failed: dict[int, int] = {}
    counts: dict[int, int] = {}
    for number in sorted(range(len(made)), key=lambda number: made[number].began):
        request = made[number]
        counts[number] = failed.pop(request.offset, 0)
        if request.failure is not None or (request.status or 0) >= 400:
            failed[request.offset + request.length] = counts[number] + 1
    return [counts[number] for number in range(len(made))]


def _attributes_of(event: Told) -> Attributes:
    told = {name: value for name, value in fields_of(event).items() if value is not None and name not in _NOT_TOLD}
    return {
        _NAMES.get(name, f"marscore.{name}"): well_formed(value) if isinstance(value, str) else _number(value)
        for name, value in told.items()
    }


def _number(value: object) -> int | float:
    assert isinstance(value, int | float), "events of this kind hold text and numbers"
    return value
