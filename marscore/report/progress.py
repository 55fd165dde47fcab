"""How far a run is: the same events, added up for the eye. Time comes in as an argument, in seconds that never jump.

event + now --ProgressFold.add--> active files and sums --overall(now), files(now)--> Overall, FileProgress
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    Outcome,
    PlanCompiled,
    ProgressMade,
    ProofMade,
    ProvingStarted,
    RetryScheduled,
)
from marscore.frozen import dataclass
from marscore.report.speed import Speed
from marscore.url import WRITTEN

#: What an active file is at: bytes that come, all of them there and hashed or named, a wait for a retry, or for a connection.
Stage: TypeAlias = Literal["receiving", "verifying", "retry", "connection"]


@dataclass(frozen=True, slots=True)
class FileProgress:
    """One active file. `fraction` and `eta` are None where the size is unknown, `speed` is bytes a second, `eta` seconds.

    `at` is what it is at; `wait` is for how many seconds a retry is still to wait.
    """

    name: str
    fraction: float | None
    bytes_done: int
    size: int | None
    speed: float
    eta: float | None
    threads_active: int
    threads_finished: int
    retries: int
    at: Stage = "receiving"
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Proof:
    """Files in place that are hashed before anything else: how many of them are done, and how many of their bytes."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    speed: float


@dataclass(frozen=True, slots=True)
class Overall:
    """The whole run. `fraction` is of bytes where every size is known, else of files, active ones counted by their part.

    `proof` is there as long as files in place are hashed.
    """

    fraction: float
    bytes_done: int
    bytes_total: int | None
    speed: float
    eta: float | None
    files_done: int
    files_total: int
    failed: int
    threads_active: int
    threads_finished: int
    retries: int
    proof: Proof | None = None


@dataclass(slots=True)
class _Active:
    name: str
    speed: Speed
    last: ProgressMade | None = None
    retries: int = 0
    #: When its retry is due.
    due: float = 0.0

    def stage(self, now: float) -> Stage:
        """What it is at."""
        if self.last is None or self.last.threads_active:
            return "receiving"
        if self.size is not None and self.bytes_done >= self.size:
            return "verifying"
        return "retry" if now < self.due else "connection"

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


@dataclass(slots=True)
class _Proof:
    begun: ProvingStarted
    speed: Speed
    last: ProofMade | None = None

    def at(self, now: float) -> Proof:
        files, count = (self.last.files_done, self.last.bytes_done) if self.last else (0, 0)
        return Proof(files, self.begun.files, count, self.begun.bytes, self.speed.sample(now, count))


@dataclass(slots=True)
class _Sums:
    """What the downloads that are over add up to."""

    files: int = 0
    up_to_date: int = 0
    failed: int = 0
    bytes_downloaded: int = 0
    size: int = 0
    threads: int = 0
    retries: int = 0


