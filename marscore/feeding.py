"""Downloads that are read while the run goes on: looked at by a helper, some thousand at a time, and handed to the supervisor.

    Streamed --pieces--> Downloads + claims --decide--> Chunk --Fed--> the supervisor's inbox
             pieces of which helper processes have looked at the files --> Chunk: texts of those that need nothing, Downloads of the others

So neither a list of millions, nor a file that has to be hashed, holds up what is under way. Helpers look ahead as long as nearly all is in
place, which takes 36 us a file in one process (docs/scale.md).
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
from marscore.adapters.processes.looking import Found, LookSettings
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
from marscore.resolve.secrets import own_secrets
from marscore.resolve.streamed import BATCH, Piece
from marscore.resolve.taken import HashedOutputs
from marscore.state import Claims, key_of
from marscore.values import Failure, internal

#: The secrets of one download, with what is shown for them.
Own = tuple[tuple[str, str], ...]
#: So many files in place in a row are worth helpers, whose start takes as long as looking at some thousand; and of so many others among
#: them, as a share, it is not worth to have looked twice.
_WORTH_HELP, _MANY_OTHERS = 20_000, 0.5
#: So many options are remembered to have no secret of their own.
_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some downloads, in the manifest's order, and what is to be done about each.

    `claims` is what the state knows of their files, `events` what is to be told of the look at them, `secrets` those of single downloads,
    by id, which the run does not know so far. `looked` has something for each row where helpers have looked: the path, line and entry of a
    file that needs nothing, and None for each of the `downloads`, which are the others then.
    """

    downloads: Sequence[Download]
    claims: Claims
    decisions: Sequence[Decision]
    events: Sequence[Event]
    secrets: Mapping[str, Own]
    looked: Sequence[Found] = ()


@dataclass(frozen=True, slots=True)
class Helping:
    """How many processes help to look, and what they need for it."""

    count: int
    settings: LookSettings


class Chunks:
    """Makes one after the other; for one thread at a time. Without `helping` the run looks alone."""

    def __init__(self, job: Job, state: State, around: Surroundings, helping: Helping | None = None) -> None:
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
        self._ahead = LookAhead(job.rows.pieces(self._outputs), self._check)
        self._helping = helping
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

    def _made(self, piece: Piece, found: Sequence[Found] | None) -> tuple[list[Download], list[Found]]:
        """The downloads to decide on, and what was found of each row, where helpers have looked."""
        if found is None:
            return piece.made(), []
        downloads: list[Download] = []
        looked: list[Found] = []
        for row, one in zip(piece.rows, found, strict=True):
            # Of two rows with one path the first has it, whoever has looked at their file.
            if one is not None and self._outputs.claim(one[0], "") is None:
                looked.append(one)
            else:
                made = piece.made_of(row)
                downloads += made
                looked += [None] * len(made)
        return downloads, looked

    def _hire(self, looked: Sequence[Found], decisions: Sequence[Decision]) -> None:
        """Have help where many files were in place and none was not, and do without for good where the list is not of that kind."""
        if self._helping is None:
            return
        if self._ahead.has_helpers:
            if len(decisions) > _MANY_OTHERS * (len(looked) or BATCH):
                self._helping = None
                self._ahead.close()
            return
        current = all(isinstance(decision, UpToDate) and decision.noted for decision in decisions)
        self._in_place = self._in_place + len(decisions) if current else 0
        if self._in_place >= _WORTH_HELP:
            self._ahead.hire(self._helping.settings, self._helping.count)
            if not self._ahead.has_helpers:
                # The system gives none, and is not asked for some again.
                self._helping = None


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
