"""Makes of events what others need of them, where they come up: secrets replaced, the log's lines written, and of what closes a download
its entry in the report and its row in the state.

    events --Redactor--> --LineMaker--> lines
                         --entry_of, row_of--> entries, rows
                         \\--> those that report, progress and supervisor want

Each process does this for its own events, so that the parent does little for each of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marscore.adapters.state.claims import claim_of
from marscore.adapters.terminal.log_lines import LineMaker, wanted_from
from marscore.events import (
    ChecksumVerified,
    DownloadFailed,
    DownloadFinished,
    DownloadSkipped,
    DownloadStarted,
    Event,
    HostPaced,
    Redirected,
)
from marscore.execute.supervisor.messages import Told
from marscore.execute.transfer.protocol import Work
from marscore.policy.redact import Redactor
from marscore.report.entry import entry_of
from marscore.resolve.model import Download
from marscore.settings import LineSettings
from marscore.state import Row, row_of

#: What only the log tells.
_ONLY_LOGGED = frozenset({ChecksumVerified, HostPaced, Redirected})
#: So many of what keeps secrets are kept.
_KNOWN = 1000
#: As a tuple: a test against the union takes five times as long.
_OUTCOMES = (DownloadFinished, DownloadFailed, DownloadSkipped)


class RecordMaker:
    """Tells events as a run wants them. Entries and rows are made of downloads that it was told to expect.

    Lines name the paths of these, and of those that are `known` from the start, by id.
    """

    def __init__(self, redactor: Redactor, settings: LineSettings, known: Mapping[str, Download] | None = None) -> None:
        self._redactor = redactor
        self._maker = LineMaker(settings, self._path_of)
        self._wanted = wanted_from(settings.tells)
        self._expected: dict[str, Download] = {}
        # Also one that is empty so far: of a long list, downloads come while the run goes on.
        self._known: Mapping[str, Download] = {} if known is None else known
        #: What keeps the secrets of single downloads, by id, and by the secrets: many downloads may share them.
        self._guarded: dict[str, Redactor] = {}
        self._made: dict[tuple[tuple[str, str], ...], Redactor] = {}

    def expect(self, works: Iterable[Work]) -> None:
        """Take note of downloads that are going to be closed here."""
        works = list(works)
        self._expected.update((work.download.id, work.download) for work in works)
        self.guard((work.download.id, work.secrets) for work in works if work.secrets)

    def guard(self, secrets: Iterable[tuple[str, tuple[tuple[str, str], ...]]]) -> None:
        """Keep the secrets of single downloads, by id, out of what is told of these, until they are closed."""
        for name, own in secrets:
            redactor = self._made.get(own)
            if redactor is None:
                if len(self._made) >= _KNOWN:
                    self._made.clear()
                redactor = self._made[own] = Redactor({**self._redactor.secrets, **dict(own)}, self._redactor.words)
            self._guarded[name] = redactor

    def redactor_of(self, download: str) -> Redactor:
        """What keeps the secrets of a download that is not closed yet, by its id."""
        return self._guarded.get(download, self._redactor)

    def forget(self, download: str) -> None:
        """Forget the secrets of a download that was closed elsewhere."""
        self._guarded.pop(download, None)

    def tell(self, events: Iterable[Event]) -> tuple[list[Event], Told]:
        """The events that others need, redacted, and what is made of all."""
        shown = self._redacted(events)
        # Before downloads that are over are forgotten.
        texts = self._maker.texts(shown)
        over: set[str] = set()
        entries: dict[str, str] = {}
        rows: dict[str, Row] = {}
        for event in shown:
            if isinstance(event, _OUTCOMES):
                over.add(event.download)
                if self._expected and (download := self._expected.pop(event.download, None)):
                    entries[event.download] = entry_of(download, event, self._guarded.pop(event.download, self._redactor))
                    if isinstance(event, DownloadFinished):
                        rows[event.download] = row_of(claim_of(event, download))
        # An outcome says when its download began.
        kept = [event for event in shown if not self._is_left_behind(event, over)]
        return kept, Told(texts, entries, rows)

    def _redacted(self, events: Iterable[Event]) -> list[Event]:
        if not self._guarded:
            return list(map(self._redactor.event, events))
        guarded, usual = self._guarded, self._redactor
        return [guarded.get(getattr(event, "download", None) or "", usual).event(event) for event in events]

    def _path_of(self, name: str) -> str | None:
        download = self._expected.get(name) or self._known.get(name)
        return None if download is None else download.path

    def _is_left_behind(self, event: Event, over: set[str]) -> bool:
        is_told_otherwise = isinstance(event, DownloadStarted) and event.download in over
        return (type(event) in _ONLY_LOGGED or is_told_otherwise) and not self._wanted(event)
