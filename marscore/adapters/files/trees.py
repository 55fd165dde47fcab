"""What is unpacked of archives, looked at for a whole run: what each download needs besides its archive.

records + a stat for each file --TreeRecords.look--> FoundTree     decisions about archives + FoundTree --resolve.unpacking--> about both
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from marscore.adapters.files.tree_records import Changes, TreeRecords
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Decision
from marscore.resolve.unpacking import with_tree, without_archive
from marscore.state import Claims, key_of


class Trees:
    """Those of a run's downloads that are archives to be unpacked; most runs have none."""

    def __init__(
        self,
        root: Path,
        claims: Claims,
        downloads: Iterable[Download],
        check: Callable[[], None] = lambda: None,
        changes: Changes = "written",
    ) -> None:
        """Look at them. `check` is called now and then, and may raise to end it."""
        records = TreeRecords(root, changes)
        self._found = {
            download.id: records.look(download.into, claims.get(key_of(download.path)), check)
            for download in downloads
            if download.into is not None
        }

    def before_fetching(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Fetch no archive that went once it was unpacked."""
        return self._all(decisions, without_archive)

    def with_archives(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Unpack what is in place, and is not unpacked."""
        return self._all(decisions, with_tree)

    def _all(self, decisions: Sequence[Decision], decide: Callable[..., Decision]) -> list[Decision]:
        if not self._found:
            return list(decisions)
        found = ((decision, self._found.get(decision.download.id)) for decision in decisions)
        return [decision if tree is None else decide(decision, tree) for decision, tree in found]
