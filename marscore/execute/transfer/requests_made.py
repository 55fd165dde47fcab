"""Each request of a download with its times, its answer and its failure: for a trace of the run and for its log, where somebody wants them.

segments that ended + the fact by which they did + what came of it --note--> MadeRequest --told--> RequestsMade, the event for a trace
                                                                                        --logged--> RequestFinished, a line of the log
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marscore.events import DownloadFailed, RequestFinished, RequestsMade, RetryScheduled
from marscore.execute.transfer.protocol import Command, Emit, Fact, Moment, Segment
from marscore.values import FailureKind, MadeRequest

#: Requests of one download that are told of.
MOST = 1000


class RequestNotes:
    """Those of one download from these sources."""

    __slots__ = ("_made", "_sources", "left_out")

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._made: list[MadeRequest] = []
        self.left_out = 0

    def note(self, segments: Iterable[Segment], fact: Fact, commands: Iterable[Command]) -> list[MadeRequest]:
        """These ended by a fact, to which `commands` answer."""
        made = [self._of(segment, fact, commands) for segment in segments]
        kept = made[: MOST - len(self._made)]
        self._made += kept
        self.left_out += len(made) - len(kept)
        return made

    def _of(self, segment: Segment, fact: Fact, commands: Iterable[Command]) -> MadeRequest:
        own = getattr(fact, "segment", None) is segment
        return MadeRequest(
            source=self._sources.index(segment.url),
            offset=segment.begin,
            length=segment.written - segment.begin,
            began=_unix(segment.asked_at, fact.at),
            answered=None if segment.answered_at is None else _unix(segment.answered_at, fact.at),
            ended=fact.at.unix,
            status=segment.status,
            failure=_failure(commands) if own else None,
        )

    def logged(self, made: Iterable[MadeRequest], download: str) -> list[Command]:
        """These as lines of the log."""
        return [
            Emit(
                RequestFinished(
                    at=each.ended,
                    download=download,
                    url=self._sources[each.source],
                    status=each.status,
                    failure=each.failure,
                    offset=each.offset,
                    length=each.length,
                    first_byte_s=None if each.answered is None else max(0.0, each.answered - each.began),
                    duration_s=max(0.0, each.ended - each.began),
                )
            )
            for each in made
        ]

    def told(self, at: float, download: str) -> RequestsMade:
        """All of them."""
        return RequestsMade(at, download, tuple(self._made), self.left_out)


def _unix(ticks: float, now: Moment) -> float:
    return now.unix - (now.ticks - ticks)


def _failure(commands: Iterable[Command]) -> FailureKind | None:
    events = (command.event for command in commands if isinstance(command, Emit))
    return next((event.kind for event in events if isinstance(event, RetryScheduled | DownloadFailed)), None)
