"""What runs left in the folder of partial files: which of it belongs to whom, and what may go.

A part is of use to the run that goes on with it: another manifest's, or another `get`, in the same folder. So a run removes what belongs to
its own downloads, once they are in place and claimed; a part that nobody went on with for a month goes with the next run that ends well.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping

from marscore.adapters.files.system import System
from marscore.frozen import dataclass

#: Seconds after which a part that nobody touched is taken for forgotten.
OLD = 30 * 24 * 3600.0
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Leftover:
    """What is left under one key: the bytes that it takes on the disk, and when it was last written to, in Unix time."""

    size: int
    touched: float


def leftovers_in(system: System, partials: str) -> dict[str, Leftover]:
    """What is there, by key; a part without a journal counts too, which a run leaves that is killed before its first piece."""
    found: dict[str, Leftover] = {}
    with contextlib.suppress(OSError):
        for name in system.listdir(partials):
            with contextlib.suppress(OSError):
                status = system.lstat(os.path.join(partials, name))
                key = name.partition(".")[0]
                before = found.get(key, Leftover(0, 0.0))
                # Not the length: a part is as long as the place of its last byte, and mostly holes.
                found[key] = Leftover(before.size + allocated(status), max(before.touched, status.st_mtime))
    return found


def allocated(status: os.stat_result) -> int:
    """The bytes that a file takes on the disk."""
    blocks: int = getattr(status, "st_blocks", status.st_size // 512)
    return blocks * 512


def forgotten(left: Mapping[str, Leftover], own: Collection[str], now: float) -> dict[str, Leftover]:
    """What nobody went on with for long, without this run's `own` keys."""
    return {key: each for key, each in left.items() if key not in own and each.touched < now - OLD}


def told(removed: Iterable[Leftover]) -> str:
    """What is said of those that were removed."""
    sizes = [each.size for each in removed]
    what = "a part of a download" if len(sizes) == 1 else f"parts of {len(sizes)} downloads"
    return f"removed {what} that nobody went on with for 30 days ({_shown(sum(sizes))})"


def _shown(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
