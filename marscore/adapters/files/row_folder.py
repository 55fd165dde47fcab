"""Files of rows where a manifest names them. Apart from what reads them, which few manifests need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from marscore.adapters.files.row_source import Unchanged
from marscore.manifest.fields import is_elsewhere
from marscore.public import public_url
from marscore.resolve.rows import BadRow, Cell, RowsError

if TYPE_CHECKING:
    from marscore.resolve.rows import RowFile


class RowFiles:
    """Opens files by the paths that a manifest in `folder` names; and those of URLs where they are `kept` once they were fetched.

    `show` makes a URL fit to be shown. With `missing` "empty" one that was not fetched yet counts as one without rows, and `unread` has it.
    """

    def __init__(
        self,
        folder: Path,
        kept: Mapping[str, Path] | None = None,
        show: Callable[[str], str] = public_url,
        missing: Literal["refused", "empty"] = "refused",
    ) -> None:
        self.unread: set[str] = set()
        self._folder = folder
        self._unchanged: dict[str, Unchanged] = {}
        self._kept = kept or {}
        self._show = show
        self._missing = missing

    def shown(self, place: str) -> str:
        """As `OpenRows` says."""
        return self._show(place) if is_elsewhere(place) else str(self._folder / place)

    def name(self, place: str) -> str:
        """As `OpenRows` says."""
        return self._show(place) if is_elsewhere(place) else PurePath(place).name

    def open(self, place: str) -> RowFile:
        """As `OpenRows` says."""
        from marscore.adapters.files.row_files import rows_at  # noqa: PLC0415 - as said

        unchanged = self._unchanged.setdefault(place, Unchanged())
        if not is_elsewhere(place):
            return rows_at(self._folder / place, place.lower(), unchanged)
        kept = self._kept.get(place)
        if kept is None or not kept.exists():
            if self._missing == "empty":
                self.unread.add(place)
                return _NoRows()
            raise RowsError("is not here yet: `marscore run` fetches it, and this reads the one of the last run")
        return rows_at(kept, place.partition("?")[0].partition("#")[0].lower(), unchanged)


class _NoRows:
    """A file of which nothing is known."""

    columns: tuple[str, ...] | None = None

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        """As `RowFile` says."""
        return iter(())

    def never_seen(self) -> frozenset[str]:
        """As `RowFile` says."""
        return frozenset()

    def close(self) -> None:
        """As `RowFile` says."""
