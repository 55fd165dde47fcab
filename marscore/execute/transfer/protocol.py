"""What passes between a transfer, which decides, and its loop, which acts.

    loop --Fact--> Transfer.step --Command...--> loop

A fact says what happened, with the moment at which it did; a command says what to do next. Both are frozen, but for the segment that some
name, and hold all that is needed to act on them: who performs a command, a helper maybe, looks at nothing else that may have changed since.

This file is longer than the house's 300 lines, since it is the whole protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from marscore.events import Event
from marscore.execute.transfer.answer import Asked
from marscore.frozen import dataclass
from marscore.journal import Proof
from marscore.policy.pacing import Lag, Pace
from marscore.policy.retry import NO_FAILURES, RetryState
from marscore.ports import Answer, Unpacking
from marscore.resolve.model import Download
from marscore.state import AS_MADE, Attributes, Claim, Content, FileIdentity
from marscore.validator import Validator
from marscore.values import Announced, ByteRange, Failure, Unpacked


@dataclass(frozen=True, slots=True)
class InPlace:
    """An archive that needs no fetching, but unpacking: how it got there, and what is known of it."""

    status: Literal["downloaded", "up_to_date", "cached"]
    reason: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Work:
    """One download to carry out.

    `known` is the claim of the file now in place, to ask the server whether it is still current; `unpacked` is what was unpacked of it,
    if that stands. `untouched` tells that nothing can be left of an earlier try, so that nobody needs to look. Where `in_place` says so,
    there is nothing to ask anybody.
    With `purpose` ask, the server is asked what it has, and nothing is fetched. Its `requests` are told where the run is traced (all of
    them before the outcome), and where the log has them (each as it ends). `secrets` are those of this download alone, with what is shown
    for them.
    """

    download: Download
    known: Claim | None = None
    untouched: bool = False
    unpacked: Unpacked | None = None
    in_place: InPlace | None = None
    purpose: Literal["fetch", "ask"] = "fetch"
    requests: frozenset[Literal["traced", "logged"]] = frozenset()
    secrets: tuple[tuple[str, str], ...] = ()


class Moment(NamedTuple):
    """A point in time: `unix` for people and HTTP-dates, `ticks` (seconds, never jumping) for waits; `draw` is chance in [0, 1)."""

    unix: float
    ticks: float
    draw: float = 0.0


@dataclass(slots=True, eq=False)
class Segment:
    """One connection's share of a file: from `position` to `end` (None: until the body ends).

    `begin` is where it started, `position` counts bytes that were admitted, `written` those that the disk took. `asked` is what its
    Range field said. `whole` tells that its answer was the whole file, so that it could go on past `end`. A cancelled one has nothing
    more to do: another took its bytes, or they are of a version that is gone. `pace` is kept while a body is received;
    `lag` says why the connection was given up, if it was, and `for_others` that another source is to go on. `asked_at` is when it was
    begun, and `answered_at` when the head of an answer came, in ticks; `status` is that answer's.
    """

    number: int
    epoch: int
    begin: int
    position: int
    written: int
    end: int | None
    asked: Asked
    if_range: str | None
    retry: RetryState
    url: str
    receiving: bool = False
    whole: bool = False
    cancelled: bool = False
    pace: Pace | None = None
    lag: Lag | None = None
    for_others: bool = False
    asked_at: float = 0.0
    answered_at: float | None = None
    status: int | None = None

    def answered(self, ticks: float, status: int) -> None:
        """Take note of an answer's head, which may have come before anybody judges it: of a small file once it is whole."""
        self.answered_at = ticks if self.answered_at is None else self.answered_at
        self.status = status

    @property
    def remaining(self) -> int:
        """Bytes still to come; 0 where the end is unknown."""
        return 0 if self.end is None else self.end - self.position


@dataclass(frozen=True, slots=True)
class Pending:
    """Bytes that no connection is fetching: from `start` to `end` (None: to the file's end), not to be asked for before `due` ticks."""

    start: int
    end: int | None
    retry: RetryState = NO_FAILURES
    due: float = 0.0


