"""What the core asks of the world: the Protocols that adapters implement for real and `tests/fakes` implement in memory.

    Transport    many GETs at once, by turns                 FileStore, Partial   partial files, their journals, finished files
    StateStore   what the output folder is known to hold     Clock                time and chance
    Unpacker     archives in place                           EventSink            where events go

Every method may raise only what its docstring names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol, TypeAlias

from marscore.events import Event
from marscore.frozen import dataclass
from marscore.journal import Header, Journal, Piece
from marscore.state import AS_MADE, Attributes, Claim, Claims, Content, FileIdentity, Measured, Row
from marscore.url import Url
from marscore.values import Access, ByteRange, Failure, Unpacked

EventSink: TypeAlias = Callable[[Event], None]
#: HEAD: the answer has no body, whatever its head says of one (RFC 9110 section 9.3.2).
Method: TypeAlias = Literal["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class Request:
    """One GET, or HEAD. `fields` are those that belong to this request (Range, If-Range, ...); `access.headers` come on top."""

    url: Url
    access: Access
    fields: tuple[tuple[str, str], ...] = ()
    method: Method = "GET"


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a final response.

    Field names are in lower case; `url` is the one that answered, after the `hops` of redirects; `protocol` as the server named it.
    """

    status: int
    fields: Mapping[str, str]
    url: Url
    hops: tuple[tuple[Url, Url], ...] = field(default=())
    protocol: str = "HTTP/1.1"


@dataclass(slots=True, eq=False)
class Exchange:
    """One GET on its way: a transport puts here what comes, in `turn`, and whoever started it takes it from here.

    `answer` is the head of the final response, after its redirects, and there before the first of `chunks`, the body as it came; who has
    used chunks takes them out. `over` tells that no more comes: the body ended as the protocol says it should, or `failure` says why not.
    `fresh` asks for a connection that carried nothing before, `max_rate` for no more bytes a second than that, and `at_once` for about so
    many bytes in a turn at most, since they are held in memory.
    """

    request: Request
    fresh: bool = False
    max_rate: int | None = None
    at_once: int | None = None
    answer: Answer | None = None
    chunks: list[bytes] = field(default_factory=list)
    over: bool = False
    failure: Failure | None = None


class Transport(Protocol):
    """Carries exchanges, many at once, in the thread that calls `turn`. Only `wake` may be called from others, and from signal handlers.

    `waited` is for how many seconds turns have waited so far for something to come.
    """

    waited: float

    def start(self, exchange: Exchange) -> None:
        """Begin to send its request; what comes of it comes in later turns, that it cannot be sent included."""
        ...

    def turn(self, until: float) -> list[Exchange]:
        """Send and receive; return the exchanges of which there is something new: an answer, chunks or an end.

        Returns as soon as there is any, at `until` ticks, or when woken.
        """
        ...

    def pause(self, exchange: Exchange) -> None:
        """Receive no more of its body for now. What has come already may still be put into `chunks`."""
        ...

    def resume(self, exchange: Exchange) -> None:
        """Go on with it."""
        ...

    def cancel(self, exchange: Exchange) -> None:
        """Want no more of it: nothing is put there from now on. Its connection is used again where little is left of the body."""
        ...

    def close_idle(self) -> None:
        """Drop the connections that carry nothing now."""
        ...

    def wake(self) -> None:
        """End the current turn, or the next one if none is going on."""
        ...

    def close(self) -> None:
        """Drop everything. Nothing else is called afterwards but `wake`."""
        ...


