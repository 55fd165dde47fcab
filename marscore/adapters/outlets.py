"""Where a run's events go to be seen: the log and the progress display, which share the terminal without disturbing each other."""

from __future__ import annotations

import sys
from types import TracebackType

from marscore.adapters.log import open_log
from marscore.adapters.progress import make_progress
from marscore.events import Event, ProgressMade
from marscore.report.fold import RunFacts
from marscore.settings import RunSettings


class Outlets:
    """Log and progress of one run, as a context."""

    def __init__(self, settings: RunSettings, facts: RunFacts) -> None:
        sizes = {download.id: download.size for download in facts.downloads if download.size is not None}
        self._progress = make_progress(settings.progress, sys.stderr, sizes)
        self._log = open_log(facts.run_id, settings, sys.stderr, self._progress.console)

    def emit(self, event: Event) -> None:
        """Pass one event on."""
        self._progress(event)
        if not isinstance(event, ProgressMade):
            self._log(event)

    def __enter__(self) -> Outlets:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
        self._log.close()
