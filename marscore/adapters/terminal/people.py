"""What a person at a terminal is told while a run goes on: notices as lines, above the display where there is one.

events --report.notices--> Notice --People--> lines on standard error
"""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Callable, Iterable

from marscore.adapters.terminal.progress import Ticks
from marscore.adapters.terminal.streams import printable
from marscore.events import Event, LogLevel
from marscore.report.notices import Notices, Tone

_COLORS: dict[Tone, str] = {"good": "32", "warning": "33", "error": "31"}
#: What comes before is what a line is about.
_COLON = re.compile(r":\s+")


class People:
    """Tells a person what needs attention."""

    def __init__(
        self,
        path_of: Callable[[str], str | None],
        level: LogLevel | None,
        colors: bool,
        ticks: Ticks = time.monotonic,
        columns: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`columns` says how wide the terminal is now: lines are folded there between words."""
        self._notices = Notices(path_of, level)
        self._columns = columns
        self._colors = colors
        self._ticks = ticks

    def lines(self, events: Iterable[Event]) -> str:
        """What is to be said of these events: whole lines, or nothing."""
        now = self._ticks()
        return "".join(self._line(notice.text, notice.tone) for event in events for notice in self._notices.of(event, now))

    def _line(self, text: str, tone: Tone) -> str:
        told = _folded(printable(text), self._columns())
        colon = _COLON.search(told) if self._colors else None
        if colon is None:
            return f"{told}\n"
        return f"{told[: colon.end()]}\x1b[{_COLORS[tone]}m{told[colon.end() :]}\x1b[0m\n"


def _folded(text: str, columns: int | None) -> str:
    """The text in lines that end between words; a path or a URL stays whole."""
    if columns is None or len(text) <= columns:
        return text
    return "\n".join(textwrap.wrap(text, max(20, columns), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
