"""Every call of every port fails once: each run ends, each download has one outcome, and no file is half there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from marscore.adapters.clock import SystemClock
from marscore.errors import OriginError, StorageError
from marscore.events import DownloadFinished
from marscore.execute.transfer.protocol import Work
from marscore.journal import Header, PieceHasher
from marscore.ports import Answer, Exchange, Request
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import Checksum, Failure, internal
from tests.fakes.files import MemoryFolder
from tests.fakes.transport import FakeTransport
from tests.fakes.tripping import Tripping, Tripwire
from tests.long import some
from tests.unit.execute.working import HUNG, KIB, MIB, outcomes, wanted

BASE = "http://origin.example/"
RESUMED = b"resumed " * (64 * KIB)
BODIES = {
    "small": b"small",
    "busy": b"busy at first",
    "middle": b"middle " * (20 * KIB),
    "cut": b"cut " * (50 * KIB),
    "resumed": RESUMED,
    "large": bytes(range(256)) * (4 * MIB // 256),
}


class Moody(FakeTransport):
    """Answers the first request for some files badly: 503, or half a body of a version that nothing can be joined with."""

    def __init__(self, wire: Tripwire) -> None:
        super().__init__({BASE + name: body for name, body in BODIES.items()})
        self._met: set[str] = set()
        self._wire = wire

    def carry_out(self, exchange: Exchange) -> Iterator[None]:
        for step in super().carry_out(exchange):
            try:
                self._wire.call("exchange", "step")
            except OriginError as error:
                exchange.failure = error.failure
                return
            yield step

    def answer(self, request: Request) -> tuple[Answer, bytes]:
        url = request.url.text
        first = url not in self._met
        self._met.add(url)
        if first and url == BASE + "busy":
            return Answer(503, {"retry-after": "0"}, request.url), b""
        if first and url == BASE + "cut":
            body = BODIES["cut"]
            return Answer(200, {"content-length": str(len(body))}, request.url), body[: len(body) // 2]
        return super().answer(request)


def begun() -> MemoryFolder:
    """A folder in which an earlier run left a part of one file."""
    folder = MemoryFolder()
    partial = folder.create("resumed")
    partial.describe(Header(key_of(BASE + "resumed"), len(RESUMED), Validator(f'"{len(RESUMED)}"')))
    partial.write(0, RESUMED[:1000])
    hasher = PieceHasher(0)
    hasher.update(RESUMED[:1000])
    partial.record(hasher.piece())
    partial.close()
    return folder


def works() -> list[Work]:
    sums = {name: (Checksum("sha256", hashlib.sha256(body).hexdigest()),) for name, body in BODIES.items() if name in ("middle", "large")}
    made = [wanted(n, BASE + name, name, sums.get(name, ()), threads=2) for n, name in enumerate(BODIES)]
    return [Work(work.download, untouched=work.download.path != "resumed") for work in made]


def of_the_port(kind: str) -> BaseException:
    """What a port may raise, and what an exchange may end with."""
    if kind == "exchange":
        return OriginError(Failure("connection", "the connection was reset"))
    return StorageError(Failure("permission", "cannot write: Permission denied")) if kind in ("files", "partial") else RuntimeError("clock")


def of_nobody(kind: str) -> BaseException:
    """What no port may raise."""
    return RuntimeError(f"a defect of {kind}")


FAULTS: Mapping[str, Callable[[str], BaseException]] = {
    "of the port": of_the_port,
    "of nobody": of_nobody,
    "no memory": lambda kind: MemoryError(),
}


def run(wire: Tripwire, threads: int = 2) -> tuple[Mapping[str, Any], MemoryFolder]:
    folder = begun()
    ports = Tripping(Moody(wire), "transport", wire), Tripping(folder, "files", wire), Tripping(SystemClock(), "clock", wire)
    return outcomes(works(), *ports, threads=threads), folder


def check(found: Mapping[str, Any], folder: MemoryFolder, may_fail: int = len(BODIES)) -> None:
    failed = [outcome for outcome in found.values() if not isinstance(outcome, DownloadFinished)]
    assert len(failed) <= may_fail, failed
    # A helper that was at work when the loop ended lets go of what it opened a moment later.
    until = time.monotonic() + HUNG
    while folder.handles_open and time.monotonic() < until:
        time.sleep(0.001)
    assert not folder.handles_open, "a descriptor is left"
    for work in works():
        path = work.download.path
        stored = folder.files.get(path)
        if isinstance(found[work.download.id], DownloadFinished):
            assert stored is not None
        if stored is not None:
            assert stored.content == BODIES[path]


def test_without_a_fault_all_come() -> None:
    wire = Tripwire()
    found, folder = run(wire)
    check(found, folder, may_fail=0)
    assert {call.split(".")[0] for call in wire.calls} == {"transport", "exchange", "files", "partial", "clock"}


#: An eighth of the calls each. The simulation has failing calls too, of the real folder, at more places and several at once.
SHARES = {f"{name}-{share}": (fault, share) for name, fault in FAULTS.items() for share in range(8)}
SOME_SHARES = some(SHARES, "of the port-0", "no memory-6")


@pytest.mark.parametrize(("fault", "share"), SOME_SHARES.values(), ids=SOME_SHARES)
def test_a_fault_at_any_call_ends_in_outcomes_and_in_whole_files(fault: Callable[[str], BaseException], share: int) -> None:
    counted = Tripwire()
    run(counted)
    # The clock is read again and again; what follows from one reading follows from the next.
    last = len(counted.calls)
    for at in range(1 + share, last + 1, 8):
        wire = Tripwire(at, fault)
        found, folder = run(wire)
        check(found, folder)
        check_failures(found, wire, at)


def check_failures(found: Mapping[str, Any], wire: Tripwire, at: int) -> None:
    """What failed is what the fault came to, under the fault's own name; what passes by itself was tried again."""
    kind = wire.calls[at - 1].split(".")[0] if at <= len(wire.calls) else "none"
    failed = [outcome for outcome in found.values() if not isinstance(outcome, DownloadFinished)]
    raised = wire.raised
    if kind in ("clock", "transport") or (kind == "exchange" and not isinstance(raised, OriginError)):
        # Without these a worker can do nothing any more, and all that it has fails or is skipped.
        return
    if isinstance(raised, OriginError) or raised is None:
        assert failed == [], wire.calls[at - 1 : at]
    else:
        assert len(failed) <= 1, wire.calls[at - 1]
        expected = raised.failure if isinstance(raised, StorageError) else internal(raised)
        assert {(o.kind, o.message) for o in failed} <= {(expected.kind, expected.message)}, wire.calls[at - 1]
