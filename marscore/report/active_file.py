"""One file on its way, as the progress display sees it: what it is at, how fast it is, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping

from marscore.events import ProgressMade, RetryScheduled
from marscore.frozen import dataclass
from marscore.report.progress_model import FileProgress, Retry, Stage
from marscore.report.speed import Speed
from marscore.report.words import host_in, reason_of

#: Seconds without a byte after which a file says so.
_SILENCE = 3.0


@dataclass(slots=True)
class ActiveFile:
    """A file on its way. Times are those of its fold."""

    path: str
    speed: Speed
    host: str
    #: When it was started, when its last byte came, and since when no connection works on it.
    since: float
    moved: float
    idle: float
    last: ProgressMade | None = None
    retries: int = 0
    retry: Retry | None = None
    #: When its retry is due.
    due: float = 0.0

    def read(self, reading: ProgressMade, now: float) -> None:
        """Take how far it is."""
        if reading.bytes_downloaded != self.bytes_downloaded:
            self.moved = now
        if reading.threads_active:
            self.idle = now
        self.last = reading
        self.speed.sample(now, reading.bytes_downloaded)

    def schedule(self, event: RetryScheduled, now: float) -> None:
        """Take that it waits for a retry."""
        self.retries += 1
        self.due = self.moved = now + event.wait_s
        self.host = host_in(event.url)
        self.retry = Retry(event.attempt, event.max_retries, reason_of(event.message))

    def stage(self, now: float, paused: Mapping[str, float]) -> tuple[Stage, float]:
        """What it is at; and for how long that is to go on where that is known, else for how long it has been so."""
        at_work = self.last is not None and self.last.threads_active > 0
        if not at_work and now < self.due:
            return "retry", self.due - now
        if at_work or self.last is None:
            silence = now - self.moved
            return ("silent", silence) if silence >= _SILENCE else ("receiving" if at_work else "starting", silence)
        if self.size is not None and self.bytes_done >= self.size:
            return "verifying", now - self.idle
        until = paused.get(self.host, 0.0)
        return ("host", until - now) if until > now else ("connection", now - self.idle)

    @property
    def bytes_downloaded(self) -> int:
        return self.last.bytes_downloaded if self.last else 0

    @property
    def bytes_done(self) -> int:
        return self.last.bytes_done if self.last else 0

    @property
    def size(self) -> int | None:
        return self.last.size if self.last else None

    @property
    def fraction(self) -> float | None:
        """The part of the file that is there; an empty file has none to wait for."""
        if self.size is None:
            return None
        return min(1.0, self.bytes_done / self.size) if self.size else 1.0

    def eta(self, now: float) -> float | None:
        """Seconds to go at its speed, where both that and its size are known."""
        if self.size is None or not (speed := self.speed.sample(now, self.bytes_downloaded)):
            return None
        return max(0, self.size - self.bytes_done) / speed

    def progress(self, now: float, paused: Mapping[str, float]) -> FileProgress:
        """What is shown of it; `paused` says until when hosts are asked nothing."""
        at, wait = self.stage(now, paused)
        speed = self.speed.sample(now, self.bytes_downloaded)
        return FileProgress(
            name=self.path.rpartition("/")[2] or self.path,
            path=self.path,
            fraction=self.fraction,
            bytes_done=self.bytes_done,
            size=self.size,
            speed=speed,
            eta=self.eta(now),
            threads_active=self.last.threads_active if self.last else 0,
            retries=self.retries,
            at=at,
            wait=max(0.0, wait),
            host=self.host,
            retry=self.retry,
        )
