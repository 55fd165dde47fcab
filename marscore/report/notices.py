"""What a person at a terminal should know while a run goes on: a short line for each thing that needs attention, about a file by its path.

    event + path + now --Notices.of--> lines

What happens over and over for the same reason is told a few times in full, and then as a number now and then: a thousand retries of one
host must not push everything else off the screen. The log has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Literal, TypeAlias

from marscore.events import (
    DownloadFailed,
    DownloadResumed,
    Event,
    HostPaused,
    LogLevel,
    MirrorDropped,
    MirrorSwitched,
    NotLocked,
    ResumeDiscarded,
    RetryScheduled,
    UrlChanged,
    Warned,
)
from marscore.frozen import dataclass
from marscore.report.words import counted, host_in, reason_of, seconds, shown_host
from marscore.values import format_size

#: Lines of one reason that are told in full, and seconds between two that tell how many more there were.
_IN_FULL = 5
_EVERY = 10.0
_ONLY_COUNTED = " (more of these are only counted)"

Tone: TypeAlias = Literal["good", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A line without its end."""

    text: str
    tone: Tone = "warning"


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of an event: of which file or host, and what. Those of one `reason` are told together; None is told always.

    `more` says what there are more of, as one and as many.
    """

    about: str
    text: str
    reason: Hashable = None
    more: tuple[str, str, str] = ("", "", "")
    tone: Tone = "warning"


@dataclass(slots=True)
class _Repeated:
    """How often something was told, how often it came since then, and when that was last said."""

    told: int = 0
    since: int = 0
    said_at: float = 0.0


class Notices:
    """Makes lines of the events of one run. `path_of` says where a download goes, by its id; `level` leaves out what is below it."""

    def __init__(self, path_of: Callable[[str], str | None], level: LogLevel | None = None) -> None:
        self._path_of = path_of
        self._wanted: frozenset[Tone] = frozenset({"error"} if level == "error" else {"warning", "error"} if level else _TONES)
        self._repeated: dict[Hashable, _Repeated] = {}
        #: Until when hosts wait, as far as that was told.
        self._paused: dict[str, float] = {}

    def of(self, event: Event, now: float) -> Iterator[Notice]:
        """The lines that an event gives rise to at `now`, in seconds that never jump."""
        say = _SAYINGS.get(type(event))
        said = None if say is None else say(event)
        if said is None or said.tone not in self._wanted or (isinstance(event, HostPaused) and self._is_told(event, now)):
            return
        about = said.about or self._path(getattr(event, "download", None))
        yield from self._folded(said, f"{about}: {said.text}" if about else said.text, now)

    def _path(self, download: str | None) -> str:
        return "" if download is None else self._path_of(download) or download

    def _is_told(self, event: HostPaused, now: float) -> bool:
        """Whether it was told that the host waits at least about as long: every file of it may be answered the same."""
        until = now + event.wait_s
        known = self._paused.get(event.host, 0.0)
        self._paused[event.host] = max(known, until)
        return until <= known + 1.0

    def _folded(self, said: _Said, text: str, now: float) -> Iterator[Notice]:
        if said.reason is None:
            yield Notice(text, said.tone)
            return
        repeated = self._repeated.setdefault(said.reason, _Repeated())
        one, many, why = said.more
        if repeated.told < _IN_FULL:
            repeated.told, repeated.said_at = repeated.told + 1, now
            yield Notice(text + _ONLY_COUNTED if repeated.told == _IN_FULL else text, said.tone)
            return
        repeated.since += 1
        if now - repeated.said_at >= _EVERY:
            yield Notice(f"{why}: {counted(repeated.since, f'more {one}', f'more {many}')}", said.tone)
            repeated.said_at, repeated.since = now, 0


_TONES: tuple[Tone, ...] = ("good", "warning", "error")


def _retry(event: RetryScheduled) -> _Said:
    why, host = reason_of(event.message), shown_host(host_in(event.url))
    text = f"{why}, retry {event.attempt} of {event.max_retries} in {seconds(event.wait_s)}"
    return _Said("", text, ("retry", host, event.kind, event.status), ("retry", "retries", f"{host}: {why}"))


def _failed(event: DownloadFailed) -> _Said | None:
    if event.kind == "interrupted":
        # The end tells of all that were interrupted in one line.
        return None
    why, host = reason_of(event.message), shown_host(host_in(event.url or ""))
    where = f"{host}: {why}" if host else why
    return _Said("", f"failed: {why}", ("failed", host, event.kind, event.status), ("failure", "failures", where), "error")


def _resumed(event: DownloadResumed) -> _Said:
    text = f"resumes, {format_size(event.bytes_resumed)} of it are here already"
    return _Said("", text, "resumed", ("file", "files", "resumed"), "good")


def _discarded(event: ResumeDiscarded) -> _Said:
    lost = f" ({format_size(event.bytes_discarded)} are fetched again)" if event.bytes_discarded else ""
    return _Said("", f"starts over: {event.reason}{lost}", ("discarded", event.reason), ("file", "files", f"starts over: {event.reason}"))


def _paused(event: HostPaused) -> _Said:
    return _Said(shown_host(event.host), f"asks to wait {seconds(event.wait_s)}; nothing is asked of it meanwhile")


def _place_of(url: str) -> str:
    """The host of a URL, or all of it where the host came from the environment and is not shown."""
    return shown_host(host_in(url)) or url


def _switched(event: MirrorSwitched) -> _Said:
    from_, to = _place_of(event.from_), _place_of(event.to)
    why = reason_of(event.reason)
    return _Said("", f"{from_}: {why}; goes on with {to}", ("switched", from_, to), ("file", "files", f"{from_} -> {to}"))


def _dropped(event: MirrorDropped) -> _Said:
    host, why = _place_of(event.url), reason_of(event.reason)
    return _Said("", f"{host} is asked no more: {why}", ("dropped", host, why), ("file", "files", f"{host} is asked no more"))


def _warned(event: Warned) -> _Said:
    if event.download is None:
        return _Said("warning", event.message)
    return _Said("", f"warning: {event.message}", ("warned", event.message), ("file", "files", f"warning: {event.message}"))


def _not_locked(event: NotLocked) -> _Said:
    return _Said("", "is not in the lock, and taken as the server has it", "not locked", ("file", "files", "not in the lock"))


def _url_changed(event: UrlChanged) -> _Said:
    return _Said("", "came from another URL than the manifest's; its checksum holds", "url", ("file", "files", "came from another URL"))


_SAYINGS: dict[type, Callable[[Any], _Said | None]] = {
    DownloadFailed: _failed,
    DownloadResumed: _resumed,
    HostPaused: _paused,
    MirrorDropped: _dropped,
    MirrorSwitched: _switched,
    NotLocked: _not_locked,
    ResumeDiscarded: _discarded,
    RetryScheduled: _retry,
    UrlChanged: _url_changed,
    Warned: _warned,
}
