"""What a person at a terminal is told while a run goes on: notices as lines, above the display where there is one.

events --report.notices--> Notice --People--> lines on standard error
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from marscore.adapters.terminal.progress import Ticks
from marscore.adapters.terminal.streams import printable
from marscore.events import Event, LogLevel
from marscore.report.notices import Notices, Tone

_COLORS: dict[Tone, str] = {"good": "32", "warning": "33", "error": "31"}


class People:
    """Tells a person what needs attention."""

    def __init__(self, path_of: Callable[[str], str | None], level: LogLevel | None, colors: bool, ticks: Ticks = time.monotonic) -> None:
        self._notices = Notices(path_of, level)
        self._colors = colors
        self._ticks = ticks

    def lines(self, events: Iterable[Event]) -> str:
        """What is to be said of these events: whole lines, or nothing."""
        now = self._ticks()
        return "".join(self._line(notice.text, notice.tone) for event in events for notice in self._notices.of(event, now))

    def _line(self, text: str, tone: Tone) -> str:
        about, colon, said = printable(text).partition(": ")
        if not self._colors:
            return f"{about}{colon}{said}\n"
        return f"{about}{colon}\x1b[{_COLORS[tone]}m{said}\x1b[0m\n"
