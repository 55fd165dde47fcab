"""One file on its way: the state machine that decides what every answer, failure and end means for it.

    Opened -> (take -> Answered -> Ended | Broke | Lagged | Yielded)* -> Hashed -> Placed -> Extracted?    Stopped at any time

It does no I/O and knows no clock: facts come in through `step`, commands go out; `Ledger` keeps the account of the bytes. All bytes of
one file are of one version. When the version changes, or bytes cannot be combined safely, a new epoch begins with an empty partial
file; segments of an older epoch are cancelled, and what they still bring goes nowhere.

A file comes from one source at a time, the next one when that is given up. Where a checksum of the whole proves all parts, a large one
comes from several at once (`source`): then each answer is judged by what its own source has shown, a failure lets the source rest and not
the range, and where the checksum fails, `comparison` finds out who was wrong. Which connection is too slow, `laggard` says. Nothing is
placed but a file whose digests are right.

This file is longer than the house's 300 lines, since every transition of a transfer is to be read in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from marscore.errors import IntegrityError
from marscore.events import (
    Brought,
    ChecksumVerified,
    ConnectionRedialled,
    DownloadFailed,
    DownloadFinished,
    DownloadResumed,
    DownloadStarted,
    HostPaused,
    MirrorDropped,
    MirrorSwitched,
    RangesFetched,
    RangesUnsupported,
    Redirected,
    ResumeDiscarded,
    RetryScheduled,
    Warned,
)
from marscore.execute.transfer.allowance import refuses_a_connection
from marscore.execute.transfer.answer import Asked, NotModified, Part, Refused, Unsatisfiable, Verdict, Version, Whole, read_answer
from marscore.execute.transfer.asking import asked_again, seen_in
from marscore.execute.transfer.comparison import DoWithout, Inquiry, Look, Wrong
from marscore.execute.transfer.credits import UNKNOWN, bytes_in
from marscore.execute.transfer.laggard import Laggards
from marscore.execute.transfer.ledger import Ledger
from marscore.execute.transfer.protocol import (
    Answered,
    Broke,
    Command,
    Delivered,
    Drop,
    Emit,
    Ended,
    Extract,
    Extracted,
    Fact,
    Fingerprint,
    Fingerprinted,
    Hashed,
    Identified,
    Identify,
    InPlace,
    Lagged,
    Moment,
    Opened,
    PauseHost,
    Pending,
    Place,
    Placed,
    Receive,
    Release,
    Segment,
    Stopped,
    Store,
    Verify,
    Work,
    Yielded,
)
from marscore.execute.transfer.requests_made import RequestNotes
from marscore.execute.transfer.source import Source, Sources
from marscore.execute.transfer.timeline import WORTH_TELLING, Timeline
from marscore.exhaustive import assert_never
from marscore.journal import Header
from marscore.planning.segments import MIN_SPLIT
from marscore.policy.announced import announced_in
from marscore.policy.failures import BUSY, another_source_may_help, is_retryable
from marscore.policy.pacing import PACE_REMEMBERED
from marscore.policy.redirect import resource_of
from marscore.policy.retry import NO_FAILURES, GiveUp, Wait
from marscore.ports import Answer, Method, Unpacking
from marscore.state import Attributes, Claim, key_of
from marscore.url import Url, host_of, parse_url
from marscore.validator import Validator, http_date
from marscore.values import Announced, ByteRange, Failure, FailureKind, Unpacked

#: Failures after which what was received is of no use to a later run.
_WORTHLESS: frozenset[FailureKind] = frozenset({"checksum", "size", "too_large", "changed"})
#: A server that says nothing about ranges is tried with one only where there is this much to win.
_WORTH_TRYING = 8 * 1024 * 1024
#: Seconds that a range has to take for a part of it to be asked for over another connection: some round trips.
WORTH_SHARING = 0.25
#: The names of a few codings (RFC 9110 section 8.4.1).
_CODINGS = re.compile("[a-z0-9-]{1,16}(?:, ?[a-z0-9-]{1,16}){0,3}")


class Transfer:
    """Decides for one download. It belongs to the loop's thread."""

    def __init__(self, work: Work, at: Moment) -> None:
        self.work = work
        self.download = work.download
        self.options = work.download.options
        self.ledger = Ledger(several=len(self.download.sources) > 1)
        self._has_several = len(self.download.sources) > 1
        self._sources = Sources(work.download)
        self._use_first()
        self._inquiry = Inquiry(self._sources)
        self.closed = False
        self._is_open = False
        self.began = at
        self.bytes_downloaded = 0
        self.bytes_resumed = 0
        #: The pieces of an earlier run that nothing has been built on yet.
        self._pieces = 0
        self.segments = 0
        self.segments_finished = 0
        self._laggards = Laggards(self.ledger, self._sources)
        #: What is told of its ranges; none is made of a small file that came at once.
        self._timeline: Timeline | None = None
        self._requests = RequestNotes(self.download.sources) if work.requests else None
        self._restarts = NO_FAILURES
        self._hops: set[tuple[Url, Url]] = set()
        self._served_by: str | None = None
        #: By source: the URL that answered, which a redirect may have led to.
        self._served: dict[str, str] = {}
        #: Whether what is here is looked at: the whole file is verified or placed, or the one in place identified.
        self._checking = False
        #: What a server is asked about; None once it was told of another version than that.
        self._claim = work.known
        self._replaces = work.download.replaces
        #: The file in place, while it is unpacked.
        self._in_place: InPlace | None = None
        #: What is asked by: a HEAD, where nothing is fetched and the server takes it.
        self.method: Method = "GET" if work.purpose == "fetch" else "HEAD"
        #: What is to be done with the file, which is right, once it is known who sent other bytes.
        self._right: Place | Store | None = None
        #: What the log says once of the file: that it comes encoded.
        self._told_encoding = False

    # What the loop and the board ask

    @property
    def host(self) -> str:
        """The key of the host of the source in use."""
        return host_of(self.url)

    @property
    def deadline(self) -> float | None:
        """When the download's total time is over, in ticks."""
        total = self.options.timeouts.total
        return None if total is None else self.began.ticks + total

    @property
    def overdue(self) -> Failure:
        """What is said of it when its total time is over."""
        return Failure("timeout", f"the download took longer than its total of {self.options.timeouts.total:g} s")

    def waits_too_long(self, ticks: float) -> bool:
        """Whether its total time is over while it waits for a connection."""
        return self._is_open and not self._checking and not self.ledger.active and self._past_deadline(ticks)

    @property
    def header(self) -> Header:
        """What the journal is to say of the bytes of this epoch."""
        encoding = self.known.version.encoding if self.known.version else None
        awaited = self.known.checksums if self.known.proof == "checksum" else ()
        resource = self.known.version.resource if self.known.version else None
        known = self.known
        return Header(key_of(self.url), known.size, known.validator, encoding, known.proof, awaited, resource, known.announced)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the finished file is hashed with."""
        return self._algorithms(self.known.announced)

    def algorithms_for(self, answer: Answer) -> tuple[str, ...]:
        """What a file is hashed with that comes whole with this answer."""
        return self._algorithms(announced_in(answer.fields, "whole"))

    def _algorithms(self, announced: Iterable[Announced]) -> tuple[str, ...]:
        named = [*(c.algorithm for c in self.download.checksums), *(each.checksum.algorithm for each in announced)]
        return tuple(dict.fromkeys(["sha256", *named]))

    @property
    def openings(self) -> tuple[tuple[str, float], ...]:
        """The hosts at which it could use another connection, each with the ticks from when on: several where several sources bring it.

        Empty: it has nothing to ask for, or all the connections that it may have, or its partial file is still being looked at.
        """
        due = self.due
        if due is None or not self._shares_work:
            return () if due is None else ((self.host, due),)
        earliest = self.ledger.earliest()
        assert earliest is not None
        return tuple((host, max(free, earliest)) for host, free in self._sources.openings(self.ledger.active).items())

    @property
    def due(self) -> float | None:
        """From when on it could use another connection, in ticks; None: there is no opening."""
        earliest = self.ledger.earliest()
        if earliest is None or self.closed or not self._is_open or self._checking:
            return None
        free = self.free_at
        return None if free is None else max(free, earliest)

    @property
    def free_at(self) -> float | None:
        """From when on it may have another connection, in ticks; None: not before one of those that it has has ended."""
        active = self.ledger.active
        if self._shares_work:
            return min(self._sources.openings(active).values(), default=None)
        first = self._sources.first
        # The answer to a request for the whole file, in place of a part, decides of all the others.
        free = None if first.instead and active else self.allowed.free_at(len(active))
        return None if free is None else max(free, first.resting)

    def hosts_at(self, ticks: float) -> list[str]:
        """The hosts at which it may have another connection now."""
        if self._shares_work:
            return [host for host, free in self._sources.openings(self.ledger.active).items() if free <= ticks]
        free = self.free_at
        return [self.host] if free is not None and free <= ticks else []

    def take(self, ticks: float, may_ask: Callable[[str], bool] = lambda host: True) -> Segment | None:
        """Begin a segment on the first pending range that is due, at a host that may be asked.

        None: no range is due, no further connection may be had, or no such host.
        """
        source = self._source_for(ticks, may_ask)
        pending = None if source is None else self.ledger.take(ticks)
        if source is None or pending is None:
            return None
        asked = None if source.instead else self._asked(pending)
        segment = Segment(
            number=self.segments,
            epoch=self.ledger.epoch,
            begin=pending.start,
            position=pending.start,
            written=pending.start,
            end=pending.end,
            asked=asked,
            if_range=source.known.if_range if asked else None,
            # Where others take the range, it is the source that tries again.
            retry=source.failures if self._shares_work else pending.retry,
            url=source.url,
            asked_at=ticks,
        )
        self.ledger.active.append(segment)
        return segment

    def _source_for(self, ticks: float, may_ask: Callable[[str], bool]) -> Source | None:
        due = self.due
        if due is None or due > ticks:
            return None
        if self._shares_work:
            return self._sources.chosen(self.ledger.active, ticks, may_ask)
        return self._sources.first if may_ask(self.host) else None

    @property
    def _shares_work(self) -> bool:
        """Whether parts of the file come from several sources at once."""
        return self._has_several and self._sources.share_work

    def request_fields(self, segment: Segment) -> tuple[tuple[str, str], ...]:
        """The header fields that this segment's request needs besides the download's own."""
        fields = [("Accept-Encoding", "identity")]
        if segment.asked is not None:
            start, end = segment.asked
            fields.append(("Range", f"bytes={start}-{'' if end is None else end - 1}"))
            if segment.if_range is not None:
                fields.append(("If-Range", segment.if_range))
        elif not self._shares_work and (claim := self._asked_about(segment)):
            fields += claim.validator.conditions
        return tuple(fields)

    def can_share(self) -> bool:
        """Whether an idle connection could take a part of what an active one has before it."""
        size = self.known.size
        if self.closed or size is None or size < 2 * MIN_SPLIT or self.free_at is None:
            return False
        if not self.known.resumable:
            return False
        largest = self.ledger.largest()
        if largest is None or (self.known.ranges is None and largest.remaining < _WORTH_TRYING):
            return False
        return self.ledger.can_share()

    def is_worth_sharing(self, ticks: float) -> bool:
        """Whether the largest range takes so long that asking for a part of it over another connection pays."""
        largest = self.ledger.largest()
        return largest is not None and (largest.pace is None or largest.pace.seconds_for(largest.remaining, ticks) >= WORTH_SHARING)

    def share(self, hands: int) -> None:
        """Make ranges pending for `hands` idle connections out of the largest active one. Call it where `can_share` says so."""
        largest = self.ledger.largest()
        assert largest is not None
        active, shared = self.ledger.active, self._shares_work
        free = self._sources.free(active) if shared else self.allowed.free(len(active))
        self.ledger.share(largest, 1 + min(hands, free))

    def admit(self, segment: Segment, count: int, ticks: float) -> int:
        """Count `count` body bytes that came at `ticks` and say how many of them belong at the segment's position; 0 for a cancelled one.

        Raises:
            IntegrityError: the body is longer than the download may be.
        """
        self.bytes_downloaded += count
        if segment.pace:
            segment.pace.add(count, ticks)
        if segment.cancelled:
            return 0
        if segment.end is not None:
            count = min(count, segment.end - segment.position)
        segment.position += count
        problem = self.known.too_long(segment.position)
        if problem:
            raise IntegrityError(problem)
        return count

    def laggard(self, ticks: float) -> Segment | None:
        """A segment whose connection is so slow, or silent, that a new one is due; its `lag` says how slow."""
        return self._laggards.found(ticks)

    # Transitions

    def step(self, fact: Fact) -> list[Command]:
        """Take in a fact and return what to do, in order. After the transfer is closed, every fact is answered by Drop."""
        if self.closed:
            return [Drop()]
        commands = self._take_in(fact)
        if not self.closed and not self._checking and self.ledger.idle:
            # Nobody would ever ask for anything more.
            held = f"{self.ledger.bytes_done} bytes of it are here, and its size is {self.known.size}"
            commands += self._fail(fact.at, Failure("internal", f"nothing is left to fetch, and the file is not whole: {held}"))
        if self.ledger.ended:
            commands = [*self._noted(fact, commands), *commands]
        if self._requests is not None and self.closed and "traced" in self.work.requests:
            commands.insert(-1, Emit(self._requests.told(fact.at.unix, self.download.id)))
        if self._timeline is not None and self.closed and self.work.purpose == "fetch":
            ranges = self._timeline.told(self.ledger.epoch, fact.at.ticks)
            if ranges:
                # The outcome stays the last command.
                commands.insert(-1, Emit(RangesFetched(fact.at.unix, self.download.id, ranges, self._timeline.left_out)))
        return commands

    def _noted(self, fact: Fact, commands: Iterable[Command]) -> list[Command]:
        """Take note of the segments that ended by a fact; what the log is told of them."""
        made = [] if self._requests is None else self._requests.note(self.ledger.ended, fact, commands)
        self._known_times().note(self.ledger.ended, fact)
        self.ledger.ended = []
        return self._requests.logged(made, self.download.id) if self._requests and "logged" in self.work.requests else []

    def _known_times(self) -> Timeline:
        if self._timeline is None:
            self._timeline = Timeline(self.download.sources, self.began.ticks)
        return self._timeline

    def _take_in(self, fact: Fact) -> list[Command]:  # noqa: C901, PLR0911, PLR0912 - one case for each fact, nothing more
        match fact:
            case Opened():
                return self._opened(fact)
            case Answered():
                return [Drop()] if fact.segment.cancelled else self._answered(fact)
            case Delivered():
                return self._left(fact.segment) if fact.segment.cancelled else self._delivered(fact)
            case Broke():
                return self._broke(fact)
            case Ended():
                return self._ended(fact)
            case Lagged():
                return self._lagged(fact)
            case Yielded():
                return self._yielded(fact.segment)
            case Hashed():
                return self._hashed(fact)
            case Fingerprinted():
                return self._fingerprinted(fact)
            case Placed():
                return self._placed(fact)
            case Identified():
                return self._identified(fact)
            case Extracted():
                assert self._in_place is not None
                return self._finished(fact.at, self._in_place, fact.unpacked)
            case Stopped():
                return self._fail(fact.at, fact.failure)
            case _:
                assert_never(fact)

    def _opened(self, fact: Opened) -> list[Command]:
        self._is_open = True
        commands: list[Command] = [Emit(DownloadStarted(fact.at.unix, self.download.id, self.url))]
        if self.work.in_place is not None:
            return commands + self._done(fact.at, self.work.in_place)
        if fact.url_key is None:
            return commands
        unusable = self.known.unusable(fact, {key_of(source.url) for source in self._sources.left})
        lost = fact.damaged + (sum(map(len, fact.proven)) if unusable else 0)
        if unusable or lost:
            reason = unusable or "these bytes on disk did not match the record of what was written"
            commands.append(self._discarded(fact.at, reason, lost))
        if unusable or not fact.proven:
            # Where no byte is proven, what is said of the file is not either: its size least of all, which may be 0.
            self.ledger.restart()
            return commands
        self._sources.put_first(lambda url: key_of(url) == fact.url_key)
        self._use_first()
        self.known.adopt_found(fact)
        self.ledger.resume(fact.proven, fact.size)
        self.bytes_resumed = self.ledger.bytes_done
        self._known_times().resume(self.ledger.done, self.ledger.epoch)
        self._pieces = fact.pieces if self.bytes_resumed else 0
        verify = self._verify_if_complete()
        return commands + (self._resumed(fact.at) if verify else []) + verify

    def _resumed(self, at: Moment) -> list[Command]:
        """Tell once that the file is built on what an earlier run left: not before an answer has shown that it is."""
        pieces, self._pieces = self._pieces, 0
        return [Emit(DownloadResumed(at.unix, self.download.id, self.bytes_resumed, pieces))] if pieces and self.bytes_resumed else []

    def _answered(self, fact: Answered) -> list[Command]:
        segment, at = fact.segment, fact.at
        segment.answered(at.ticks, fact.answer.status)
        self._serves(fact)
        commands = self._redirects(fact)
        verdict = read_answer(fact.answer, segment.asked, self.options.retry.statuses, at.unix)
        if self.work.purpose == "ask":
            return commands + self._heard(fact, verdict)
        if self._shares_work:
            return commands + self._of_several(fact, verdict)
        match verdict:
            case Whole():
                return commands + self._whole(segment, verdict, at)
            case Part():
                return commands + self._part(segment, verdict, at)
            case NotModified():
                return commands + self._not_modified(segment, verdict, at)
            case Unsatisfiable():
                return commands + self._unsatisfiable(segment, verdict, at)
            case Refused():
                return commands + self._broke(Broke(at, segment, verdict.failure, fact.paced))
            case _:
                assert_never(verdict)

    def _heard(self, fact: Answered, verdict: Verdict) -> list[Command]:
        """Tell what an answer shows of the file on the server, of which nothing is fetched."""
        segment, at = fact.segment, fact.at
        again = asked_again(verdict, self.method, self._claim)
        if again is not None:
            self.method = again.method
            self._claim = self._claim if again.conditional else None
            self.ledger.pending.append(self.ledger.leave(segment))
            return [Drop()]
        seen = seen_in(fact.answer, verdict, self._claim)
        if isinstance(seen, Failure):
            return self._broke(Broke(at, segment, seen, fact.paced))
        self.ledger.leave(segment)
        self.closed = True
        return [Drop(), Release(keep=False), Emit(replace(seen, at=at.unix, download=self.download.id))]

    def _delivered(self, fact: Delivered) -> list[Command]:
        segment, at = fact.segment, fact.at
        segment.answered(at.ticks, fact.answer.status)
        self._serves(fact)
        commands = self._redirects(fact)
        verdict = read_answer(fact.answer, segment.asked, self.options.retry.statuses, at.unix)
        assert isinstance(verdict, Whole)
        size = len(fact.content.data)
        self.bytes_downloaded += size
        problem = self.known.unacceptable(size)
        if problem:
            return commands + self._broke(Broke(at, segment, problem))
        self.known.adopt_answer(verdict.version, verdict.accepts_ranges)
        commands += self._encoded(verdict.version, at)
        self.segments += 1
        self.segments_finished += 1
        segment.position = segment.written = segment.end = size
        self.ledger.leave(segment)
        verified = self._verified(at, fact.content.digests, Store(fact.content, self._attributes(at)))
        if self._checking and self._timeline is None and self._requests is None and at.ticks - self.began.ticks < WORTH_TELLING:
            # It came at once, at the first try, and nothing more will: its times say all of it.
            self.ledger.ended = []
        return [*commands, Drop(), *verified]

    def _whole(self, segment: Segment, answer: Whole, at: Moment) -> list[Command]:
        instead = self._sources.first.instead
        if instead and segment.asked is None:
            return self._whole_instead(segment, answer, at, instead)
        changed = self.known.change_to(answer.version)
        if changed:
            if isinstance(self._restart_allowed(Failure("changed", changed), at), GiveUp):
                return self._changed(segment, at, changed)
            return self._start_over_with(segment, answer, at, changed)
        if segment.asked is None:
            if self.known.version is None or not self.known.leaves_unproven(answer.version, None):
                return self._accept_whole(segment, answer, at)
            return self._start_over_with(segment, answer, at, "nothing proves that the file is of the same version as these bytes")
        if answer.accepts_ranges is not False and self.known.weaken_condition():
            self.ledger.pending.append(self.ledger.leave(segment))
            return [Drop()]
        return self._no_ranges(segment, answer, at)

    def _whole_instead(self, segment: Segment, answer: Whole, at: Moment, refused: Failure) -> list[Command]:
        """Start over with the whole file, of a server that refused a part. It is asked for no more, so this happens once."""
        self._sources.first.instead = None
        reason = f"{refused.message} to a request for a part, and the whole file to one for the whole"
        return [*self._without_ranges(segment, at, reason), *self._start_over_with(segment, answer, at, reason)]

    def _no_ranges(self, segment: Segment, answer: Whole, at: Moment) -> list[Command]:
        reason = "the server answers the whole file to a request for a part"
        told = self._without_ranges(segment, at, reason)
        return [*told, Drop()] if self._go_on_with_the_whole() else told + self._start_over_with(segment, answer, at, reason)

    def _without_ranges(self, segment: Segment, at: Moment, reason: str) -> list[Command]:
        """Ask this server for no more parts of the file."""
        self.known.ranges = False
        return self._tell_ranges(segment, at, reason)

    def _tell_ranges(self, segment: Segment, at: Moment, reason: str) -> list[Command]:
        source = self._sources.of(segment.url)
        if source is None or source.told_ranges:
            return []
        source.told_ranges = True
        return [Emit(RangesUnsupported(at.unix, self.download.id, segment.url, reason))]

    def _go_on_with_the_whole(self) -> bool:
        """Leave all to a connection whose answer is the whole file. False: there is none."""
        full = next((s for s in self.ledger.active if s.whole and s.remaining), None)
        if full is None or self.known.size is None:
            return False
        self.ledger.absorb(full, self.known.size)
        return True

    def _accept_whole(self, segment: Segment, answer: Whole, at: Moment) -> list[Command]:
        problem = self.known.unacceptable(answer.version.size)
        if problem:
            return self._broke(Broke(at, segment, problem))
        self.known.adopt_answer(answer.version, answer.accepts_ranges)
        segment.whole = True
        segment.end = answer.version.size
        return self._encoded(answer.version, at) + self._receive(segment)

    def _encoded(self, version: Version, at: Moment) -> list[Command]:
        """Warn once where the file will be kept as it was encoded on its way."""
        if version.encoding is None or self._told_encoding:
            return []
        self._told_encoding = True
        # What is no name of a coding is a stranger's text.
        coding = version.encoding if _CODINGS.fullmatch(version.encoding) else "in a way that it does not name"
        message = f"the server sends the file encoded ({coding}) though identity was asked for: it is kept as it comes"
        return [Emit(Warned(at.unix, self.download.id, message))]

    def _part(self, segment: Segment, answer: Part, at: Moment) -> list[Command]:
        changed = self.known.change_to(answer.version)
        if changed:
            return self._changed(segment, at, changed)
        if self.known.leaves_unproven(answer.version, segment.if_range):
            return self._unproven(segment, at)
        problem = self.known.unacceptable(answer.version.size)
        if problem:
            return self._broke(Broke(at, segment, problem))
        self.known.merge(answer.version)
        if self.known.size is not None and self.ledger.end > self.known.size:
            return self._changed(segment, at, f"the file has {self.known.size} bytes, and {self.ledger.end} were kept of an earlier one")
        wanted_end = segment.end if segment.end is not None else self.known.size
        segment.end = answer.range.end
        if wanted_end is None or segment.end < wanted_end:
            # Of a file whose size nobody tells (RFC 9110 section 14.4), what follows is asked for until there is nothing.
            self.ledger.pending.append(Pending(segment.end, wanted_end))
        self._sources.first.parts_came = True
        self.allowed.accepted(1 + sum(s.receiving for s in self.ledger.active))
        return self._resumed(at) + self._encoded(answer.version, at) + self._receive(segment)

    def _unproven(self, segment: Segment, at: Moment) -> list[Command]:
        """Do without parts that may be of any version: a server that sends one will send more."""
        reason = "nothing proves that a part which the server sends is of the same version as the rest"
        told = self._without_ranges(segment, at, reason)
        return [*told, Drop()] if self._go_on_with_the_whole() else told + self._changed(segment, at, reason)

    def _not_modified(self, segment: Segment, answer: NotModified, at: Moment) -> list[Command]:
        claim = self._asked_about(segment)
        if claim is None or segment.asked is not None:
            return self._broke(Broke(at, segment, Failure("http_status", "the server answered 304 to no condition", 304)))
        self.ledger.pending.append(self.ledger.leave(segment))
        if answer.elsewhere:
            # A validator is one resource's own: of another's, the condition says nothing.
            return [Drop(), self._not_believed(at, "is not the one that was asked about, but the target of a redirect")]
        if claim.validator.excludes(answer.validator):
            # Such a date says "not newer", and an older file may have taken its place; some caches compare nothing at all.
            return [Drop(), self._not_believed(at, "shows the validator of another version")]
        # Nobody else asks for it meanwhile.
        self._checking = True
        if not self.download.stays and self.work.unpacked is not None:
            # It went when it was unpacked.
            return [Drop(), *self._current(at, claim)]
        return [Drop(), Identify()]

    def _identified(self, fact: Identified) -> list[Command]:
        """What is claimed as in place was looked at there, and not only when the run began."""
        self._checking = False
        if (standing := self.download.standing) is not None:
            if fact.identity != standing.identity:
                return self._fail(fact.at, Failure("path", "another program has written to the file in place meanwhile"))
            return self._finished(fact.at, InPlace("up_to_date", "the server has the same content", standing))
        claim = self._claim
        if claim is None or fact.identity != claim.identity:
            self._replaces = fact.identity
            return [self._not_believed(fact.at, "it is another one by now")]
        return self._current(fact.at, claim)

    def _current(self, at: Moment, claim: Claim) -> list[Command]:
        in_place = InPlace("up_to_date", "the server says that it is current", claim)
        return self._done(at, in_place) if self.work.unpacked is None else self._finished(at, in_place, self.work.unpacked)

    def _done(self, at: Moment, in_place: InPlace) -> list[Command]:
        """Tell of a file that is in place, once it is unpacked if that is wanted."""
        download, unpack = self.download, self.options.unpack
        if download.into is None or unpack is None:
            return self._finished(at, in_place)
        self._checking, self._in_place = True, in_place
        how = (unpack.strip, unpack.only, bool(download.checksums), download.stays)
        return [Extract(Unpacking(download.path, download.into, in_place.claim, *how))]

    def _not_believed(self, at: Moment, why: str) -> Command:
        """Ask for the whole file, and no more whether it is current."""
        self._claim = None
        message = f"the server says that the file in place is current, and {why}: it is fetched anew"
        return Emit(Warned(at.unix, self.download.id, message))

    def _asked_about(self, segment: Segment) -> Claim | None:
        """The claim of the file in place, if this request may ask whether it is current.

        A validator is one resource's own (RFC 9110 section 8.8.3): no other source knows anything of it.
        """
        asks = self._claim is not None and bool(self._claim.validator_at(segment.url).conditions)
        return self._claim if asks else None

    def _unsatisfiable(self, segment: Segment, answer: Unsatisfiable, at: Moment) -> list[Command]:
        unproven = self.known.leaves_unproven(Version(answer.size, answer.validator, resource=answer.resource), None)
        if self.known.version and self.known.size is None and answer.size == segment.begin and not unproven:
            # The length was never told, and all of the file is here already.
            self.known.complete_size(segment.begin)
            self.ledger.leave(segment)
            return [*self._resumed(at), Drop(), *self._verify_if_complete()]
        if self._is_further(segment) and answer.size in (None, self.known.size):
            # Of a file that is as large as it was, there are such bytes.
            return self._broke(Broke(at, segment, Failure("http_status", "the server answered 416 Range Not Satisfiable", 416)))
        told = "unknown" if answer.size is None else str(answer.size)
        return self._changed(segment, at, f"the server has no such range any more: its size is {told}")

    def _ended(self, fact: Ended) -> list[Command]:
        segment = fact.segment
        if segment.cancelled:
            return self._left(segment)
        if segment.remaining:
            message = f"the body ended {segment.remaining} bytes early"
            return self._broke(Broke(fact.at, segment, Failure("truncated", message)))
        self.ledger.leave(segment)
        self.segments_finished += 1
        if self.ledger.credits is not None and (source := self._sources.of(segment.url)):
            source.failures = source.failures.progressed()
        self._laggards.note_end(segment, fact.at.ticks)
        if segment.end is None:
            self.known.complete_size(segment.written)
            problem = self.known.unacceptable(segment.written)
            if problem:
                return [Drop(), *self._next_source(fact.at, problem, problem.message)]
        return [Drop(), *self._verify_if_complete()]

    def _lagged(self, fact: Lagged) -> list[Command]:
        """Go on over a new connection, at once. That is no retry: nothing failed."""
        segment, lag = fact.segment, fact.segment.lag
        if segment.cancelled or not segment.remaining or lag is None:
            return self._ended(Ended(fact.at, segment))
        if self._shares_work and not lag.speed:
            what = "it brings nothing" if segment.receiving else "it does not answer"
            return self._source_failed(segment, Failure("too_slow", f"{what}, while other sources do"), fact.at)
        if segment.for_others and (source := self._sources.of(segment.url)):
            source.resting = max(source.resting, fact.at.ticks + PACE_REMEMBERED)
        self._laggards.redials += 1
        rest = self.ledger.leave(segment)
        self.ledger.pending.append(Pending(rest.start, rest.end, segment.retry.progressed()))
        return [
            Drop(),
            Emit(ConnectionRedialled(fact.at.unix, self.download.id, segment.url, round(lag.speed), round(lag.others))),
        ]

    def _yielded(self, segment: Segment) -> list[Command]:
        """Ask for the rest later. That is no retry: nothing failed."""
        if segment.cancelled:
            return self._left(segment)
        self.ledger.put_back([segment])
        # Its neighbour may go on where it began, without another request.
        self.ledger.extend_whole()
        return [Drop()]

    def _left(self, segment: Segment) -> list[Command]:
        """Take note that a cancelled segment writes no more; whatever it was doing last, nothing of it is outstanding."""
        segment.position = segment.written
        return [Drop(), *self._verify_if_complete()]

    def _verify_if_complete(self) -> list[Command]:
        size = self.known.size
        if size is None or self._checking or not self.ledger.covers(size):
            return []
        self._checking = True
        if self._inquiry.awaits_fingerprints:
            return [Fingerprint(self.ledger.epoch, self._inquiry.ranges)]
        return [Verify(self.ledger.epoch, size, self.algorithms)]

    def _hashed(self, fact: Hashed) -> list[Command]:
        assert self.known.size is not None
        attributes = self._attributes(fact.at)
        if attributes.mtime_ns is None:
            # Its last bytes may have come in an earlier run.
            attributes = replace(attributes, mtime_ns=int(fact.at.unix * 1e9))
        return self._verified(fact.at, fact.digests, Place(self.ledger.epoch, self.known.size, fact.digests, attributes))

    def _attributes(self, at: Moment) -> Attributes:
        """What the file gets besides its content. A date that cannot be that of a file which exists is none (RFC 9110 section 8.8.2.1)."""
        options = self.options
        modified = http_date(self.known.validator.last_modified) if options.mtime == "server" else None
        if modified is None or not 0 <= modified <= at.unix:
            return Attributes(options.mode, None, self._replaces)
        return Attributes(options.mode, modified * 1_000_000_000, self._replaces)

    def _verified(self, at: Moment, digests: Mapping[str, str], place: Place | Store) -> list[Command]:
        """Place a file with these digests, if they are those that the manifest names and those that its answers announced."""
        wrong = next((c for c in self.download.checksums if digests[c.algorithm] != c.hex), None)
        if wrong is not None:
            self._checking = False
            held = self.download.held
            names = "the lock names" if held and (wrong.algorithm, wrong.hex) == ("sha256", held.sha256) else "should be"
            message = f"{wrong.algorithm} is {digests[wrong.algorithm]} and {names} {wrong.hex}"
            return self._mismatch(at, Failure("checksum", message))
        if refuted := self.known.refuted(digests):
            self._checking = False
            return self._start_over(at, Failure("checksum", refuted))
        self._checking = True
        if pieces := self._inquiry.witnessed:
            self._right = place
            return [Fingerprint(self.ledger.epoch, pieces)]
        return self._accepted(at, place)

    def _accepted(self, at: Moment, place: Place | Store) -> list[Command]:
        """Place a file that is right."""
        named = [command for source in self._sources.set_aside for command in self._drop(source, source.another or "", at)]
        held_to = [(c, None) for c in self.download.checksums] + [(each.checksum, each.field) for each in self.known.announced]
        told = [*named, *(Emit(ChecksumVerified(at.unix, self.download.id, str(c), field)) for c, field in held_to)]
        standing = self.download.standing
        if standing is None:
            return [*told, place]
        digests = place.digests if isinstance(place, Place) else place.content.digests
        if f"sha256:{digests['sha256']}" not in standing.digests:
            return told + self._fail(at, self.download.other_than_standing)
        return [*told, Identify()]

    def _placed(self, fact: Placed) -> list[Command]:
        identity = fact.identity
        if identity.size != self.known.size:
            # The store compares too. What is claimed as in place was measured there, or it is not claimed.
            return self._fail(
                fact.at, Failure("internal", f"the file in place has {identity.size} bytes, and {self.known.size} were verified")
            )
        # What only an answer named says nothing that sha256 does not.
        own = {"sha256", *(checksum.algorithm for checksum in self.download.checksums)}
        digests = tuple(f"{name}:{value}" for name, value in fact.digests.items() if name in own)
        # The validator of a redirect's target would be taken for that of what is asked whether the file is current.
        validator = self.known.validator if not self._hops and self._is_of_one_source() else Validator()
        known = Validator(validator.etag, validator.strong_date)
        of = key_of(self.url) if known and self.url != self.download.url else None
        claim = Claim(key_of(self.download.path), key_of(self.download.url), identity, digests, known, durable=False, validator_of=of)
        return self._done(fact.at, InPlace("downloaded", "fetched", claim))

    # Several sources at once

    def _of_several(self, fact: Answered, verdict: Verdict) -> list[Command]:
        """Judge an answer by what its own source has shown, and by the size of the file."""
        segment, at = fact.segment, fact.at
        source, size = self._source_of(segment), _size_in(verdict)
        if size not in (None, self.known.size):
            return [Drop(), *self._has_another_size(source, size, at)]
        match verdict:
            case Whole() | Part():
                other = "it sends the file encoded" if verdict.version.encoding else source.known.change_to(verdict.version)
                if other is not None:
                    return [Drop(), *self._drop(source, other, at)]
                if isinstance(verdict, Part):
                    return self._part_of_several(segment, source, verdict, at)
                return self._whole_of_several(segment, source, verdict, at)
            case Unsatisfiable():
                return [Drop(), *self._drop(source, "it has no such range of the file", at)]
            case NotModified():
                return self._source_failed(segment, Failure("http_status", "the server answered 304 to no condition", 304), at)
            case Refused():
                return self._broke(Broke(at, segment, verdict.failure, fact.paced))
            case _:
                assert_never(verdict)

    def _has_another_size(self, source: Source, size: int | None, at: Moment) -> list[Command]:
        """Drop a source whose file is another one; or leave it for later, where the size is only what another source says."""
        reason = f"it has another file: {size} bytes, and {self.known.size} are expected"
        if self.download.size is not None or source is self._sources.first:
            return self._drop(source, reason, at)
        source.another = reason
        self.ledger.cancel([s for s in self.ledger.active if s.url == source.url])
        return self._ask_last(source)

    def _part_of_several(self, segment: Segment, source: Source, answer: Part, at: Moment) -> list[Command]:
        source.known.merge(answer.version)
        wanted_end = self.known.size if segment.end is None else segment.end
        assert wanted_end is not None
        segment.end = answer.range.end
        if segment.end < wanted_end:
            self.ledger.pending.append(Pending(segment.end, wanted_end))
        source.parts_came = True
        source.allowed.accepted(1 + sum(s.receiving for s in self.ledger.active if s.url == source.url))
        return self._resumed(at) + self._receive(segment)

    def _whole_of_several(self, segment: Segment, source: Source, answer: Whole, at: Moment) -> list[Command]:
        if segment.asked is None:
            source.known.adopt_answer(replace(answer.version, size=self.known.size), answer.accepts_ranges)
            segment.whole, segment.end = True, self.known.size
            told = [] if source.takes_part else self._ask_last(source)
            return told + self._receive(segment)
        rest = self.ledger.leave(segment)
        self.ledger.pending.append(Pending(rest.start, rest.end))
        if answer.accepts_ranges is not False and source.known.weaken_condition():
            return [Drop()]
        source.known.ranges = False
        told = self._tell_ranges(segment, at, "the server answers the whole file to a request for a part")
        return [Drop(), *told, *self._ask_last(source)]

    def _ask_last(self, source: Source) -> list[Command]:
        """Ask this one only where all others fail; what it sends already goes on, if that is the whole file."""
        self.ledger.cancel([s for s in self.ledger.active if s.url == source.url and not s.whole])
        self._inquiry.end_by(source)
        self._sources.put_last(source)
        self._use_first()
        return []

    def _source_failed(self, segment: Segment, failure: Failure, at: Moment, *, paced: bool = False) -> list[Command]:
        """Leave the range to whoever takes it first, and the source alone for a while, or for good."""
        source = self._source_of(segment)
        kept, further = segment.written > segment.begin, self._is_further(segment) and refuses_a_connection(failure)
        rest = self.ledger.leave(segment)
        self.ledger.pending.append(Pending(rest.start, rest.end))
        if further:
            return [Drop(), *self._refused(segment, failure, at)]
        if not kept and at.ticks < source.resting and is_retryable(failure, self.options.retry.statuses):
            # It was asked for together with one that failed before.
            return [Drop()]
        state = source.failures.progressed() if kept else source.failures
        decision = state.after(failure, self.options.retry, at.draw, paced=paced)
        if isinstance(decision, GiveUp):
            return [Drop(), *self._drop(source, decision.reason, at)]
        if self._past_deadline(at.ticks + decision.seconds):
            return [Drop(), *self._drop(source, f"{failure.message}; no time is left for a retry", at)]
        source.failures = decision.state
        source.resting = max(source.resting, at.ticks + decision.seconds)
        return [Drop(), *self._schedule(at, failure, decision, segment.url)]

    def _drop(self, source: Source, reason: str, at: Moment) -> list[Command]:
        """Ask a source no more; others go on with its ranges."""
        self.ledger.cancel([s for s in self.ledger.active if s.url == source.url])
        self._inquiry.end_by(source)
        self._sources.drop(source)
        self._use_first()
        return [Emit(MirrorDropped(at.unix, self.download.id, source.url, reason))]

    # Who was wrong

    def _mismatch(self, at: Moment, failure: Failure) -> list[Command]:
        """Look for whoever brought wrong bytes, where several brought some; else fetch the file again."""
        step = self._inquiry.after_mismatch(self._shares())
        match step:
            case Look():
                return self._look(step, failure, at)
            case DoWithout(source, is_wrong):
                what = "it sent wrong bytes" if is_wrong else "the checksum refuses its bytes, and another source sent the same"
                dropped = self._drop(source, f"{what}: {failure.message}", at)
                self._restarts = NO_FAILURES
                lost = self._forget()
                return [*dropped, self._discarded(at, failure.message, lost)]
            case None:
                return self._start_over(at, failure)
            case _:
                assert_never(step)

    def _look(self, look: Look, failure: Failure, at: Moment) -> list[Command]:
        """Take the fingerprints of some pieces before they are fetched again."""
        self._checking = True
        message = f"{failure.message}: {bytes_in(look.ranges)} bytes of it are fetched again from one source, to see who sent others"
        told: list[Command] = [Emit(Warned(at.unix, self.download.id, message))]
        if look.is_about_unknown and self.bytes_resumed:
            told.append(self._discarded(at, failure.message, self.bytes_resumed))
            self.bytes_resumed = 0
        return [*told, Fingerprint(self.ledger.epoch, look.ranges)]

    def _fingerprinted(self, fact: Fingerprinted) -> list[Command]:
        if self._right is not None:
            place, self._right = self._right, None
            return [*self._exposed(self._inquiry.exposed(fact.fingerprints), fact.at), *self._accepted(fact.at, place)]
        again = self._inquiry.take(fact.fingerprints)
        if not again:
            assert self.known.size is not None
            return [Verify(self.ledger.epoch, self.known.size, self.algorithms)]
        self._checking = False
        self.ledger.reopen(again)
        return []

    def _exposed(self, wrong: list[Wrong], at: Moment) -> list[Command]:
        """Name those who sent other bytes than those with which the file is right."""
        told: list[Command] = []
        for each in wrong:
            source = self._sources.of(each.url)
            if source is not None and len(self._sources.left) > 1:
                told += self._drop(source, each.reason, at)
            else:
                # It is asked no more, or sent the right ones in the end.
                told.append(Emit(MirrorDropped(at.unix, self.download.id, each.url, each.reason)))
        return told

    # Failures

    def _broke(self, fact: Broke) -> list[Command]:
        segment, failure, at = fact.segment, fact.failure, fact.at
        if segment is None:
            return self._fail(at, failure)
        if segment.cancelled:
            return self._left(segment)
        if segment.receiving and segment.written == segment.end:
            # It broke behind its last byte.
            return self._ended(Ended(at, segment))
        if not another_source_may_help(failure):
            self.ledger.leave(segment)
            return [Drop(), *self._fail(at, failure)]
        if self._shares_work:
            return self._source_failed(segment, failure, at, paced=fact.paced)
        return self._try_failed(segment, failure, at, paced=fact.paced)

    def _try_failed(self, segment: Segment, failure: Failure, at: Moment, *, paced: bool) -> list[Command]:
        """Ask for the rest again later, or leave the source."""
        kept = segment.written > segment.begin and self.known.resumable
        further = self._is_further(segment) and refuses_a_connection(failure)
        rest = self.ledger.leave(segment)
        if segment.url != self.url:
            # Of one that is asked last now, since it sends no parts.
            self.ledger.pending.append(Pending(rest.start, rest.end))
            return [Drop()]
        if further:
            self.ledger.pending.append(Pending(rest.start, rest.end, segment.retry))
            return [Drop(), *self._refused(segment, failure, at)]
        state = segment.retry.progressed() if kept else segment.retry
        decision = state.after(failure, self.options.retry, at.draw, paced=paced)
        if isinstance(decision, GiveUp) or self._past_deadline(at.ticks + decision.seconds):
            reason = decision.reason if isinstance(decision, GiveUp) else f"{failure.message}; no time is left for a retry"
            self.ledger.pending.append(rest)
            if self._may_ask_for_the_whole(segment, failure, at):
                self._sources.first.instead = failure
                return [Drop()]
            return [Drop(), *self._next_source(at, failure, reason)]
        again = Pending(rest.start, rest.end, decision.state, at.ticks + decision.seconds)
        return [Drop(), *self._schedule(at, failure, decision, segment.url), *self._wait(again, segment, at, kept)]

    def _is_further(self, segment: Segment) -> bool:
        """Whether this connection, of which nothing came, is one more beside others of the file."""
        return not segment.receiving and any(s is not segment and s.url == segment.url for s in self.ledger.active)

    def _refused(self, segment: Segment, failure: Failure, at: Moment) -> list[Command]:
        """Let the other connections go on, the first past its share; a further one is opened later, if the refusal may pass, or never."""
        told = self._tell_ranges(segment, at, f"a further connection for a part of it was refused: {failure.message}")
        source, its = self._source_of(segment), [s for s in self.ledger.active if s.url == segment.url]
        arrives = any(s.receiving for s in its)
        if arrives and not source.parts_came and not is_retryable(failure, self.options.retry.statuses):
            # Those that were asked for with it will be refused as well, and by then the first may be at the end of its share.
            self.ledger.put_back([s for s in its if not s.receiving])
            its = [s for s in its if s.receiving]
        seconds = source.allowed.refused(failure, len(its), at)
        if seconds is not None and failure.retry_after is not None:
            host = host_of(segment.url)
            told += [Emit(HostPaused(at.unix, self.download.id, host, seconds)), PauseHost(host, seconds)]
        self.ledger.extend_whole()
        return told

    def _may_ask_for_the_whole(self, segment: Segment, failure: Failure, at: Moment) -> bool:
        """Whether the last source, which refused a part, may still send the whole file: it is asked once, unless it has too much to do."""
        if (
            segment.asked is None
            or segment.receiving
            or len(self._sources.left) > 1
            or self.ledger.active
            or self.known.ranges is False
            or self._past_deadline(at.ticks)
        ):
            return False
        return failure.status is not None and failure.status >= 400 and failure.status not in BUSY

    def _wait(self, again: Pending, segment: Segment, at: Moment, kept: bool) -> list[Command]:
        """Put back what a broken segment has left, or all of the file where its bytes cannot be joined by others."""
        if kept or segment.written == segment.begin:
            self.ledger.pending.append(again)
            return []
        why, lost = self.known.weakness, self._forget()
        self.ledger.pending = [Pending(0, None, again.retry, again.due)]
        return [self._discarded(at, why, lost)]

    def _changed(self, segment: Segment, at: Moment, reason: str) -> list[Command]:
        """Start over after an answer that shows another version but is of no use itself."""
        self.ledger.leave(segment)
        return [Drop(), *self._start_over(at, Failure("changed", reason))]

    def _start_over(self, at: Moment, failure: Failure) -> list[Command]:
        """Fetch the whole file again, as a retry, or leave the source when that was done often enough."""
        decision = self._restart_allowed(failure, at)
        if isinstance(decision, GiveUp):
            return self._next_source(at, failure, decision.reason)
        lost = self._forget()
        discarded: list[Command] = [self._discarded(at, failure.message, lost)] if lost else []
        if decision is None:
            return discarded
        self.ledger.pending = [Pending(0, None, NO_FAILURES, at.ticks + decision.seconds)]
        return [*discarded, *self._schedule(at, failure, decision, self.url)]

    def _start_over_with(self, segment: Segment, answer: Whole, at: Moment, reason: str) -> list[Command]:
        """Start over with the body of this very answer."""
        self._begin_anew()
        lost = self.ledger.restart(segment)
        segment.asked = None
        discarded = [self._discarded(at, reason, lost)] if lost else []
        return [*discarded, *self._accept_whole(segment, answer, at)]

    def _restart_allowed(self, failure: Failure, at: Moment) -> Wait | GiveUp | None:
        """Count a restart as a retry. None: it costs nothing, since only what an earlier run left turned out to be of no use."""
        if self.bytes_resumed:
            return None
        decision = self._restarts.after(failure, self.options.retry, at.draw)
        if isinstance(decision, Wait):
            self._restarts = decision.state
        return decision

    def _forget(self) -> int:
        self._begin_anew()
        return self.ledger.restart()

    def _begin_anew(self) -> None:
        self.bytes_resumed = 0
        self._inquiry.end()
        for source in self._sources.left:
            source.known.forget()

    def _schedule(self, at: Moment, failure: Failure, wait: Wait, url: str) -> list[Command]:
        retry = RetryScheduled(
            at.unix, self.download.id, wait.attempt, wait.limit, failure.kind, failure.status, wait.seconds, url, failure.message
        )
        if failure.retry_after is None:
            return [Emit(retry)]
        # The server spoke for itself, not for one file: all connections to it wait (RFC 9110 section 10.2.3, RFC 6585 section 4).
        host = host_of(url)
        paused = HostPaused(at.unix, self.download.id, host, wait.seconds)
        return [Emit(retry), Emit(paused), PauseHost(host, wait.seconds)]

    def _next_source(self, at: Moment, failure: Failure, reason: str) -> list[Command]:
        if len(self._sources.left) == 1 or self._past_deadline(at.ticks):
            return self._fail(at, Failure(failure.kind, reason, failure.status))
        gone = self._sources.first
        self._inquiry.end()
        self._sources.drop(gone)
        self._use_first()
        switched: list[Command] = [Emit(MirrorSwitched(at.unix, self.download.id, gone.url, self.url, reason))]
        self._restarts = NO_FAILURES
        if gone.known.proof == "checksum" and gone.known.size is not None and failure.kind not in _WORTHLESS:
            # The checksum proves the whole, wherever its parts came from.
            self.ledger.cancel_all()
            self.ledger.pending = [Pending(p.start, p.end) for p in self.ledger.pending]
            return switched
        lost = self._forget()
        if lost:
            switched.append(self._discarded(at, "the next source may hold another version, and nothing would tell", lost))
        return switched

    def _fail(self, at: Moment, failure: Failure) -> list[Command]:
        self.ledger.cancel_all()
        self.closed = True
        failed = DownloadFailed(
            at.unix,
            self.download.id,
            failure.kind,
            failure.message,
            status=failure.status,
            url=self.url,
            bytes_downloaded=self.bytes_downloaded,
            bytes_resumed=self.bytes_resumed,
            segments=self.segments,
            started_at=self.began.unix,
            duration_s=at.ticks - self.began.ticks,
            size=self.known.size,
        )
        # The outcome goes last: who reads it may open the partial file at once.
        keep = failure.kind not in _WORTHLESS and bool(self.ledger.done) and self.known.worth_keeping
        return [Release(keep), Emit(failed)]

    def _finished(self, at: Moment, in_place: InPlace, unpacked: Unpacked | None = None) -> list[Command]:
        self.closed = True
        claim = in_place.claim
        identity, validator = claim.identity, claim.validator
        finished = DownloadFinished(
            at.unix,
            self.download.id,
            in_place.status,
            in_place.reason,
            size=identity.size,
            digests=claim.digests,
            mtime_ns=identity.mtime_ns,
            inode=identity.inode,
            source=self._source_named(in_place),
            etag=validator.etag,
            last_modified=validator.last_modified,
            validator_of=claim.validator_of,
            bytes_downloaded=self.bytes_downloaded,
            bytes_resumed=self.bytes_resumed,
            segments=self.segments,
            started_at=self.began.unix,
            duration_s=at.ticks - self.began.ticks,
            unpacked=unpacked,
            sources=self._shared_by(in_place),
        )
        return [Release(keep=False), Emit(finished)]

    def _source_named(self, in_place: InPlace) -> str | None:
        if self.work.in_place is not None:
            return "cache" if in_place.status == "cached" else None
        return self._main_source()

    def _shared_by(self, in_place: InPlace) -> tuple[Brought, ...] | None:
        """Of a file that came from several sources, how many of its bytes each brought, the most first."""
        if not self._has_several or in_place.status != "downloaded":
            return None
        brought = [Brought(self._served.get(who, who), bytes_in(had)) for who, had in self._shares().items() if who != UNKNOWN]
        return tuple(sorted(brought, key=lambda each: -each.bytes)) if len(brought) > 1 else None

    # Judgements

    def _use_first(self) -> None:
        """Judge by what the first of the sources that are left shows."""
        first = self._sources.first
        #: The source in use. A try always starts from the manifest's URL, since the target of a redirect may expire.
        self.url = first.url
        self.known, self.allowed = first.known, first.allowed

    def _source_of(self, segment: Segment) -> Source:
        source = self._sources.of(segment.url)
        assert source is not None, "the segments of one that is dropped are cancelled"
        return source

    def _shares(self) -> Mapping[str, tuple[ByteRange, ...]]:
        """Who brought what; nothing where there is one source only."""
        credits, size = self.ledger.credits, self.known.size
        return {} if credits is None or size is None else credits.shares(size)

    def _is_of_one_source(self) -> bool:
        """Whether what the source in use shows of its version is true of all bytes: where a checksum joined them, they may be others'."""
        resource = self.known.version.resource if self.known.version else None
        if self.bytes_resumed and resource != key_of(resource_of(parse_url(self.url))):
            # Of a redirect's target, in the run that had them.
            return False
        return not self._has_several or self.known.proof != "checksum" or self._shares().keys() <= {self.url}

    def _main_source(self) -> str:
        """The URL that served most of the file."""
        if not self._has_several:
            return self._served_by or self.url
        brought = {who: bytes_in(had) for who, had in self._shares().items() if who != UNKNOWN}
        most = max(brought, key=lambda who: brought[who], default=None)
        return self._served_by or self.url if most is None else self._served.get(most, most)

    def _serves(self, fact: Answered | Delivered) -> None:
        self._served_by = fact.answer.url.text
        if self._has_several:
            self._served[fact.segment.url] = self._served_by

    def _asked(self, pending: Pending) -> Asked:
        size = self.known.size
        everything = pending.start == 0 and pending.end in (None, size)
        return None if everything else (pending.start, pending.end)

    def _past_deadline(self, ticks: float) -> bool:
        return self.deadline is not None and ticks >= self.deadline

    def _receive(self, segment: Segment) -> list[Command]:
        segment.receiving = True
        self.segments += 1
        if self.ledger.credits is not None:
            self._source_of(segment).has_served = True
        return [Receive()]

    def _redirects(self, fact: Answered | Delivered) -> list[Command]:
        new = [hop for hop in fact.answer.hops if hop not in self._hops]
        self._hops.update(new)
        return [Emit(Redirected(fact.at.unix, self.download.id, source.text, target.text)) for source, target in new]

    def _discarded(self, at: Moment, reason: str, count: int) -> Emit:
        return Emit(ResumeDiscarded(at.unix, self.download.id, reason, count))


def _size_in(verdict: Verdict) -> int | None:
    """The size of the whole file that an answer tells; None where it tells none."""
    if isinstance(verdict, Whole | Part):
        return verdict.version.size
    return verdict.size if isinstance(verdict, Unsatisfiable) else None
