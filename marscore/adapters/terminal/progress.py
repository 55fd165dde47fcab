"""Progress for people as a line now and then, and the words in which it is told. It shows what `report.progress` adds up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from marscore.adapters.terminal.writer import Writer
from marscore.events import Event
from marscore.report.words import counted
from marscore.values import format_size

if TYPE_CHECKING:
    from marscore.report.progress_model import Overall, Proof

Ticks = Callable[[], float]

_PLAIN_EVERY = 10.0


class NoProgress:
    """Draws nothing: a sink that forgets, and the base of those that do not."""

    def __call__(self, event: Event) -> None:
        """Take the next event."""

    def emit(self, events: Iterable[Event]) -> None:
        """Take several events."""
        for event in events:
            self(event)

    #: Whether there are lines on the terminal that others have to go above of.
    draws = False

    def above(self, text: str) -> bool:
        """Write whole lines above what is drawn; says whether they will be written."""
        return False

    def clear_at_once(self) -> None:
        """Take away what is drawn, from a signal's handler, in a process that ends."""

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
    """Writes a line of sums about every ten seconds while events come, and one at the end.

    That is left out of a display that nobody asked for, since a summary follows it.
    """

    def __init__(
        self,
        writer: Writer,
        sizes: Mapping[str, int] | None = None,
        ticks: Ticks = time.monotonic,
        at_the_end: Literal["sums", "nothing"] = "sums",
    ) -> None:
        self._writer = writer
        self._at_the_end = at_the_end
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
            if self._at_the_end == "sums":
                self._write(self._ticks())

    def _write(self, now: float) -> None:
        overall = self._fold.overall(now)
        parts = proving(overall.proof) if overall.proof else transfer(overall)
        self._writer.write(f"progress: {', '.join(parts)}\n", wait=False)


def transfer(overall: Overall) -> list[str]:
    """How far all is, in parts: percent, bytes, speed, time to go, files, and what went wrong."""
    return [
        *([percent(overall.fraction)] if overall.fraction is not None else []),
        of_total(overall.bytes_done, overall.bytes_total),
        f"{format_size(overall.speed)}/s",
        *([f"{clock(overall.eta)} left"] if overall.eta is not None else []),
        f"{overall.files_done:,} of {counted(overall.files_total, 'file', 'files')}",
        *([f"{overall.failed:,} failed"] if overall.failed else []),
        *([counted(overall.retries, "retry", "retries")] if overall.retries else []),
    ]


def of_total(done: int, total: int | None) -> str:
    """`1.2 of 5.5 GiB`, `300.0 MiB of 5.5 GiB`, or what is done alone."""
    if total is None:
        return format_size(done)
    small, large = format_size(done), format_size(total)
    value, _, unit = small.partition(" ")
    return f"{value if large.endswith(f' {unit}') else small} of {large}"


def proving(proof: Proof) -> list[str]:
    """How far the look at files in place is."""
    left = (proof.bytes_total - proof.bytes_done) / proof.speed if proof.speed else None
    return [
        f"checking files in place: {proof.files_done:,} of {counted(proof.files_total, 'file', 'files')}",
        of_total(proof.bytes_done, proof.bytes_total),
        f"{format_size(proof.speed)}/s",
        *([f"{clock(left)} left"] if left is not None else []),
    ]


def percent(fraction: float) -> str:
    """Write a fraction."""
    # Cut, not rounded: 100% is said of what is done.
    return f"{int(fraction * 100)}%"


def clock(wait: float | None) -> str:
    """Write seconds as `m:ss` or `h:mm:ss`; more than four days is no forecast."""
    if wait is None or wait > 360_000:
        return "-:--"
    minutes, second = divmod(int(wait + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
