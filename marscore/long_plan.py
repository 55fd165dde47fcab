"""What a run would do with downloads of which there may be millions: looked at some thousand at a time, told one after the other.

    Streamed --batches--> Downloads + claims of these --foresee--> decisions --> PlannedDownload..., added up, forgotten

Nothing is changed, and nobody but an object store is asked.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from marscore.adapters.clock import cores
from marscore.adapters.files.failures import naming
from marscore.adapters.files.folder import Folder
from marscore.deciding import foresee
from marscore.errors import ManifestError, StorageError, told
from marscore.feeding import OwnSecrets, listed_once
from marscore.job import Job
from marscore.own_folder import See, seeing
from marscore.planning.document import PlanDocument, PlannedDownload, Tally, document, planned
from marscore.planning.model import compile_plan
from marscore.policy.redact import Redactor
from marscore.report.record import well_formed
from marscore.resolve.model import Download
from marscore.resolve.streamed import Streamed
from marscore.resolve.suspicious import BadRows, count_bad, told_of
from marscore.values import Failure

#: So many downloads are looked at together, at least: the database is opened once for them.
_TOGETHER = 20_000


class LongPlan:
    """The plan of one manifest. `tally` is what the downloads come to that were told so far."""

    def __init__(self, job: Job, rows: Streamed, hooks: Mapping[str, tuple[str, ...]]) -> None:
        self.tally = Tally()
        self._job = job
        self._rows = rows
        self._hooks = hooks
        self._warnings = [told(job.source, each)[0] for each in job.suspicions]
        self._bad: dict[int, BadRows] = {}
        self._secrets = OwnSecrets(job.redactor.secrets)

    def downloads(self) -> Iterator[Sequence[PlannedDownload]]:
        """All of them, in the manifest's order.

        Raises:
            StorageError: the list cannot be read to its end, or the system or the store keeps us from looking.
        """
        with contextlib.ExitStack() as stack:
            folder = self._job.output_folder()
            see = stack.enter_context(seeing(self._job))
            if self._job.store is not None:
                with naming("cannot keep the list of the objects"):
                    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marscore-")))
                if listing := listed_once(folder, place, lambda: None):
                    stack.enter_context(contextlib.closing(listing))
            for downloads in self._together():
                yield self._planned(downloads, folder, see)

    def document(self, downloads: Sequence[PlannedDownload] = ()) -> PlanDocument:
        """The plan as far as it is known, with the totals of all downloads that were told and with some of them."""
        compiled = compile_plan(self._job.execution, (), cores(), self.tally.active)
        warnings = (*self._warnings, *(told(self._job.source, each)[0] for each in told_of(self._rows.examined.parsed(), self._bad)))
        made = document(compiled, self._job.name, well_formed(self._job.output_dir), self._job.redactor, warnings)
        return made.model_copy(update={**self._hooks, "totals": self.tally.totals(), "downloads": tuple(downloads)})

    def _together(self) -> Iterator[list[Download]]:
        some: list[Download] = []
        try:
            for batch in self._rows.batches():
                some += batch
                if len(some) >= _TOGETHER:
                    yield some
                    some = []
        except ManifestError as error:
            raise StorageError(Failure("row", str(error))) from error
        yield some

    def _planned(self, downloads: Sequence[Download], folder: Folder, see: See) -> list[PlannedDownload]:
        seen = see([download.path for download in downloads])
        self._warnings += [warning for warning in seen.warnings if warning not in self._warnings]
        count_bad(self._bad, downloads)
        decisions = foresee(replace(self._job, downloads=tuple(downloads)), seen.claims, folder)
        own, usual = self._secrets.of(downloads), self._job.redactor
        # One for all of them would look for each secret in each text.
        redactors = {name: Redactor({**usual.secrets, **dict(secrets)}, usual.words) for name, secrets in own.items()}
        found = [planned(decision, redactors.get(decision.download.id, usual)) for decision in decisions]
        self.tally.add(decisions, found)
        return found
