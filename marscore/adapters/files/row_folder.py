"""Files of rows where a manifest names them. Apart from what reads them, which few manifests need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from marscore.adapters.files.row_source import Unchanged

if TYPE_CHECKING:
    from marscore.resolve.rows import RowFile


class RowFiles:
    """Opens files by the paths that a manifest in `folder` names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unchanged: dict[str, Unchanged] = {}

    def shown(self, place: str) -> str:
        """As `OpenRows` says."""
        return str(self._folder / place)

    def open(self, place: str) -> RowFile:
        """As `OpenRows` says."""
        from marscore.adapters.files.row_files import rows_at  # noqa: PLC0415 - as said

        return rows_at(self._folder / place, place.lower(), self._unchanged.setdefault(place, Unchanged()))
