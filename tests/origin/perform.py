"""Sends what a step says over one connection, at the pace that it says, and tells whether the connection stays open."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator

from tests.origin.answers import plan_answer
from tests.origin.content import Body
from tests.origin.steps import Good, HangUp, Raw, Seen, Status, Step
from tests.origin.wire import Answer, chunks_of, client_is_there, head_of

_FAREWELL_S = 0.2
_LOOK_S = 0.02


def perform(stream: socket.socket, step: Step, seen: Seen, body: Body | None, closing: threading.Event) -> bool:
    """Answer one request. Returns whether the connection stays open."""
    match step:
        case Raw():
            for _ in range(step.repeat):
                stream.sendall(step.data)
            closing.wait(step.hold_s)
            return False
        case HangUp():
            return _hang_up(stream, step.reset)
        case Status():
            stream.sendall(_status(step, seen))
            return True
        case Good():
            file = step.body or body
            if file is None:
                raise LookupError(f"no body is served at {seen.path}, and the step names none")
            return _Delivery(stream, step, closing).run(plan_answer(step, file, seen), seen.method)


def _status(step: Status, seen: Seen) -> bytes:
    """A whole answer; 1xx, 204 and 304 have no body, nor has an answer to HEAD (RFC 9112 section 6.3)."""
    bare = step.status < 200 or step.status in (204, 304)
    again = () if step.retry_after is None else (("Retry-After", step.retry_after),)
    length = () if bare else (("Content-Length", str(len(step.text))),)
    head = head_of(step.status, (*length, *again, *step.fields))
    return head if bare or seen.method == "HEAD" else head + step.text


class _Delivery:
    """One file on its way out. Every wait ends at once when the origin closes."""

    def __init__(self, stream: socket.socket, step: Good, closing: threading.Event) -> None:
        self._stream = stream
        self._step = step
        self._closing = closing

    def run(self, answer: Answer, method: str) -> bool:
        """Send it all, or as much as the step lets through. Returns whether the connection stays open."""
        self._pause(self._step.delay_s)
        for status in self._step.informational:
            self._stream.sendall(head_of(status, ()))
        self._send_head(answer.head)
        if method == "HEAD":
            return answer.stays_open
        cut, sent = self._step.cut_after, 0
        for chunk in self._paced(answer):
            if cut is not None and sent + len(chunk) >= cut:
                self._stream.sendall(chunk[: cut - sent])
                return _hang_up(self._stream, self._step.reset)
            self._stream.sendall(chunk)
            sent += len(chunk)
        self._stream.sendall(answer.tail)
        if answer.stays_open:
            return True
        say_goodbye(self._stream)
        return False

    def _send_head(self, head: bytes) -> None:
        if self._step.head_every_s is None:
            self._stream.sendall(head)
            return
        for number in range(len(head)):
            self._stream.sendall(head[number : number + 1])
            if self._closing.wait(self._step.head_every_s):
                return

    def _paced(self, answer: Answer) -> Iterator[bytes]:
        step, began, sent = self._step, time.monotonic(), 0
        for chunk in self._split_at_stall(chunks_of(answer, self._chunk_size())):
            if step.rate is not None:
                self._closing.wait(max(0.0, began + sent / step.rate - time.monotonic()))
            if self._closing.is_set():
                return
            yield chunk
            sent += len(chunk)
            if step.drip is not None:
                self._closing.wait(step.drip[1])

    def _split_at_stall(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        left = self._step.stall_after
        for chunk in chunks:
            if left is None or len(chunk) <= left:
                yield chunk
                left = left and left - len(chunk)
                continue
            if left:
                yield chunk[:left]
            self._pause(self._step.stall_s, self._step.until)
            yield chunk[left:]
            left = None

    def _pause(self, seconds: float, until: threading.Event | None = None) -> None:
        """Send nothing for a while, or until something happened. A client that leaves meanwhile ends the connection."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._closing.is_set() and not (until and until.is_set()):
            self._closing.wait(min(left, _LOOK_S))
            if not client_is_there(self._stream):
                raise ConnectionAbortedError

    def _chunk_size(self) -> int | None:
        if self._step.drip is not None:
            return self._step.drip[0]
        return None if self._step.rate is None else max(1, min(64 * 1024, self._step.rate // 50))


def say_goodbye(stream: socket.socket) -> None:
    """End a connection as a proper server does: over TLS with close_notify, so that the end is not mistaken for a cut."""
    with contextlib.suppress(OSError, ValueError):
        stream.settimeout(_FAREWELL_S)
        if isinstance(stream, ssl.SSLSocket):
            stream.unwrap()


def _hang_up(stream: socket.socket, reset: bool) -> bool:
    """Break off: RST where asked, since SO_LINGER with a time of zero turns close into it; else FIN without close_notify."""
    if reset:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    with contextlib.suppress(OSError):
        socket.socket.shutdown(stream, socket.SHUT_WR)
    return False
