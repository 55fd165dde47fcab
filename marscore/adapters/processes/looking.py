"""Which files of a list's rows need nothing, as another process than the run's own finds it out, and what is told of each.

    rows --ListExpansion--> downloads --claims, decisions.look--> UpToDate --UnchangedRecords--> path, line and entry of each
                                                                  any other -----------------> None: the run looks for itself

Nothing is changed here and no path is taken: whether two rows lead to one file, the run alone knows, which asks in the order of the rows.
Of what comes back as None, and of all of it where something goes wrong, the run makes what it makes without helpers; so nothing is told
by a way that only they know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from marscore.adapters.files.decisions import look
from marscore.adapters.files.folder import Folder
from marscore.adapters.state.store import claims_at
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.frozen import dataclass
from marscore.manifest import Examined, Findings
from marscore.manifest.places import Places
from marscore.policy.redact import Redactor
from marscore.resolve.expand import expansion_of
from marscore.resolve.listed import ListExpansion, NumberedRow, Reading
from marscore.resolve.model import Options
from marscore.resolve.paths import Taken
from marscore.resolve.reconcile import UpToDate
from marscore.resolve.rows import BadRow, Cell, RowFile
from marscore.settings import LineSettings
from marscore.state import key_of

#: Of a file that needs nothing: its path, and as text its line in the log, but for the time, and its entry in the report. None: of another.
InPlaceText: TypeAlias = "tuple[str, str, str] | None"


@dataclass(frozen=True, slots=True)
class LookSettings:
    """What a process needs to look: the manifest, the output folder (`own` is where its state is), and what lines and entries hold.

    Survives pickle: where something stands in the manifest's text is left out.
    """

    examined: Examined
    root: Path
    own: str
    redactor: Redactor
    lines: LineSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows of the list of one entry, by its index in the manifest; `columns` are those of its file."""

    index: int
    columns: tuple[str, ...] | None
    rows: Sequence[NumberedRow]


def look_settings(examined: Examined, root: Path, own: str, redactor: Redactor, lines: LineSettings) -> LookSettings:
    """Make them, fit to be sent to another process."""
    return LookSettings(replace(examined, findings=Findings(Places())), root, own, redactor, lines)


def is_plain(options: Options) -> bool:
    """Whether of a file in place that needs nothing there is no more to do with these options, and no more to tell, than line and entry.

    A warning is told of each that is not verified, modes are set, archives unpacked, and what netrc has is secret.
    """
    return options.verify is not False and options.mode is None and options.unpack is None and options.auth != "netrc"


class Looker:
    """Looks at files, for one caller at a time."""

    def __init__(self, settings: LookSettings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._now = now
        self._records = UnchangedRecords(settings.redactor, settings.lines)
        self._entries: dict[int, ListExpansion] = {}

    def look(self, asked: Asked) -> list[InPlaceText]:
        """What is found of each row, in their order."""
        nothing: list[InPlaceText] = [None] * len(asked.rows)
        entry, settings = self._opened(asked), self._settings
        downloads = [download for row in asked.rows if (download := entry.make(row)) is not None]
        if len(downloads) != len(asked.rows):
            return nothing
        claims = claims_at(settings.root / settings.own / "state.db", [key_of(download.path) for download in downloads]).claims
        folder = Folder(settings.root, own=settings.own)
        # What is left of a file's way here is the run's to remove.
        left, decisions = folder.leftovers(), look(folder, claims, downloads)
        in_place = [(at, each) for at, each in enumerate(decisions) if isinstance(each, UpToDate) and _needs_nothing(each)]
        if left:
            in_place = [(at, each) for at, each in in_place if key_of(each.download.path) not in left]
        told = self._records.each([decision for _, decision in in_place], self._now())
        if told is None:
            return nothing
        for (at, decision), (line, text) in zip(in_place, told, strict=True):
            nothing[at] = decision.download.path, line, text
        return nothing

    def _opened(self, asked: Asked) -> ListExpansion:
        """The list's entry, ready to make downloads."""
        if known := self._entries.get(asked.index):
            return known
        examined, findings = self._settings.examined, Findings(Places())
        listed = examined.entries[asked.index]
        assert listed.from_ is not None, "who asks has rows of it"
        expansion = expansion_of(examined, findings, _NoneIsTaken())
        entry = self._entries[asked.index] = ListExpansion(("downloads", asked.index), listed, expansion, findings, Reading("skip"))
        entry.open(_Handed(asked.columns))
        return entry


def _needs_nothing(decision: UpToDate) -> bool:
    # A login in a URL is a secret of that download alone, which the run has to know before anything is told.
    download = decision.download
    return decision.noted and not decision.of_another_url and not any("@" in url for url in (download.url, *download.sources))


class _NoneIsTaken:
    """Implements `paths.TakesPaths`."""

    def claim(self, path: str, owner: str) -> Taken | None:
        return None

    def claim_tree(self, into: str, owner: str) -> Taken | None:
        return None


class _Handed:
    """Implements `rows.OpenRows` and `rows.RowFile` for a file that another process reads."""

    def __init__(self, columns: tuple[str, ...] | None) -> None:
        self.columns = columns

    def open(self, place: str) -> RowFile:
        return self

    def shown(self, place: str) -> str:
        return place

    name = shown

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        return iter(())

    def never_seen(self) -> frozenset[str]:
        return frozenset()

    def close(self) -> None:
        """There is nothing to close."""
