"""Tells of files that need nothing. A run may have a million of them, whose outcomes differ in seven values: the rest is written once.

    a specimen --outcome_of, LineMaker, entry_of--> line and entry with places left open --values of each--> lines, entries

So what is written is what these say of each, at a third of the price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marscore.adapters.terminal.log_lines import LineMaker, quoted
from marscore.events import DownloadFinished
from marscore.execute.supervisor.messages import Told
from marscore.policy.redact import Redactor
from marscore.report.entry import checksum_of, entry_of, json_text
from marscore.report.outcome import outcome_of
from marscore.report.record import well_formed
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import UpToDate
from marscore.settings import LineSettings
from marscore.state import FileIdentity

#: A value of the specimen that is different for each.
_OPEN: Any = "%s"
#: How many values are different in a line, and in an entry.
_IN_LINE, _IN_ENTRY = 6, 5
_ANY_FILE = FileIdentity(_OPEN, _OPEN, _OPEN)
_ANY_DOWNLOAD = Download(_OPEN, (_OPEN,), _OPEN, Options())


class UnchangedRecords:
    """Lines and entries of files in place, for a log whose lines are JSON."""

    def __init__(self, redactor: Redactor, settings: LineSettings) -> None:
        self._redactor = redactor
        self._maker = LineMaker(settings, lambda _: _OPEN)
        #: Which styles have these lines: a log may leave them out.
        self._shown = [bool(text) for text in self._maker.texts([_outcome("", 0.0)])]
        # In lines for people the look of a value depends on what it is.
        self._only_json = all(style.format == "json" for style in settings.styles)

    def tell(self, decisions: Iterable[UpToDate], at: float) -> Told | None:
        """What is made of their outcomes, at a Unix time; None where no form would do, and each has to be told by itself."""
        url_of = self._redactor.url
        known: dict[str, tuple[str, str]] = {}
        lines: list[str] = []
        entries: dict[str, str] = {}
        for decision in decisions:
            download, file, digests = decision.download, decision.file, decision.digests
            forms = known.get(decision.reason) or self._forms(decision.reason, at)
            if forms is None:
                return None
            line, entry = known[decision.reason] = forms
            url, path = json_text(url_of(download.url)), json_text(download.path)
            checksum = checksum_of(download.checksums, digests) if download.checksums else digests[0]
            if line:
                place = quoted(well_formed(download.path))[1:-1]
                lines.append(line % (download.id, place, file.size, '", "'.join(digests), file.mtime_ns, file.inode))
            entries[download.id] = entry % (download.id, url[1:-1], path[1:-1], file.size, checksum)
        text = "".join(lines)
        return Told(tuple(text if shown else "" for shown in self._shown), entries)

    def _forms(self, reason: str, at: float) -> tuple[str, str] | None:
        """A line, which is empty where the log leaves such lines out, and an entry."""
        event = self._redactor.event(_outcome(reason, at))
        line, entry = max(self._maker.texts([event]), default=""), entry_of(_ANY_DOWNLOAD, event, self._redactor)
        return (line, entry) if self._only_json and (not line or _is_form(line, _IN_LINE)) and _is_form(entry, _IN_ENTRY) else None


def _outcome(reason: str, at: float) -> DownloadFinished:
    outcome = outcome_of(UpToDate(_ANY_DOWNLOAD, reason, _ANY_FILE, (_OPEN,)), at)
    assert isinstance(outcome, DownloadFinished)
    return outcome


def _is_form(text: str, places: int) -> bool:
    # What stands for a secret may hold percent signs, or have replaced one.
    return text.count("%") == text.count(_OPEN) == places
