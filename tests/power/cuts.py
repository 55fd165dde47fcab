"""Recorded runs and the power cuts that are tried on them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import marscore
from marscore.adapters.files.decisions import look
from marscore.adapters.files.folder import Folder
from marscore.adapters.state.store import SqliteState
from marscore.app import prepare
from marscore.resolve.reconcile import UpToDate
from marscore.settings import ManifestInput, RunSettings
from tests.origin import Body
from tests.power.disk import Disk, Kept
from tests.power.recording import Recording

QUIET = RunSettings(log_level="error", progress="none")

#: What became of the operations that were not flushed, and whether files kept their length.
WAYS: dict[str, tuple[Kept, bool]] = {
    "nothing is kept": (lambda op: False, False),
    "everything is kept": (lambda op: True, True),
    "names and lengths are kept, bytes are not": (lambda op: op.is_of_names, True),
    "names are kept, bytes and lengths are not": (lambda op: op.is_of_names, False),
    "bytes are kept, names are not": (lambda op: op.is_of_data, True),
    "renames alone are kept": (lambda op: op.kind == "rename", True),
}


@dataclass
class Story:
    """Recorded runs, and what the files may hold after a cut."""

    recording: Recording
    disk: Disk
    manifest: str
    contents: Mapping[str, Sequence[bytes]]
    first_cut: int = 0
    seen: set[int] = field(default_factory=set)

    @property
    def cuts(self) -> range:
        """The moments at which the power may go."""
        return range(self.first_cut, len(self.disk.operations) + 1)

    def check(self, cut: int, kept: Kept, lengths_stay: bool) -> None:
        """Cut the power, look at what is claimed, and run again."""
        crashed = self.recording.folder / "crashed"
        survivors = self.disk.after(cut, kept, lengths_stay)
        if survivors.fingerprint() in self.seen:
            return
        self.seen.add(survivors.fingerprint())
        survivors.restore(crashed, self.recording.keep)
        self.holds(crashed, cut)

    def holds(self, crashed: Path, cut: int) -> None:
        """What has to hold of the restored folder, before and after the next run."""
        output = crashed / "data"
        self.claims_hold(output)
        self._report_is_whole(output)
        report = marscore.run(self.recording.folder / self.manifest, replace(QUIET, output_dir=output))
        assert report.status == "succeeded"
        self.files_are_right(output, cut)

    def files_are_right(self, output: Path, cut: int) -> None:
        """After a run."""
        for path, contents in self.contents.items():
            assert (output / path).read_bytes() in contents, f"{path} is wrong after a cut at {cut}"
        assert not list((output / ".marscore").glob("partial/*"))

    def claims_hold(self, output: Path) -> None:
        """No claim is believed of a file that has other bytes."""
        database = output / ".marscore" / "state.db"
        if not database.exists():
            return
        with contextlib.closing(SqliteState(database)) as state:
            claims = state.claims()
            assert not state.warnings
        job = prepare(ManifestInput(self.manifest, output, text=(self.recording.folder / self.manifest).read_text()), RunSettings())
        for decision in look(Folder(output), claims, job.downloads):
            if isinstance(decision, UpToDate):
                path = decision.download.path
                assert (output / path).read_bytes() in self.contents[path], f"the claim of {path} lies"

    def _report_is_whole(self, output: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            json.loads((output / ".marscore" / "report.json").read_text())


def of_bodies(*bodies: Body) -> list[bytes]:
    return [body.read(0, body.length) for body in bodies]
