"""The live display of progress on a terminal: the whole run, the files that take a while, and what is waited for, in at most ten lines.

    events --ProgressFold--> sums, files, hosts --layout--> lines --Painter--> terminal, eight times a second

Small files come and go faster than anybody reads: they pass as a number.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

from rich.cells import cell_len

from marscore.adapters.terminal.layout import Line, Looks, file_lines, host_line, more_line, rendered, total_line
from marscore.adapters.terminal.painter import Painter, folds_at_once
from marscore.adapters.terminal.progress import NoProgress, Ticks
from marscore.adapters.terminal.streams import wants_color
from marscore.adapters.terminal.writer import Writer
from marscore.events import Event
from marscore.report.progress import ProgressFold

_LINES = 10
#: Seconds between two frames.
_EVERY = 0.125
#: A window may become as narrow as that at once, and all that is drawn has room in it, folded.
_NARROWEST = 30
#: No line is longer than that, or than half of a wider window: what is split in the middle folds none.
_LONGEST = 76
#: Seconds that a window has to keep its width before lines are longer than in the narrowest.
_SETTLED = 1.5


class Display(NoProgress):
    """Draws how far a run is, below whatever else is written by `above`. It is gone after `stop`. Safe to share between threads."""

    draws = True

    def __init__(
        self,
        painter: Painter,
        looks: Looks,
        fold: ProgressFold,
        ticks: Ticks = time.monotonic,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Draw nothing yet; `fold` began at `ticks`, and `stopping` says whether the run was told to stop."""
        self._painter = painter
        self._looks = looks
        self._fold = fold
        self._ticks = ticks
        self._stopping = stopping
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._drawer: threading.Thread | None = None
        self._drawn = -_EVERY
        #: The window's as last seen, and until when it may well have others.
        self._columns = 0
        self._unsettled = 0.0

    def __call__(self, event: Event) -> None:
        """Take the next event; it shows with the next frame."""
        self.emit([event])

    def emit(self, events: Iterable[Event]) -> None:
        """Take several events."""
        with self._lock:
            now = self._ticks()
            for event in events:
                self._fold.add(event, now)
        if self._drawer is None and not self._over.is_set() and now - self._drawn >= _EVERY:
            # The system starts no more threads.
            self.draw()

    def above(self, text: str) -> bool:
        """Write whole lines above the display; says whether they will be written."""
        return self._painter.above(text)

    def start(self) -> None:
        """Begin to draw."""
        drawer = threading.Thread(target=self._work, name="marscore-display", daemon=True)
        try:
            drawer.start()
        except RuntimeError:
            return
        self._drawer = drawer

    def stop(self) -> None:
        """Take the display off the terminal."""
        if not self._over.is_set():
            self._over.set()
            if self._drawer is not None:
                self._drawer.join()
            self._painter.clear()

    def clear_at_once(self) -> None:
        """The same from a signal's handler, in a process that ends."""
        self._painter.clear_at_once()

    def draw(self) -> None:
        """Draw the next frame."""
        self._drawn = self._ticks()
        self._painter.draw(self.frame)

    def frame(self, columns: int, rows: int) -> Sequence[str]:
        """The same; while the window is being resized in short lines.

        What a terminal folds moves as many rows out at the top, text and free ones, where nobody can take the free ones back.
        """
        now = self._ticks()
        if self._columns and columns != self._columns:
            self._unsettled = now + _SETTLED
        self._columns = columns
        return self.lines(min(columns, _NARROWEST) if now < self._unsettled else columns, rows)

    def lines(self, columns: int, rows: int) -> Sequence[str]:
        """What is drawn now in a window of this size: the last column stays free, since terminals wrap behind it.

        Half of the rows stay free for what is above, and there are so few lines that they have room where a narrower window folds them.
        """
        width, most = max(1, min(max(_LONGEST, columns // 2 - 1), columns - 1)), max(1, min(_LINES, (rows - 1) // 2))
        lines = self._chosen(width, most)
        while most > 1 and sum(_folded(line) for line in lines) >= rows:
            most -= 1
            lines = self._chosen(width, most)
        return [rendered(line, width, self._looks) for line in lines]

    def _chosen(self, width: int, most: int) -> list[Line]:
        with self._lock:
            now = self._ticks()
            overall, hosts, active = self._fold.overall(now), self._fold.hosts(now), self._fold.active
            files = self._fold.settled(now, most)
        # The first column is left free: there the cursor stands.
        lines = [[(" ", ""), *total_line(overall, width - 1, self._looks, self._stopping())]]
        if hosts and most > 1:
            lines.append(host_line(*hosts[0], len(hosts) - 1, self._looks))
        room = most - len(lines)
        if active > len(files) or len(files) > room:
            files = files[: max(0, room - 1)]
        lines += file_lines(files, width, self._looks)
        if active > len(files) and len(lines) < most:
            lines.append(more_line(active - len(files), len(files), self._looks))
        return lines

    def _work(self) -> None:
        while not self._over.wait(_EVERY):
            self.draw()


def _folded(line: Line) -> int:
    """The rows of a line in the narrowest window."""
    return max(1, -(-sum(cell_len(text) for text, _ in line) // _NARROWEST))


def a_display(
    stream: TextIO,
    writer: Writer,
    sizes: Mapping[str, int],
    paths: Mapping[str, str],
    stopping: Callable[[], bool],
) -> Display:
    """A display on a terminal: the bytes and the path of each download, by id, as far as they are known."""
    painter = Painter(stream, writer, folds_at_once(os.environ))
    return Display(painter, looks_of(stream), ProgressFold(time.monotonic(), sizes, paths), time.monotonic, stopping)


def looks_of(stream: TextIO | None) -> Looks:
    """What a terminal can show."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        "…━─".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return Looks(wants_color(stream), unicode=False, encoding=encoding)
    return Looks(wants_color(stream), unicode=is_utf8(os.environ), encoding=encoding)


def is_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the environment says that the terminal shows UTF-8.

    Python writes UTF-8 where the locale is C, and says so to its children in LC_CTYPE (PEP 538): that is nobody's word about a terminal.
    """
    if os.name != "posix":
        return True
    said = {name: environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")}
    if said["LC_CTYPE"].lower() in ("c.utf-8", "c.utf8") and said["LANG"] in ("", "C", "POSIX"):
        said["LC_CTYPE"] = ""
    chosen = said["LC_ALL"] or said["LC_CTYPE"] or said["LANG"]
    return "utf" in chosen.lower()
