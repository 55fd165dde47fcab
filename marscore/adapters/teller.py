"""Makes events fit to be seen where they come up: secrets replaced, the log's lines written, and only those kept that others add up.

    events --Redactor--> --LineMaker--> lines
                        \\--> those that report, progress and supervisor want

Each process does this for its own events, so that the parent does little for each of many.
"""

from __future__ import annotations

from collections.abc import Iterable

from marscore.adapters.lines import LineMaker
from marscore.events import ChecksumVerified, DownloadStarted, Event, HostPaused, Outcome, Redirected
from marscore.policy.redact import Redactor
from marscore.settings import LineSettings

#: What only the log tells.
_ONLY_LOGGED = (ChecksumVerified, HostPaused, Redirected)


class Teller:
    """Tells events as a run's log wants them."""

    def __init__(self, redactor: Redactor, settings: LineSettings) -> None:
        self._redactor = redactor
        self._maker = LineMaker(settings)

    def tell(self, events: Iterable[Event]) -> tuple[list[Event], tuple[str, ...]]:
        """The events that others need, redacted, and the lines of all: one text for each style of the settings."""
        shown = [self._redactor.event(event) for event in events]
        over = {event.download for event in shown if isinstance(event, Outcome)}
        # An outcome says when its download began.
        kept: list[Event] = [
            e for e in shown if not isinstance(e, _ONLY_LOGGED) and not (isinstance(e, DownloadStarted) and e.download in over)
        ]
        return kept, self._maker.texts(shown)
