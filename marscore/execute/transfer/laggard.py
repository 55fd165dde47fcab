"""Which connection of a file is given up for a new one: slow beside its siblings or other sources, or mute while others have no work.

active segments + those that ended lately --Laggards.found(ticks)--> a segment, its `lag` set | None
"""

from __future__ import annotations

from marscore.execute.transfer.ledger import Ledger
from marscore.execute.transfer.protocol import Segment
from marscore.execute.transfer.source import Sources
from marscore.policy.pacing import MAX_REDIALS, PACE_REMEMBERED, Lag, lag_of

#: Seconds after which a source that does not answer keeps its range from the others, where nothing else is left for them.
MUTE = 5.0


class Laggards:
    """Looks for them among the active segments of one file. It changes nothing but their `lag` and `for_others`."""

    __slots__ = ("_ledger", "_sources", "_speeds", "redials")

    def __init__(self, ledger: Ledger, sources: Sources) -> None:
        self._ledger = ledger
        self._sources = sources
        #: Connections that were opened anew for this so far.
        self.redials = 0
        #: When those segments ended that did lately, with their URL and their speed.
        self._speeds: tuple[tuple[float, str, float], ...] = ()

    def note_end(self, segment: Segment, ticks: float) -> None:
        """Compare others with this one, which has brought all that it should."""
        if segment.pace and (speed := segment.pace.mean(ticks)):
            self._speeds = (*self._speeds[-7:], (ticks, segment.url, speed))

    def found(self, ticks: float) -> Segment | None:
        """A segment whose connection is so slow, or silent, that a new one is due; its `lag` says how slow."""
        if mute := self._mute(ticks):
            return mute
        paces = [(s, s.pace) for s in self._ledger.active if s.pace]
        looked = [(s, pace.speed) for s, pace in paces if pace.look(ticks) and pace.speed is not None]
        given_up = self.redials + sum(s.lag is not None for s, _ in paces)
        if not looked or given_up >= MAX_REDIALS or not self._sources.first.known.resumable:
            return None
        lately = [(url, speed) for at, url, speed in self._speeds if ticks - at <= PACE_REMEMBERED]
        for segment, speed in looked:
            if segment.lag is not None:
                continue
            others = [(s.url, pace.speed) for s, pace in paces if s is not segment and pace.speed is not None] + lately
            siblings = [other for url, other in others if url == segment.url]
            segment.lag = lag_of(speed, siblings, segment.remaining) or self._lag_of_source(segment, speed, others, ticks)
            if segment.lag is not None:
                return segment
        return None

    def _lag_of_source(self, segment: Segment, speed: float, others: list[tuple[str, float]], ticks: float) -> Lag | None:
        """Why a connection lags behind those of other sources: it brings nothing, or it is the last of the file that is waited for."""
        if not self._sources.share_work or (speed and self._ledger.pending) or not self._others_are_ready(segment, ticks):
            return None
        lag = lag_of(speed, [other for _, other in others], segment.remaining)
        segment.for_others = lag is not None
        return lag

    def _mute(self, ticks: float) -> Segment | None:
        """A segment whose source does not answer, while others have nothing left to do."""
        if self._ledger.pending or not self._sources.share_work:
            return None
        for segment in self._ledger.active:
            waits = not segment.receiving and segment.lag is None and segment.remaining > 0
            if waits and ticks - segment.asked_at >= MUTE and self._others_are_ready(segment, ticks):
                segment.lag = Lag(0.0, 0.0)
                return segment
        return None

    def _others_are_ready(self, segment: Segment, ticks: float) -> bool:
        """Whether another source could go on with this one's range now."""
        source = self._sources.of(segment.url)
        assert source is not None, "the segments of one that is dropped are cancelled"
        others = self._sources.others_than(source)
        return self._sources.only is None and any(other.resting <= ticks and other.has_served for other in others)
