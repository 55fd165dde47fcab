"""Events to the log's lines: text for people, with structlog's renderer, or JSON, in whatever process the events come up.

    event --report.record--> fields --a chain of processors--> a line
    event --a form of its own--> the same line of JSON, for the two events that every download has

A worker makes the lines of its own events, so that the parent of a hundred thousand downloads only has to pass them on. The processors
are called without structlog's logger around them: what that adds for each call (binding, filtering, looking up) costs as much as the line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from marscore.adapters.imports import only_needed_if_own
from marscore.adapters.terminal.streams import printable
from marscore.events import DownloadFinished, DownloadStarted, LogLevel, UnloggedEvent, level_of, name_of
from marscore.report.record import record_of, rfc3339, seconds, well_formed
from marscore.settings import LineSettings, LineStyle

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_quoted = json.encoder.encode_basestring_ascii
_UNLOGGED = get_args(UnloggedEvent)
_RANK: dict[LogLevel, int] = {level: number for number, level in enumerate(get_args(LogLevel))}
#: What only programs want to know of a line; the report and the JSON lines have it.
_NOT_FOR_PEOPLE = frozenset(
    {"run_id", "mtime_ns", "inode", "last_modified", "digests", "etag", "segments", "started_at", "validator_of", "sources"}
)


#: Where a download goes, by its id, relative to the output folder; None where that is not known.
PathOf: TypeAlias = Callable[[str], str | None]


class LineMaker:
    """Writes events as lines in every style that is wanted. Of a download's path `path_of` is asked: within a run no event carries it."""

    def __init__(self, settings: LineSettings, path_of: PathOf = lambda _: None) -> None:
        self._run_id = settings.run_id
        self._path_of = path_of
        self._leasts = [_RANK[style.level or settings.level] for style in settings.styles]
        self._least = min(self._leasts, default=0)
        leads = {kind: json.dumps(self._lead(kind))[1:-1].replace("%", "%%") for kind in _MANY}
        quick: dict[Any, Any] = {kind: make(leads[kind], path_of) for kind, make in _MANY.items()}
        self._styles = [(quick if style.format == "json" else {}, partial(self._line, _chain(style))) for style in settings.styles]

    def texts(self, events: Iterable[Any]) -> tuple[str, ...]:
        """One text for each style: the events' lines, each with its end. What is only for the eye or the report has none."""
        if not self._styles:
            return ()
        wanted = [event for event in events if _rank_of(event.__class__) >= self._least]
        if all(least == self._least for least in self._leasts):
            return tuple("".join([quick.get(type(event), slow)(event) for event in wanted]) for quick, slow in self._styles)
        return tuple(
            "".join([quick.get(type(event), slow)(event) for event in wanted if _rank_of(event.__class__) >= least])
            for least, (quick, slow) in zip(self._leasts, self._styles, strict=True)
        )

    def _line(self, chain: list[Processor], event: Any) -> str:
        kind = type(event)
        lead: dict[str, object] = {**self._lead(kind)}
        download = getattr(event, "download", None)
        if download is not None and (path := self._path_of(download)) is not None:
            lead.update(download=download, path=well_formed(path))
        done: Any = record_of(event, **lead)
        for process in chain:
            done = process(None, "msg", done)
        return f"{done}\n"

    def _lead(self, kind: Any) -> dict[str, str]:
        """What the log adds to every line of a class of events."""
        return {"level": level_of(kind), "event": name_of(kind), "run_id": self._run_id}


def _started(lead: str, path_of: PathOf) -> Callable[[DownloadStarted], str]:
    """Writes lines as `_json` does, in a third of the time, for an event that every download has."""
    form = f'{{"timestamp": "%s", {lead}, "download": %s%s, "url": %s}}\n'
    return lambda event: _ascii(
        form % (rfc3339(event.at), _quoted(event.download), _path_field(path_of(event.download)), _quoted(event.url))
    )


def _finished(lead: str, path_of: PathOf) -> Callable[[DownloadFinished], str]:
    """The same for the event that ends most of them. What has no value is left out with its name."""
    form = (
        f'{{"timestamp": "%s", {lead}, "download": %s%s, "status": "%s", "reason": %s, "size": %s, "digests": [%s], '
        '"mtime_ns": %s, "inode": %s%s%s%s, "bytes_downloaded": %s, "bytes_resumed": %s, "segments": %s%s, "duration_s": %s%s%s%s}\n'
    )

    def line(event: DownloadFinished) -> str:
        source, etag, modified, started_at = event.source, event.etag, event.last_modified, event.started_at
        text = form % (
            rfc3339(event.at),
            _quoted(event.download),
            _path_field(path_of(event.download)),
            event.status,
            _quoted(event.reason),
            event.size,
            ", ".join([_quoted(digest) for digest in event.digests]),
            event.mtime_ns,
            event.inode,
            "" if source is None else f', "source": {_quoted(source)}',
            "" if etag is None else f', "etag": {_quoted(etag)}',
            "" if modified is None else f', "last_modified": {_quoted(modified)}',
            event.bytes_downloaded,
            event.bytes_resumed,
            event.segments,
            "" if started_at is None else f', "started_at": "{rfc3339(started_at)}"',
            seconds(event.duration_s),
            "" if event.unpacked is None else f', "unpacked": {json.dumps(asdict(event.unpacked))}',
            "" if event.validator_of is None else f', "validator_of": {_quoted(event.validator_of)}',
            "" if event.sources is None else f', "sources": {json.dumps(list(map(asdict, event.sources)))}',
        )
        return _ascii(text)

    return line


def _path_field(path: str | None) -> str:
    return "" if path is None else f', "path": {_quoted(well_formed(path))}'


#: Of these events there are as many as there are downloads.
_MANY: dict[type, Callable[[str, PathOf], Callable[[Any], str]]] = {DownloadStarted: _started, DownloadFinished: _finished}


def wanted_from(level: LogLevel | None) -> Callable[[Any], bool]:
    """Whether an event is of this level or above; with None, none is."""
    if level is None:
        return lambda event: False
    least = _RANK[level]
    return lambda event: _rank_of(event.__class__) >= least


@cache
def _rank_of(kind: Any) -> int:
    return -1 if kind in _UNLOGGED else _RANK[level_of(kind)]


def _chain(style: LineStyle) -> list[Processor]:
    if style.format == "json":
        return [_json]
    return [_for_people, _structlog().dev.ConsoleRenderer(colors=style.colors, sort_keys=False, pad_event_to=0)]


@cache
def _structlog() -> Any:
    """It takes a tenth of a start, and only lines for people have a use for it."""
    import logging  # noqa: F401, PLC0415 - `only_needed` keeps it from asking asyncio, if it is there

    with only_needed_if_own():
        import structlog  # noqa: PLC0415 - as said

    return structlog


def _for_people(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return {name: _shown(value) for name, value in line.items() if name not in _NOT_FOR_PEOPLE and value is not None}


def _shown(value: object) -> object:
    if isinstance(value, list):
        value = ",".join(value)
    return printable(value) if isinstance(value, str) else value


def _encoder() -> Callable[[EventDict], str]:
    # json makes its C encoder anew for every value, which takes as long as encoding a line.
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(default=str).encode
    encode = make(None, str, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True)
    return lambda line: "".join(encode(line, 0))


_encode = _encoder()


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    # ASCII only, so that every stream can hold it; JSON itself leaves DEL as it is.
    return _ascii(_encode(line))


def quoted(text: str) -> str:
    """A text as JSON in a line of the log."""
    return _ascii(_quoted(text))


def _ascii(text: str) -> str:
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text
