"""How one lock differs from another, in words."""

from __future__ import annotations

from collections.abc import Iterator

from marscore.lockfile.model import Lock, LockedFile
from marscore.values import format_size

#: Digits of a digest that tell it from others at a glance.
_SHORT = 12


def changes(old: Lock, new: Lock) -> Iterator[str]:
    """One line for each path that was added, removed or changed, in the order of the paths."""
    for path in sorted(old.files.keys() | new.files.keys()):
        before, after = old.files.get(path), new.files.get(path)
        if before is None and after is not None:
            yield f"added {path}: {_described(after)}"
        elif after is None and before is not None:
            yield f"removed {path}: it was {_described(before)}"
        elif before is not None and after is not None and (told := list(_differences(before, after))):
            yield f"changed {path}: {', '.join(told)}"


def _described(file: LockedFile) -> str:
    size = "of unknown size" if file.size is None else f"{format_size(file.size)} ({file.size} bytes)"
    return f"{size}, sha256 {file.sha256[:_SHORT]}…, from {file.url}"


def _differences(before: LockedFile, after: LockedFile) -> Iterator[str]:
    if before.size != after.size:
        yield f"size {_size(before)} -> {_size(after)}"
    if before.sha256 != after.sha256:
        yield f"sha256 {before.sha256[:_SHORT]}… -> {after.sha256[:_SHORT]}…"
    if before.url != after.url:
        yield f"URL {before.url} -> {after.url}"
    if before.checksum_from != after.checksum_from:
        yield f"checksum from {before.checksum_from or 'no list'} -> {after.checksum_from or 'no list'}"


def _size(file: LockedFile) -> str:
    return "unknown" if file.size is None else str(file.size)
