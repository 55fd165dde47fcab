"""How much of a file a run would go on with: told by the journal of what an earlier run left, while nothing is read again.

Resume + journal --with_kept--> Resume that knows how many bytes are kept, or Fetch where they are of no use
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from marscore.adapters.files.folder import Folder
from marscore.adapters.files.kept import bytes_kept
from marscore.execute.transfer.knowledge import Knowledge
from marscore.execute.transfer.protocol import Moment, Opened
from marscore.journal import Journal
from marscore.resolve.reconcile import Decision, Fetch, Resume
from marscore.state import key_of


def with_kept(folder: Folder, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions with what is known of each Resume. A run proves the bytes first, and may find fewer."""
    return [_looked_at(folder, decision) if isinstance(decision, Resume) else decision for decision in decisions]


def _looked_at(folder: Folder, decision: Resume) -> Decision:
    download = decision.download
    found = folder.left(download.path)
    if found is None:
        return Fetch(download, f"{decision.reason}, which cannot be read")
    journal, length = found
    kept = bytes_kept(journal, length)
    why = Knowledge(download).unusable(_opened(journal), set(map(key_of, download.sources)))
    if why is not None or not kept:
        return Fetch(download, f"{decision.reason}, of which nothing can be kept{f': {why}' if why else ''}")
    return replace(decision, kept=kept, size=journal.header.size)


def _opened(journal: Journal) -> Opened:
    header = journal.header
    told = (header.size, header.validator, header.encoding, header.url_key, header.proof, header.checksums)
    return Opened(Moment(0, 0), (), 0, 0, *told, header.resource, header.announced)
