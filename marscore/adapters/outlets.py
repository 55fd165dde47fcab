"""Where a run's events go to be seen: the log and the progress display, which share the terminal without disturbing each other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import TracebackType

from marscore.adapters.log import open_log
from marscore.adapters.progress import make_progress
from marscore.events import Event
from marscore.report.fold import RunFacts
from marscore.settings import LineSettings, RunSettings


class Outlets:
    """Log and progress of one run, as a context."""

    def __init__(self, settings: RunSettings, facts: RunFacts) -> None:
        sizes = {download.id: download.size for download in facts.downloads if download.size is not None}
        self._progress = make_progress(settings.progress, sys.stderr, sizes)
        self._log = open_log(facts.run_id, settings, sys.stderr, self._progress.console)

    @property
    def log(self) -> LineSettings:
        """How the log wants its lines."""
        return self._log.settings

    def show(self, events: Iterable[Event], lines: Sequence[str]) -> None:
        """Pass events on, and the log's lines for them."""
        self._progress.emit(events)
        self._log.write(lines)

    def __enter__(self) -> Outlets:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
        self._log.close()
