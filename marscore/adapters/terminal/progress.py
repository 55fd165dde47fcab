"""Progress for people as a line now and then, and the words in which it is told. It shows what `report.progress` adds up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from marscore.adapters.terminal.writer import Writer
from marscore.events import Event
from marscore.values import format_size

if TYPE_CHECKING:
    from rich.console import Console

    from marscore.report.progress import Overall, Proof

Ticks = Callable[[], float]

_PLAIN_EVERY = 10.0


class NoProgress:
    """Draws nothing: a sink that forgets, and the base of those that do not."""

    console: Console | None = None

    def __call__(self, event: Event) -> None:
        """Take the next event."""

    def emit(self, events: Iterable[Event]) -> None:
        """Take several events."""
        for event in events:
            self(event)

    def start(self) -> None:
        """Begin to draw."""

    def stop(self) -> None:
        """Draw for the last time; harmless when repeated."""

    def __enter__(self) -> NoProgress:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class PlainProgress(NoProgress):
    """Writes a line of sums about every ten seconds while events come, and one at the end."""

    def __init__(self, writer: Writer, sizes: Mapping[str, int] | None = None, ticks: Ticks = time.monotonic) -> None:
        self._writer = writer
        self._ticks = ticks
        from marscore.report.progress import ProgressFold  # noqa: PLC0415 - for those who draw

        self._fold = ProgressFold(ticks(), sizes)
        self._written = ticks()
        self._stopped = False

    def __call__(self, event: Event) -> None:
        """Take the next event, and write a line if one is due."""
        now = self._ticks()
        self._fold.add(event, now)
        if now - self._written >= _PLAIN_EVERY:
            self._written = now
            self._write(now)

    def stop(self) -> None:
        """Write the last line."""
        if not self._stopped:
            self._stopped = True
            self._write(self._ticks())

    def _write(self, now: float) -> None:
        overall = self._fold.overall(now)
        parts = proving(overall.proof) if overall.proof else [*transfer(overall), *counts(overall)]
        self._writer.write(f"progress: {', '.join(parts)}\n", wait=False)


def transfer(overall: Overall) -> list[str]:
    """How far the bytes are: percent, size, speed and time to go."""
    done = format_size(overall.bytes_done)
    size = done if overall.bytes_total is None else f"{done} of {format_size(overall.bytes_total)}"
    return [percent(overall.fraction), size, f"{format_size(overall.speed)}/s", f"ETA {clock(overall.eta)}"]


def proving(proof: Proof) -> list[str]:
    """How far the look at files in place is."""
    left = (proof.bytes_total - proof.bytes_done) / proof.speed if proof.speed else None
    return [
        f"checking files in place: {proof.files_done}/{number(proof.files_total, 'file', 'files')}",
        f"{format_size(proof.bytes_done)} of {format_size(proof.bytes_total)}",
        f"{format_size(proof.speed)}/s",
        f"ETA {clock(left)}",
    ]


def counts(overall: Overall) -> list[str]:
    """How far the files, the connections and the retries are."""
    return [
        f"{overall.files_done}/{number(overall.files_total, 'file', 'files')}",
        *([f"{overall.failed} failed"] if overall.failed else []),
        f"threads {overall.threads_active} active {overall.threads_finished} done",
        number(overall.retries, "retry", "retries"),
    ]


def number(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else many}"


def percent(fraction: float | None) -> str:
    """Write a fraction; `?` where it is not known."""
    # Cut, not rounded: 100% is said of what is done.
    return "?" if fraction is None else f"{int(fraction * 100)}%"


def clock(seconds: float | None) -> str:
    """Write seconds as `m:ss` or `h:mm:ss`; more than four days is no forecast."""
    if seconds is None or seconds > 360_000:
        return "-:--"
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
