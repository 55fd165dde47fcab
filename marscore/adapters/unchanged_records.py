"""Tells of files that need nothing. A run may have a million of them, whose outcomes differ in seven values: the rest is written once.

    a specimen --outcome_of, LineMaker, entry_of--> the texts around the values of line and entry --values of each--> lines, entries

So what is written is what these say of each, at a quarter of the price: texts are joined, which takes two thirds of the time of `%`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

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
#: What stands before, between and behind these.
_Around: TypeAlias = "list[str]"
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

    @property
    def has_forms(self) -> bool:
        """Whether there is a form for files with the usual reasons."""
        return self._forms("", 0.0) is not None

    def tell(self, decisions: Iterable[UpToDate], at: float) -> Told | None:
        """What is made of their outcomes, at a Unix time; None where no form would do, and each has to be told by itself."""
        decisions = list(decisions)
        texts = self.each(decisions, at)
        if texts is None:
            return None
        entries = {decision.download.id: entry for decision, (_, entry) in zip(decisions, texts, strict=True)}
        return Told(self.shown([line for line, _ in texts], at), entries)

    def shown(self, lines: Iterable[str], at: float) -> tuple[str, ...]:
        """Lines that `each` made, now that they are told, for each style of the log."""
        forms = self._forms("", at)
        begin = forms[0][0] if forms and forms[0] else ""
        text = "".join([begin + line for line in lines if line])
        return tuple(text if shown else "" for shown in self._shown)

    def each(self, decisions: Iterable[UpToDate], at: float) -> list[tuple[str, str]] | None:
        """The line of each, but for its beginning with the time, and its entry; the rest is as in `tell`."""
        url_of = self._redactor.url
        known: dict[str, tuple[_Around, _Around]] = {}
        texts: list[tuple[str, str]] = []
        for decision in decisions:
            download, file, digests = decision.download, decision.file, decision.digests
            forms = known.get(decision.reason) or self._forms(decision.reason, at)
            if forms is None:
                return None
            line, entry = known[decision.reason] = forms
            name, path, size = download.id, download.path, str(file.size)
            url, place = json_text(url_of(download.url))[1:-1], json_text(path)[1:-1]
            checksum = checksum_of(download.checksums, digests) if download.checksums else digests[0]
            told = ""
            if line:
                _, to_path, to_size, to_digests, to_mtime, to_inode, end = line
                head = name, to_path, quoted(well_formed(path))[1:-1], to_size, size, to_digests, '", "'.join(digests)
                told = "".join((*head, to_mtime, str(file.mtime_ns), to_inode, str(file.inode), end))
            begin, to_url, to_path, to_size, to_checksum, end = entry
            texts.append((told, "".join((begin, name, to_url, url, to_path, place, to_size, size, to_checksum, str(checksum), end))))
        return texts

    def _forms(self, reason: str, at: float) -> tuple[_Around, _Around] | None:
        """Those of a line, none where the log leaves such lines out, and of an entry."""
        event = self._redactor.event(_outcome(reason, at))
        line, entry = max(self._maker.texts([event]), default=""), entry_of(_ANY_DOWNLOAD, event, self._redactor)
        if not self._only_json or (line and not _is_form(line, _IN_LINE)) or not _is_form(entry, _IN_ENTRY):
            return None
        return line.split(_OPEN) if line else [], entry.split(_OPEN)


def _outcome(reason: str, at: float) -> DownloadFinished:
    outcome = outcome_of(UpToDate(_ANY_DOWNLOAD, reason, _ANY_FILE, (_OPEN,)), at)
    assert isinstance(outcome, DownloadFinished)
    return outcome


def _is_form(text: str, places: int) -> bool:
    # What stands for a secret may hold percent signs, or have replaced one.
    return text.count("%") == text.count(_OPEN) == places
