"""What a killed run left: the bytes that the next run will not fetch again, and files under final names that are not right."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marscore.adapters.files.decisions import look, prove
from marscore.adapters.files.folder import Folder
from marscore.adapters.state.lock import hold
from marscore.adapters.state.store import SqliteState
from marscore.journal import Journal, Piece, PieceHasher, decode
from marscore.resolve.model import Download
from marscore.resolve.reconcile import UpToDate
from marscore.state import Claims, key_of
from marscore.values import merge_ranges
from tests.disk import wrong_in
from tests.origin import Body


@dataclass(frozen=True)
class Left:
    """What was found in the folder."""

    kept: int
    wrong: tuple[str, ...]


def look_at(root: Path, bodies: Mapping[Download, Body]) -> Left:
    """Look at a folder once no process of the killed run is left, and change nothing in it."""
    own = root / ".marscore"
    if not own.exists():
        return Left(0, ())
    with hold(own, outlive=30):
        decisions = prove(Folder(root), look(Folder(root), _claims(own), bodies))
        current = {decision.download.path: decision.file.size for decision in decisions if isinstance(decision, UpToDate)}
        partial = sum(_proven(root, download.path, body) for download, body in bodies.items() if download.path not in current)
        wrong = tuple(wrong_in(root, {download.path: body for download, body in bodies.items()}, all_there=False))
        return Left(sum(current.values()) + partial, wrong)


def _claims(own: Path) -> Claims:
    # A copy, since opening a database repairs it, which is the next run's to do.
    with tempfile.TemporaryDirectory() as copy:
        for file in own.glob("state.db*"):
            shutil.copy(file, copy)
        with contextlib.closing(SqliteState(Path(copy) / "state.db")) as state:
            return state.claims()


def _proven(root: Path, path: str, body: Body) -> int:
    base = root / ".marscore" / "partial" / key_of(path)
    try:
        journal = decode(base.with_suffix(".journal").read_bytes())
    except FileNotFoundError:
        return 0
    part = base.with_suffix(".part")
    if journal is None:
        return 0
    if not part.exists():
        return 0
    return sum(map(len, merge_ranges(piece.range for piece in _sound(journal, part))))


def _sound(journal: Journal, part: Path) -> list[Piece]:
    sound = []
    with part.open("rb") as file:
        for piece in journal.pieces:
            file.seek(piece.range.start)
            hasher = PieceHasher(piece.range.start)
            hasher.update(file.read(len(piece.range)))
            if hasher.piece() == piece:
                sound.append(piece)
    return sound
