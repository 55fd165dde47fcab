"""How far a run is: the same events, added up for the eye. Time comes in as an argument, in seconds that never jump.

event + now --ProgressFold.add--> active files and sums --overall(now), files(now)--> Overall, FileProgress
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from marscore.events import (
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    HostPaused,
    Outcome,
    PlanCompiled,
    ProgressMade,
    ProofMade,
    ProvingStarted,
    RetryScheduled,
)
from marscore.frozen import dataclass
from marscore.public import WRITTEN
from marscore.report.active_file import ActiveFile
from marscore.report.progress_model import FileProgress, Overall, Proof
from marscore.report.speed import Speed
from marscore.report.words import host_in

#: Seconds that a file is active before it is worth a line of its own.
_SETTLED = 0.5
#: Seconds in which all sizes may become known. After that percent is of files, and stays so: it would jump with the last size.
_UNKNOWN_FOR = 3.0


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
    retries: int = 0


class ProgressFold:
    """Adds up progress. Not safe to share between threads.

    Args:
        now: the time at the start.
        sizes: the bytes of each download, by id, as far as they are known beforehand; percent is of bytes only if all are.
        paths: the path of each download, by id; a file whose path is not known goes by the last part of its URL's.
    """

    def __init__(self, now: float, sizes: Mapping[str, int] | None = None, paths: Mapping[str, str] | None = None) -> None:
        self._started = now
        self._sizes = sizes or {}
        self._paths = paths or {}
        self._bytes_total: int | None = None
        self._files_total = 0
        self._active: dict[str, ActiveFile] = {}
        self._over = _Sums()
        self._speed = Speed(now)
        self._proof: _Proof | None = None
        #: Until when hosts are asked nothing.
        self._paused: dict[str, float] = {}
        #: Percent was of files.
        self._of_files = False

    def add(self, event: Event, now: float) -> None:
        """Take the next event, received at `now`."""
        match event:
            case DownloadStarted():
                self._active[event.download] = ActiveFile(self._path(event), Speed(now), host_in(event.url), now, now, now)
            case ProgressMade():
                self._progress(event, now)
            case RetryScheduled():
                self._retry(event, now)
            case DownloadFinished() | DownloadFailed() | DownloadSkipped():
                self._close(event, now)
            case _:
                self._add_what_is_rare(event, now)

    def _add_what_is_rare(self, event: Event, now: float) -> None:
        match event:
            case ProvingStarted():
                self._proof = _Proof(event, Speed(now))
            case ProofMade() if self._proof:
                self._proof.last = event
                self._proof.speed.sample(now, event.bytes_done)
            case PlanCompiled():
                self._proof = None
                self._plan(event, now)
            case HostPaused():
                self._paused[event.host] = max(self._paused.get(event.host, 0.0), now + event.wait_s)
            case _:
                pass

    def files(self, now: float, most: int) -> list[FileProgress]:
        """The first `most` active files, in the order in which they were started."""
        return [active.progress(now, self._paused) for active in islice(self._active.values(), most)]

    def settled(self, now: float, most: int) -> list[FileProgress]:
        """The same without those that were started just now, and may be gone before anybody has read their names."""
        return [active.progress(now, self._paused) for active in islice(self._worth_a_line(now), most)]

    def _worth_a_line(self, now: float) -> Iterator[ActiveFile]:
        return (active for active in self._active.values() if now - active.since >= _SETTLED)

    def hosts(self, now: float) -> list[tuple[str, float]]:
        """The hosts that are asked nothing now, and for how many seconds, the longest first."""
        self._paused = {host: until for host, until in self._paused.items() if until > now}
        return sorted(((host, until - now) for host, until in self._paused.items()), key=lambda each: -each[1])

    @property
    def active(self) -> int:
        """How many files are on their way."""
        return len(self._active)

    def overall(self, now: float) -> Overall:
        """The sums at `now`."""
        readings = [active.last for active in self._active.values() if active.last]
        over, total = self._over, max(self._files_total, self._over.files)
        speed = self._speed.sample(now, self._bytes_downloaded())
        done, left = over.size + sum(reading.bytes_done for reading in readings), self._bytes_left()
        fraction = self._fraction(now, done, left)
        of_bytes = left is not None and not self._of_files
        return Overall(
            fraction=fraction,
            bytes_done=done,
            bytes_total=self._bytes_total if self._bytes_total is not None else done + left if left is not None and of_bytes else None,
            speed=speed,
            eta=self._eta(fraction, speed, now),
            files_done=over.files,
            files_total=total,
            failed=over.failed,
            threads_active=sum(reading.threads_active for reading in readings),
            retries=over.retries + sum(active.retries for active in self._active.values()),
            proof=self._proof.at(now) if self._proof else None,
        )

    def _path(self, event: DownloadStarted) -> str:
        path = self._paths.get(event.download)
        if path is None:
            # Its host may be a secret, and then there is no URL any more that could be parsed.
            written = WRITTEN.match(event.url)
            path = written["path"].rpartition("/")[2] if written else ""
        return path or event.download

    def _plan(self, event: PlanCompiled, now: float) -> None:
        if not self._files_total:
            # Of a list that is read while the run goes on, it is told again and again.
            self._started = now
        self._files_total = event.downloads
        if len(self._sizes) == event.downloads:
            self._bytes_total = sum(self._sizes.values())

    def _progress(self, event: ProgressMade, now: float) -> None:
        # A reading that was on its way when the file was done is of no use any more.
        if active := self._active.get(event.download):
            active.read(event, now)
            self._sample(now)

    def _retry(self, event: RetryScheduled, now: float) -> None:
        if active := self._active.get(event.download):
            active.schedule(event, now)
        else:
            self._over.retries += 1

    def _close(self, event: Outcome, now: float) -> None:
        over, active = self._over, self._active.pop(event.download, None)
        # What was cut short or never begun is not done, though nobody works at it any more.
        done = isinstance(event, DownloadFinished) or (isinstance(event, DownloadFailed) and event.kind != "interrupted")
        over.files += done
        over.retries += active.retries if active else 0
        over.up_to_date += isinstance(event, DownloadFinished) and event.status != "downloaded"
        over.failed += done and isinstance(event, DownloadFailed)
        if not isinstance(event, DownloadSkipped):
            over.bytes_downloaded += event.bytes_downloaded
        over.size += _size_of(event, active) if self._bytes_total is None or not done else self._sizes[event.download]
        self._sample(now)

    def _sample(self, now: float) -> None:
        # Adding up costs more than all the rest, and of many samples the first is taken.
        if self._speed.is_due(now):
            self._speed.sample(now, self._bytes_downloaded())

    def _bytes_downloaded(self) -> int:
        return self._over.bytes_downloaded + sum(active.bytes_downloaded for active in self._active.values())

    def _fraction(self, now: float, done: int, left: int | None) -> float | None:
        if self._bytes_total:
            return min(1.0, done / self._bytes_total)
        if left is None and now - self._started >= _UNKNOWN_FOR:
            self._of_files = True
        if left is not None and not self._of_files and done + left:
            return done / (done + left)
        if left is None and not self._of_files:
            return None
        begun = sum(active.fraction or 0.0 for active in self._active.values())
        return min(1.0, (self._over.files + begun) / self._files_total) if self._files_total else 0.0

    def _eta(self, fraction: float | None, speed: float, now: float) -> float | None:
        """Seconds to go: what is left by bytes where that is known, else as the time so far suggests."""
        left = self._bytes_left()
        if left is not None:
            return left / speed if speed else None
        if fraction is None:
            return None
        kept = self._over.up_to_date / self._files_total if self._files_total else 0.0
        worked = fraction - kept
        if worked <= 0:
            return None
        # Of many small files and a large one, the large one is what takes long.
        longest = max((eta for active in self._active.values() if (eta := active.eta(now)) is not None), default=0.0)
        return max(longest, (now - self._started) * (1 - fraction) / worked)

    def _bytes_left(self) -> int | None:
        known = [active.size - active.bytes_done for active in self._active.values() if active.size is not None]
        if self._bytes_total is not None:
            return max(0, self._bytes_total - self._over.size - sum(active.bytes_done for active in self._active.values()))
        return sum(known) if self._over.files + len(known) == self._files_total else None


def _size_of(event: Outcome, active: ActiveFile | None) -> int:
    if isinstance(event, DownloadFinished):
        return event.size
    return active.bytes_done if active else 0
