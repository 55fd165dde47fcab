"""What an origin does with one request: small frozen steps, put in a script path by path, the last one repeating.

`Good` answers as a well-behaved server does; `replace(Good(), ...)` changes one thing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.origin.content import Body


@dataclass(frozen=True)
class Good:
    """A proper answer (RFC 9110), but for what is set here.

    Attributes:
        body: another file than the one that is served at the path.
        ranges: `honour` them; `ignore` answers 200; `shift` answers the first bytes; `total` lies about the total; `unsaid` leaves
            Content-Range away; `multipart`; `gzip` says that it is encoded; `refuse` answers 416.
        if_range: `honour` it, `ignore` it (answer 206 whatever it says), or `reject` it (answer 200 whatever it says).
        length: `true`, `none` (the end of the connection ends the body), `chunked`, `chunked_cut`, `small` (one less), `large`.
        cut_after: body bytes after which the connection is closed; with `reset` by RST.
        stall_after: body bytes after which nothing more comes for `stall_s`.
        rate: body bytes a second; None: as fast as it goes.
        delay_s: before the first byte of the answer.
        fields: more header fields, or others in place of the usual; None removes one.
        close: `announced` sends Connection: close, `silent` closes without a word.
        informational: interim status codes that come first.
    """

    body: Body | None = None
    ranges: Literal["honour", "ignore", "shift", "total", "unsaid", "multipart", "gzip", "refuse"] = "honour"
    if_range: Literal["honour", "ignore", "reject"] = "honour"
    length: Literal["true", "none", "chunked", "chunked_cut", "small", "large"] = "true"
    cut_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    stall_s: float = 0.0
    rate: int | None = None
    delay_s: float = 0.0
    fields: tuple[tuple[str, str | None], ...] = ()
    close: Literal["no", "announced", "silent"] = "no"
    informational: tuple[int, ...] = ()


@dataclass(frozen=True)
class Status:
    """An answer without a file."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    text: bytes = b"no file here\n"


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


@dataclass(frozen=True)
class Seen:
    """A request as it came. Field names are in lower case; `connection` numbers the TCP connections from 0."""

    method: str
    target: str
    fields: dict[str, str]
    connection: int
    at: float
    raw: tuple[tuple[str, str], ...] = field(default=())

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
    return Status(status, () if retry_after is None else (("Retry-After", retry_after),))
