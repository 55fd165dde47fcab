"""Events to the log's lines, with structlog's processors: text for people or JSON, in whatever process the events come up.

    event --report.record--> fields --structlog processors--> a line

A worker makes the lines of its own events, so that the parent of a hundred thousand downloads only has to pass them on. The processors
are called without structlog's logger around them: what that adds for each call (binding, filtering, looking up) costs as much as the line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, get_args

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from marscore.adapters.terminal import printable
from marscore.events import Event, LogLevel, ProgressMade, level_of, name_of
from marscore.report.record import record_of
from marscore.settings import LineSettings, LineStyle

_RANK: dict[LogLevel, int] = {level: number for number, level in enumerate(get_args(LogLevel))}
#: What only programs want to know of a line; the report and the JSON lines have it.
_NOT_FOR_PEOPLE = frozenset({"run_id", "mtime_ns", "inode", "last_modified", "digests", "etag", "segments", "started_at"})


class LineMaker:
    """Writes events as lines in every style that is wanted."""

    def __init__(self, settings: LineSettings) -> None:
        self._run_id = settings.run_id
        self._least = _RANK[settings.level]
        self._chains = [_chain(style) for style in settings.styles]

    def texts(self, events: Iterable[Event]) -> tuple[str, ...]:
        """One text for each style: the events' lines, each with its end. Readings of progress have none."""
        lines: list[list[str]] = [[] for _ in self._chains]
        if not lines:
            return ()
        for event in events:
            kind: Any = type(event)
            rank, level, name = _kind_of(kind)
            if rank < self._least or isinstance(event, ProgressMade):
                continue
            fields = record_of(event, level=level, event=name, run_id=self._run_id)
            for chain, made in zip(self._chains, lines, strict=True):
                made.append(_rendered(chain, fields.copy()))
        return tuple("".join(made) for made in lines)


@cache
def _kind_of(kind: Any) -> tuple[int, LogLevel, str]:
    level = level_of(kind)
    return _RANK[level], level, name_of(kind)


def _rendered(chain: list[Processor], line: EventDict) -> str:
    done: Any = line
    for process in chain:
        done = process(None, "msg", done)
    return f"{done}\n"


def _chain(style: LineStyle) -> list[Processor]:
    if style.format == "json":
        return [structlog.processors.JSONRenderer(serializer=_json)]
    return [_for_people, structlog.dev.ConsoleRenderer(colors=style.colors, sort_keys=False, pad_event_to=0)]


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


def _json(line: EventDict, **_options: Any) -> str:
    # ASCII only, so that every stream can hold it; JSON itself leaves DEL as it is.
    text = _encode(line)
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text
