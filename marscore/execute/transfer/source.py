"""A source of a file, and those that a download has: what belongs to one of them, and which is asked for the next range.

    Download.sources --> Sources --first--> the one in use                           one source at a time
                                 --chosen--> the one with the fewest connections      several at once, of a large file with a checksum

Where the checksum of the whole is known, parts of a large file may come from several sources at once, since it proves them all, wherever
they came from. Every connection then goes to the source that has the fewest of the file at work. Parts are of like size, so a source that
is twice as fast ends them twice as often, and is given twice as many. What one source shows of its version (size apart) says nothing of
another's: validators, and what is known of ranges, of refusals and of failures, are each source's own.

A source that fails rests, as long as its retry rules say, while its ranges go to the others; where its retries are spent it is dropped.
One that has no ranges takes no part, and stays behind the others for the case that they fail. So does one whose file has another size than
the first one told, where only the checksum knows who is right: it is asked anew when the first is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marscore.execute.transfer.allowance import Allowance
from marscore.execute.transfer.knowledge import Knowledge
from marscore.execute.transfer.protocol import Segment
from marscore.planning.segments import MIN_SPLIT
from marscore.policy.retry import NO_FAILURES
from marscore.resolve.model import Download
from marscore.url import host_of
from marscore.values import Failure


class Source:
    """What is known of one source."""

    __slots__ = ("allowed", "another", "failures", "has_served", "instead", "known", "parts_came", "resting", "told_ranges", "url")

    def __init__(self, url: str, download: Download) -> None:
        self.url = url
        self.known = Knowledge(download)
        self.allowed = Allowance(download.options.threads, download.options.retry)
        #: Failures in a row, where the ranges go to others meanwhile; and until when it is left alone, in ticks.
        self.failures = NO_FAILURES
        self.resting = 0.0
        #: Whether it refused a part, and is asked for the whole file instead.
        self.instead: Failure | None = None
        #: Whether a body of it was ever taken; and a part of the file that was asked for.
        self.has_served = False
        self.parts_came = False
        #: Why its file is another than the one that is fetched, as far as sizes tell.
        self.another: str | None = None
        #: Whether the log was told that it has no parts for us.
        self.told_ranges = False

    @property
    def host(self) -> str:
        """The key of the host whose limits and pauses hold for requests to it."""
        return host_of(self.url)

    @property
    def takes_part(self) -> bool:
        """Whether parts of a file can be asked of it, as far as is known."""
        return self.known.ranges is not False and self.another is None


class Sources:
    """Those that a download has left, in the order in which they are asked."""

    __slots__ = ("_threads", "left", "only")

    def __init__(self, download: Download) -> None:
        self._threads = download.options.threads
        self.left = [Source(url, download) for url in download.sources]
        #: The only one that is asked, where what others brought is fetched again to compare it.
        self.only: Source | None = None

    @property
    def first(self) -> Source:
        """The one that the file's size and version are told of."""
        return self.left[0]

    def of(self, url: str) -> Source | None:
        """The source of a URL; None where it was dropped."""
        return next((source for source in self.left if source.url == url), None)

    @property
    def share_work(self) -> bool:
        """Whether parts of the file come from several sources at once."""
        if len(self.left) == 1 or self._threads == 1:
            return False
        known = self.first.known
        is_proven = known.proof == "checksum" and known.version is not None and known.version.encoding is None
        if not is_proven or known.size is None or known.size < 2 * MIN_SPLIT or self.first.instead is not None:
            return False
        return self.first.takes_part and sum(source.takes_part for source in self.left) > 1

    def others_than(self, source: Source) -> list[Source]:
        """Those that take part besides this one."""
        return [other for other in self.left if other is not source and other.takes_part]

    @property
    def set_aside(self) -> list[Source]:
        """Those that have another file than the one that is fetched."""
        return [source for source in self.left[1:] if source.another is not None]

    def put_first(self, is_it: Callable[[str], bool]) -> None:
        """Go on with the source that this is said of; the others stay in their order behind it."""
        self.left.sort(key=lambda source: not is_it(source.url))

    def put_last(self, source: Source) -> None:
        """Ask this one only where all others fail."""
        was = self.first
        self.left.remove(source)
        self.left.append(source)
        self._follow(was)

    def drop(self, source: Source) -> None:
        """Ask this one no more; the first of those that are left knows of the file what the first knew before."""
        was = self.first
        self.left.remove(source)
        if self.only is source:
            self.only = None
        if source is was:
            # By its word the others had another file.
            for other in self.left:
                other.another = None
        self._follow(was)

    def _follow(self, was: Source) -> None:
        self.left.sort(key=lambda source: (source.another is not None, not source.takes_part))
        if self.first is not was:
            self.first.known.take_over(was.known)

    # Several at once

    def free_at(self, source: Source, active: Sequence[Segment]) -> float | None:
        """From when on a source may have another connection besides the file's active ones; None: not before one has ended."""
        if len(active) >= self._threads or not source.takes_part or (self.only or source) is not source:
            return None
        free = source.allowed.free_at(_count(active, source))
        return None if free is None else max(free, source.resting)

    def openings(self, active: Sequence[Segment]) -> dict[str, float]:
        """The hosts at which the file may have another connection, and from when on."""
        found: dict[str, float] = {}
        for source in self.left:
            free = self.free_at(source, active)
            if free is not None:
                found[source.host] = min(free, found.get(source.host, free))
        return found

    def free(self, active: Sequence[Segment]) -> int:
        """How many connections there may be besides those, now or later, over all sources."""
        asked = [source for source in self.left if source.takes_part and (self.only or source) is source]
        return min(self._threads - len(active), sum(source.allowed.free(_count(active, source)) for source in asked))

    def chosen(self, active: Sequence[Segment], ticks: float, may_ask: Callable[[str], bool]) -> Source | None:
        """The source that the next range goes to: of those that may be asked, the one with the fewest connections of the file."""
        free = [source for source in self.left if (at := self.free_at(source, active)) is not None and at <= ticks and may_ask(source.host)]
        return min(free, key=lambda source: _count(active, source), default=None)


def _count(active: Sequence[Segment], source: Source) -> int:
    return sum(segment.url == source.url for segment in active)