class Partial(Protocol):
    """One file on its way: bytes at offsets, and the journal of the pieces that were written.

    Raises StorageError from every method that touches the disk. Safe to share between threads.
    """

    def write(self, offset: int, *chunks: bytes | memoryview) -> None:
        """Write all of the chunks, one behind the other, from `offset` on."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""
        ...

    def reserve(self, size: int) -> None:
        """Make room for `size` bytes, so that a full disk is known at once."""
        ...

    def follow(self, algorithms: Sequence[str], proven: Sequence[ByteRange]) -> None:
        """Begin to hash the file while it is written, so that `digests` need not wait; `proven` ranges of it are there already."""
        ...

    def describe(self, header: Header) -> None:
        """Set what the journal says of this file; it is written with the first piece.

        Of a journal that is begun already, it changes what `journal.described` says: for which checksums its pieces wait, and a size
        that was not known.
        """
        ...

    def record(self, piece: Piece) -> None:
        """Append a piece to the journal, after its bytes were written."""
        ...

    @property
    def is_recorded(self) -> bool:
        """Whether the journal has a piece, by which a later run goes on."""
        ...

    def digests(self, size: int, algorithms: Sequence[str]) -> dict[str, str]:
        """Hash the first `size` bytes: algorithm -> lowercase hex.

        Raises:
            StorageError: also where there are not so many.
        """
        ...

    def finish(self, path: str, size: int, digests: Mapping[str, str], attributes: Attributes = AS_MADE) -> FileIdentity:
        """Give the file its attributes and then, in one atomic step, its name; return what identifies it there. The partial is closed.

        What is renamed is measured: `size` and `digests` are those that were verified. A file system that keeps no times is no failure.

        Raises:
            StorageError: also where the file has fewer bytes than that, or another is under one of its names.
        """
        ...

    def close(self) -> None:
        """Let go of the file and keep it for a later run."""
        ...

    def discard(self) -> None:
        """Let go of the file and remove it with its journal."""
        ...


class FileStore(Protocol):
    """The output folder: the only opener of payload files. Paths are relative to it, with `/`."""

    def create(self, path: str) -> Partial:
        """Begin a partial file for `path`, in place of any there was.

        Raises:
            StorageError: no permission, no space, a folder stands where the file should be.
        """
        ...

    def prepare(self, path: str) -> None:
        """Refuse a path that the system does not take, before a body is read that `store` could put nowhere.

        Raises:
            StorageError: as in `create`.
        """
        ...

    def store(self, path: str, content: Content, attributes: Attributes = AS_MADE) -> FileIdentity:
        """Put a whole file in place with its attributes, in one atomic step, and return what identifies it there.

        Raises:
            StorageError: as in `create`; nothing is left of the file then.
        """
        ...

    def reopen(self, path: str) -> tuple[Partial, Journal] | None:
        """Open the partial file that an earlier run left for `path`, or None; what is unreadable counts as none.

        Raises:
            StorageError: the system gives too little to look: that is no word about what is there.
        """
        ...

    def identify(self, path: str) -> FileIdentity | None:
        """What identifies the finished file at `path`, or None where there is none."""
        ...

    def measure(self, path: str, algorithms: Sequence[str]) -> Measured:
        """Hash the finished file at `path`.

        Raises:
            StorageError: it cannot be read, or changed meanwhile.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unpacking:
    """An archive that is to be unpacked. Paths are relative to the output folder; `strip` and `only` as in `resolve.model.Unpack`.

    `archive` is what is known of it, whose file has to be in place; `is_proven` says that the manifest names its content,
    `stays` that it is kept where it is.
    """

    path: str
    into: str
    archive: Claim
    strip: int = 0
    only: tuple[str, ...] = ()
    is_proven: bool = False
    stays: bool = True


class Unpacker(Protocol):
    """Unpacks archives in the output folder."""

    def unpack(self, asked: Unpacking, wanted: Callable[[], bool]) -> Unpacked:
        """Put what is in an archive in place, in one step, and note what it is; what an earlier run unpacked there goes.

        `wanted` is asked often whether that is to go on; it is, until the folder has its name.

        Raises:
            StorageError: the archive cannot be read, or holds what may not be there; the system is in the way; it is not wanted any more.
                Nothing of it is in place then.
        """
        ...


class StateStore(Protocol):
    """What the output folder is known to hold, by output path."""

    def claims(self) -> Claims:
        """Every claim, by `path_key`."""
        ...

    def record(self, rows: Iterable[Row]) -> None:
        """Replace the claims for these paths; on return they survive the death of this process."""
        ...

    def flushed(self, path_keys: Iterable[str]) -> None:
        """Mark the claims for these paths durable: their files are on the disk."""
        ...


class Clock(Protocol):
    """Time and chance, so that tests decide both."""

    def now(self) -> float:
        """Unix time in seconds: for people and for HTTP-dates. It may jump."""
        ...

    def ticks(self) -> float:
        """Seconds on a clock that never jumps: for waits and deadlines."""
        ...

    def used(self) -> float:
        """Seconds of processor time that this process has used, over all its threads."""
        ...

    def draw(self) -> float:
        """A random number in [0, 1)."""
        ...
