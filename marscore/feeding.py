"""Downloads that are read while the run goes on: looked at in a thread of their own, some thousand at a time, and handed to the supervisor.

    Streamed --pieces--> Downloads + claims --decide--> Chunk --Fed--> the supervisor's inbox
             pieces whose files other processes have looked at --> Chunk: texts of those that need nothing, Downloads of the others

So neither a list of millions, nor a file that has to be hashed, holds up what is under way. Other processes look ahead as long as nearly
all is in place: alone, the run takes 1.7 times as long on two cores (docs/scale.md).
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from marscore.adapters.credentials import ambient_secrets
from marscore.adapters.files.folder import Folder
from marscore.adapters.processes.look_ahead import LookAhead
from marscore.adapters.processes.looking import InPlaceText, LookSettings, is_plain
from marscore.adapters.stores.folder import StoreFolder
from marscore.adapters.stores.listing import Listing
from marscore.deciding import Surroundings, decide
from marscore.errors import ManifestError, StorageError
from marscore.events import Event, ProofMade
from marscore.execute.supervisor.messages import Fed, Inbox
from marscore.execute.transfer.protocol import Work
from marscore.frozen import dataclass
from marscore.job import Job
from marscore.own_folder import State
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import Decision, UpToDate
from marscore.resolve.secrets import own_secrets, secrets_of_options
from marscore.resolve.streamed import Piece
from marscore.resolve.taken import HashedOutputs
from marscore.state import Claims, key_of
from marscore.values import Failure, internal

#: The secrets of one download, with what is shown for them.
Own = tuple[tuple[str, str], ...]
#: So many files in place in a row are worth processes that look ahead, whose start takes as long as a look at some thousand; with such a
#: share of others among them it is not worth to look at these twice.
_WORTH_IT, _MANY_OTHERS = 20_000, 0.5
#: So many options are remembered to have no secret of their own.
_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some downloads, in the manifest's order, and what is to be done about each.

    `claims` is what the state knows of their files, `events` what is to be told of the look at them, `secrets` those of single downloads,
    by id, which the run does not know so far. `looked` is for pieces at whose files other processes have looked: for each row
    the texts of a file that needs nothing, and None for each of the `downloads`, which are the others then.
    """

    downloads: Sequence[Download]
    claims: Claims
    decisions: Sequence[Decision]
    events: Sequence[Event]
    secrets: Mapping[str, Own]
    looked: Sequence[InPlaceText] = ()


@dataclass(frozen=True, slots=True)
class AheadSettings:
    """How many processes may look ahead, and what they need for it."""

    count: int
    settings: LookSettings


class Chunks:
    """Makes one after the other; for one thread at a time. Without `ahead` the run looks alone."""

    def __init__(self, job: Job, state: State, around: Surroundings, ahead: AheadSettings | None = None) -> None:
        assert job.rows is not None
        self._job = job
        self._state = state
        #: Whether nobody wants another, nor the rest of this one.
        self.are_over = False
        self._around = replace(around, show=self._show, check=self._check)
        self._outside = around
        self._folder = job.output_folder()
        self._listing = listed_once(self._folder, job.root / job.own, self._check)
        self._cache = None if job.cache is None else job.cache.open()
        self._outputs = HashedOutputs(job.rows.named)
        self._ahead = LookAhead(job.rows.pieces(self._outputs), self._may_ask, self._check)
        self._ahead_settings = ahead
        #: How many files in a row needed nothing.
        self._in_place = 0
        self._secrets = OwnSecrets(job.redactor.secrets)

    def close(self) -> None:
        """Let go what was held to make them."""
        self._ahead.close()
        if self._listing is not None:
            self._listing.close()

    def _check(self) -> None:
        self._outside.check()
        if self.are_over:
            raise KeyboardInterrupt

    def _show(self, reading: ProofMade) -> None:
        self._check()
        self._outside.show(reading)

    def next(self) -> Chunk | None:
        """The next one; None after the last.

        Raises:
            StorageError: the list cannot be read to its end, or the state or the system is in the way.
        """
        try:
            ahead = self._ahead.next()
        except ManifestError as error:
            raise StorageError(Failure("row", str(error))) from error
        if ahead is None:
            return None
        downloads, looked = self._made(*ahead)
        claims = self._state.claims_of([key_of(download.path) for download in downloads])
        events: list[Event] = []
        around = replace(self._around, emit=events.extend)
        decisions = decide(replace(self._job, downloads=tuple(downloads)), self._folder, claims, self._cache, around)
        self._hire(looked, decisions)
        return Chunk(downloads, claims, decisions, events, self._secrets.of(downloads), looked)

    def _may_ask(self, piece: Piece) -> bool:
        """Whether others may tell of its files: not where each has options of its own, or secrets that they do not know."""
        options = None if piece.entry is None else piece.entry.shared
        return options is not None and is_plain(options) and not self._secrets.has(options)

    def _made(self, piece: Piece, found: Sequence[InPlaceText] | None) -> tuple[list[Download], list[InPlaceText]]:
        """The downloads to decide on, and what was found of each row, where others have looked."""
        if found is None:
            return piece.made(), []
        downloads: list[Download] = []
        looked: list[InPlaceText] = []
        for row, one in zip(piece.rows, found, strict=True):
            # Of two rows with one path the first has it, whoever has looked at their file.
            if one is not None and self._outputs.claim(one[0], "") is None:
                looked.append(one)
            elif (download := piece.made_of(row)) is not None:
                downloads.append(download)
                looked.append(None)
        return downloads, looked

    def _hire(self, looked: Sequence[InPlaceText], decisions: Sequence[Decision]) -> None:
        """Have others look ahead once many files were in place and none was not; for good no more, where that turns out not to be so."""
        if self._ahead_settings is None:
            return
        if looked and len(decisions) > _MANY_OTHERS * len(looked):
            self._ahead.close()
        elif self._in_place < _WORTH_IT:
            current = all(isinstance(decision, UpToDate) and decision.noted for decision in decisions)
            self._in_place = self._in_place + len(decisions) if current else 0
            if self._in_place >= _WORTH_IT:
                self._ahead.hire(self._ahead_settings.settings, self._ahead_settings.count)
        if self._in_place >= _WORTH_IT and not self._ahead.has_processes:
            self._ahead_settings = None