# Facts


@dataclass(frozen=True, slots=True)
class Opened:
    """The partial file was looked at: `proven` ranges of it are on disk, `pieces` of them, and `damaged` bytes did not match.

    The rest is what its journal says of it.
    """

    at: Moment
    proven: tuple[ByteRange, ...] = ()
    pieces: int = 0
    damaged: int = 0
    size: int | None = None
    validator: Validator = Validator()
    encoding: str | None = None
    url_key: str | None = None
    proof: Proof = "validator"
    checksums: tuple[str, ...] = ()
    resource: str | None = None
    announced: tuple[Announced, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an answer came; `paced` tells that it is a refusal by which a host that answers otherwise slows all requests."""

    at: Moment
    segment: Segment
    answer: Answer
    paced: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """The answer to a first request came with the whole body of a small file, which is in memory and nowhere else."""

    at: Moment
    segment: Segment
    answer: Answer
    content: Content


@dataclass(frozen=True, slots=True)
class Broke:
    """A try failed; what came before is written. `paced`: see `Answered`."""

    at: Moment
    segment: Segment | None
    failure: Failure
    paced: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A segment has all its bytes, or its body of unknown length ended as the protocol says it should."""

    at: Moment
    segment: Segment


@dataclass(frozen=True, slots=True)
class Lagged:
    """A segment was left before its end, since its connection lags behind its siblings; what came is written."""

    at: Moment
    segment: Segment


@dataclass(frozen=True, slots=True)
class Yielded:
    """A segment's connection was taken from it, for a file that has none; what came is written."""

    at: Moment
    segment: Segment


@dataclass(frozen=True, slots=True)
class Hashed:
    """The whole file of the epoch in use was hashed; algorithm -> lowercase hex."""

    at: Moment
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """Ranges of the partial file were looked at: a fingerprint of each, in the order of the command."""

    at: Moment
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """The file has its name: `identity` was measured there, `digests` are those of the command that it was placed by."""

    at: Moment
    identity: FileIdentity
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Identified:
    """What is under the file's name now; None: nothing."""

    at: Moment
    identity: FileIdentity | None


@dataclass(frozen=True, slots=True)
class Extracted:
    """What is in the archive is in place."""

    at: Moment
    unpacked: Unpacked


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ends now, for this reason; what was received is kept."""

    at: Moment
    failure: Failure


Fact: TypeAlias = (
    Opened | Answered | Delivered | Broke | Ended | Lagged | Yielded | Hashed | Fingerprinted | Placed | Identified | Extracted | Stopped
)


# Commands


@dataclass(frozen=True, slots=True)
class Receive:
    """Read the body of this answer into the segment."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the response; the segment is over."""


@dataclass(frozen=True, slots=True)
class Emit:
    event: Event


@dataclass(frozen=True, slots=True)
class PauseHost:
    """Let no connection to the host be used for so many seconds."""

    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Verify:
    """Hash the first `size` bytes of the epoch's partial file with these algorithms."""

    epoch: int
    size: int
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Look at ranges of the epoch's partial file, to see later whether they have changed."""

    epoch: int
    ranges: tuple[ByteRange, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Give the epoch's partial file, of which `size` bytes have these digests, its attributes and its name."""

    epoch: int
    size: int
    digests: Mapping[str, str]
    attributes: Attributes = AS_MADE


@dataclass(frozen=True, slots=True)
class Store:
    """Put a file in place of which there is nothing but this content."""

    content: Content
    attributes: Attributes = AS_MADE


@dataclass(frozen=True, slots=True)
class Identify:
    """Look what is under the file's name."""


@dataclass(frozen=True, slots=True)
class Extract:
    """Unpack the file, which is in place."""

    asked: Unpacking


@dataclass(frozen=True, slots=True)
class Release:
    """The transfer is over. A partial file that is of no use is removed, any other kept for the next run."""

    keep: bool


Command: TypeAlias = Receive | Drop | Emit | PauseHost | Verify | Fingerprint | Place | Store | Identify | Extract | Release
