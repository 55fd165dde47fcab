"""What an origin does with one request: small frozen steps, put in a script path by path, the last one repeating.

`Good` answers as a well-behaved server does; `replace(Good(), ...)` changes one thing about it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.origin.content import Body


@dataclass(frozen=True)
class Good:
    """A proper answer (RFC 9110), but for what is set here.

    Attributes:
        body: another file than the one that is served at the path.
        ranges: `honour` them; `ignore` answers 200; `shift` answers the first bytes; `total` lies about the total; `unsaid` leaves
            Content-Range away; `multipart`; `gzip` says that it is encoded; `refuse` answers 416; `always` answers 206 of the whole to who
            asks for no range.
        if_range: `honour` it, `ignore` it (answer 206 whatever it says), or `reject` it (answer 200 whatever it says).
        length: `true`, `none` (the end of the connection ends the body), `chunked`, `chunked_cut`, `chunked_garbage` (more bytes follow
            the last chunk), `chunked_broken` (nonsense where a chunk size belongs), `small` (one less), `large` (one more).
        cut_after: body bytes after which the connection is closed; with `reset` by RST.
        stall_after: body bytes after which nothing more comes for `stall_s`, once, or until the event `until` is set.
        rate: body bytes a second; None: as fast as it goes.
        drip: so many body bytes at a time, with so many seconds after each.
        delay_s: before the first byte of the answer.
        head_every_s: the head goes out byte by byte, with so many seconds after each.
        fields: more header fields, or others in place of the usual, Date among them; None removes one.
        close: `announced` sends Connection: close, `silent` closes without a word.
        informational: interim status codes that come first.
    """

    body: Body | None = None
    ranges: Literal["honour", "ignore", "shift", "total", "unsaid", "multipart", "gzip", "refuse", "always"] = "honour"
    if_range: Literal["honour", "ignore", "reject"] = "honour"
    length: Literal["true", "none", "chunked", "chunked_cut", "chunked_garbage", "chunked_broken", "small", "large"] = "true"
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    stall_s: float = 0.0
    until: threading.Event | None = None
    rate: int | None = None
    delay_s: float = 0.0
    fields: tuple[tuple[str, str | None], ...] = ()
    close: Literal["no", "announced", "silent"] = "no"
    informational: tuple[int, ...] = ()
    drip: tuple[int, float] | None = None
    head_every_s: float | None = None


@dataclass(frozen=True)
class Status:
    """An answer without a file. `retry_after` is sent as it stands: seconds, a date, or nonsense."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    text: bytes = b"no file here\n"
    retry_after: str | None = None


@dataclass(frozen=True)
class Raw:
    """These bytes and nothing else, then the end of the connection after `hold_s`."""

    data: bytes
    hold_s: float = 0.0
    repeat: int = 1


@dataclass(frozen=True)
class HangUp:
    """No answer: the connection is closed, with `reset` by RST."""

    reset: bool = False


Step: TypeAlias = Good | Status | Raw | HangUp


class Fields(Mapping[str, str]):
    """Header fields by name in any case. Fields of one name are joined by a comma (RFC 9110 section 5.3)."""

    def __init__(self, raw: tuple[tuple[str, str], ...] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            earlier = self._values.get(name.lower())
            self._values[name.lower()] = value if earlier is None else f"{earlier}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Fields({self._values!r})"


@dataclass(frozen=True)
class Seen:
    """A request as it came.

    Attributes:
        fields: by name in any case; iterating gives names in lower case. `raw` has each line as it came.
        connection: numbers the TCP connections from 0, `nth` the requests of one connection.
        at: monotonic time.
    """

    method: str
    target: str
    fields: Mapping[str, str]
    connection: int
    at: float
    raw: tuple[tuple[str, str], ...] = field(default=())
    nth: int = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.split("?")[0]


Handler: TypeAlias = Callable[[Seen], Step]


def redirect(target: str, status: int = 302) -> Status:
    """An answer that leads elsewhere."""
    return Status(status, (("Location", target),))


def busy(status: int = 503, retry_after: str | None = None) -> Status:
    """An answer that asks to come again later."""
    return Status(status, retry_after=retry_after)