def listed_once(folder: Folder, own: Path, check: Callable[[], None]) -> Listing | None:
    """What tells of the objects of a store without asking for each; None for a folder of this machine.

    `check` raises once nobody waits for that any more, nor for the proof of an object: a store may take minutes to say nothing.
    """
    if not isinstance(folder, StoreFolder):
        return None
    folder.listing, folder.check = Listing(folder.objects, own, check), check
    return folder.listing


class OwnSecrets:
    """Which downloads have secrets of their own: a login in a URL, a header made of a column, what netrc has for their host."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._harmless: dict[int, Options] = {}

    def has(self, options: Options) -> bool:
        """Whether all downloads with these options have some."""
        return not secrets_of_options(options) <= self._known.keys()

    def of(self, downloads: Sequence[Download]) -> dict[str, Own]:
        """Those of the downloads that have any, by id."""
        found: dict[str, Own] = {}
        netrc = [download for download in downloads if download.options.auth == "netrc"]
        ambient = ambient_secrets(netrc) if netrc else {}
        for download in downloads:
            if id(download.options) in self._harmless and "@" not in download.url and "@" not in "".join(download.sources):
                continue
            secrets = {**own_secrets(download), **(ambient if download.options.auth == "netrc" else {})}
            own = tuple(sorted((text, shown) for text, shown in secrets.items() if text not in self._known))
            if own:
                found[download.id] = own
            elif download.options.auth != "netrc":
                if len(self._harmless) >= _KNOWN:
                    self._harmless.clear()
                # Kept, since another could get its id.
                self._harmless[id(download.options)] = download.options
        return found


class Feeder:
    """Implements `handles.Feed`: a helper makes the next chunk when one is asked for, and puts it into the inbox.

    `take` is given each in the supervisor's thread, and returns the works of it: None after the last; a Failure where there is no next one.
    """

    def __init__(self, chunks: Chunks, inbox: Inbox, take: Callable[[Chunk | Failure | None], Sequence[Work]]) -> None:
        self._chunks = chunks
        self._inbox = inbox
        self._take = take
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._feed, name="marscore-feed", daemon=True)

    def more(self) -> None:
        """As `Feed` says; where the system starts no thread, it takes its time."""
        if self._thread.ident is None:
            try:
                self._thread.start()
            except RuntimeError:
                self._one()
                return
        self._wanted.put(True)

    def close(self) -> None:
        """End it. What looks at files is asked to stop, and waited for."""
        self._chunks.are_over = True
        self._wanted.put(False)
        if self._thread.ident is not None:
            self._thread.join()

    def _feed(self) -> None:
        while self._wanted.get() and self._one():
            pass

    def _one(self) -> bool:
        """Put the next chunk into the inbox; whether there may be another."""
        made: Chunk | Failure | None
        try:
            made = self._chunks.next()
        except StorageError as error:
            made = error.failure
        except BaseException as error:  # noqa: BLE001 - the supervisor waits for an answer, whatever it is
            made = internal(error)
        is_last = not isinstance(made, Chunk)
        self._inbox.put(Fed(functools.partial(self._take, made), "last" if is_last else "more"))
        return not is_last