class ProgressFold:
    """Adds up progress. Not safe to share between threads.

    Args:
        now: the time at the start.
        sizes: the bytes of each download, by id, as far as they are known beforehand; percent is of bytes only if all are.
        paths: the path of each download, by id: a file goes by the last part of it, where it is not known of its URL.
    """

    def __init__(self, now: float, sizes: Mapping[str, int] | None = None, paths: Mapping[str, str] | None = None) -> None:
        self._started = now
        self._sizes = sizes or {}
        self._paths = paths or {}
        self._bytes_total: int | None = None
        self._files_total = 0
        self._active: dict[str, _Active] = {}
        self._over = _Sums()
        self._speed = Speed(now)
        self._proof: _Proof | None = None

    def add(self, event: Event, now: float) -> None:
        """Take the next event, received at `now`."""
        match event:
            case ProvingStarted():
                self._proof = _Proof(event, Speed(now))
            case ProofMade() if self._proof:
                self._proof.last = event
                self._proof.speed.sample(now, event.bytes_done)
            case PlanCompiled():
                self._proof = None
                self._plan(event, now)
            case DownloadStarted():
                self._active[event.download] = _Active(self._name(event), Speed(now))
            case ProgressMade():
                self._progress(event, now)
            case RetryScheduled():
                self._retry(event, now)
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                self._close(event, now)
            case _:
                pass

    def files(self, now: float, most: int) -> list[FileProgress]:
        """The first `most` active files, in the order in which they were started."""
        return [_file(active, now) for active, _ in zip(list(self._active.values()), range(most), strict=False)]

    @property
    def active(self) -> int:
        """How many files are on their way."""
        return len(self._active)

    def overall(self, now: float) -> Overall:
        """The sums at `now`."""
        readings = [active.last for active in self._active.values() if active.last]
        over, total = self._over, max(self._files_total, self._over.files)
        speed = self._speed.sample(now, self._bytes_downloaded())
        fraction = self._fraction()
        return Overall(
            fraction=fraction,
            bytes_done=over.size + sum(reading.bytes_done for reading in readings),
            bytes_total=self._bytes_total,
            speed=speed,
            eta=self._eta(fraction, speed, now),
            files_done=over.files,
            files_total=total,
            failed=over.failed,
            threads_active=sum(reading.threads_active for reading in readings),
            threads_finished=over.threads + sum(reading.threads_finished for reading in readings),
            retries=over.retries + sum(active.retries for active in self._active.values()),
            proof=self._proof.at(now) if self._proof else None,
        )

    def _name(self, event: DownloadStarted) -> str:
        # Its host may be a secret, and then there is no URL any more that could be parsed.
        written = None if event.download in self._paths else WRITTEN.match(event.url)
        path = self._paths.get(event.download) or (written["path"] if written else "")
        return path.rpartition("/")[2] or event.download

    def _plan(self, event: PlanCompiled, now: float) -> None:
        self._files_total = event.downloads
        self._started = now
        if len(self._sizes) == event.downloads:
            self._bytes_total = sum(self._sizes.values())

    def _progress(self, event: ProgressMade, now: float) -> None:
        # A reading that was on its way when the file was done is of no use any more.
        if active := self._active.get(event.download):
            active.last = event
            active.speed.sample(now, event.bytes_downloaded)
            self._speed.sample(now, self._bytes_downloaded())

    def _retry(self, event: RetryScheduled, now: float) -> None:
        if active := self._active.get(event.download):
            active.retries += 1
            active.due = now + event.wait_s
        else:
            self._over.retries += 1

    def _close(self, event: Outcome, now: float) -> None:
        over, active = self._over, self._active.pop(event.download, None)
        over.files += 1
        over.retries += active.retries if active else 0
        over.up_to_date += isinstance(event, DownloadFinished) and event.status != "downloaded"
        over.failed += isinstance(event, DownloadFailed) and event.kind != "interrupted"
        if not isinstance(event, DownloadSkipped):
            over.bytes_downloaded += event.bytes_downloaded
            over.threads += event.segments
        over.size += _size_of(event, active) if self._bytes_total is None else self._sizes[event.download]
        self._speed.sample(now, self._bytes_downloaded())

    def _bytes_downloaded(self) -> int:
        return self._over.bytes_downloaded + sum(active.bytes_downloaded for active in self._active.values())

    def _fraction(self) -> float:
        if self._bytes_total:
            return min(1.0, (self._over.size + sum(active.bytes_done for active in self._active.values())) / self._bytes_total)
        left = self._bytes_left()
        done = self._over.size + sum(active.bytes_done for active in self._active.values())
        if left is not None and done + left:
            return done / (done + left)
        begun = sum(active.fraction or 0.0 for active in self._active.values())
        return min(1.0, (self._over.files + begun) / self._files_total) if self._files_total else 0.0

    def _eta(self, fraction: float, speed: float, now: float) -> float | None:
        """Seconds to go: what is left by bytes where that is known, else as the time so far suggests."""
        left = self._bytes_left()
        if left is not None:
            return left / speed if speed else None
        kept = self._over.up_to_date / self._files_total if self._files_total else 0.0
        worked = fraction - kept
        return (now - self._started) * (1 - fraction) / worked if worked > 0 else None

    def _bytes_left(self) -> int | None:
        known = [active.size - active.bytes_done for active in self._active.values() if active.size is not None]
        if self._bytes_total is not None:
            return max(0, self._bytes_total - self._over.size - sum(active.bytes_done for active in self._active.values()))
        return sum(known) if known and self._over.files + len(known) == self._files_total else None


def _file(active: _Active, now: float) -> FileProgress:
    speed = active.speed.sample(now, active.bytes_downloaded)
    left = None if active.size is None else max(0, active.size - active.bytes_done)
    return FileProgress(
        name=active.name,
        fraction=active.fraction,
        bytes_done=active.bytes_done,
        size=active.size,
        speed=speed,
        eta=left / speed if left is not None and speed else None,
        threads_active=active.last.threads_active if active.last else 0,
        threads_finished=active.last.threads_finished if active.last else 0,
        retries=active.retries,
        at=active.stage(now),
        wait=max(0.0, active.due - now),
    )


def _size_of(event: Outcome, active: _Active | None) -> int:
    if isinstance(event, DownloadFinished):
        return event.size
    return active.bytes_done if active else 0
