"""What is on the disk: the only witness of what a run left. A report is what is tested, and never believed about files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

_AT_ONCE = 1024 * 1024
#: What marscore keeps for itself in an output folder.
_OWN = ".marscore"
#: The statuses that say that a file is in place.
IN_PLACE = ("downloaded", "up_to_date")


class Content(Protocol):
    """What a file should hold: `tests.origin.Body` is one."""

    @property
    def length(self) -> int: ...

    @property
    def sha256(self) -> str: ...


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file, in lowercase hex."""
    running = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(_AT_ONCE):
            running.update(data)
    return running.hexdigest()


def files_in(folder: Path) -> dict[str, str]:
    """The sha256 of every file in an output folder, by its path, without what marscore keeps for itself."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.relative_to(folder).parts[0] != _OWN)
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in found}


def wrong_in(folder: Path, wanted: Mapping[str, Content], all_there: bool = True) -> list[str]:
    """Say of each file that is not what it should be, what it is; files that are not there count too, unless they may be missing."""
    return [line for path, content in wanted.items() if (line := _wrong(folder / path, path, content, all_there))]


def _wrong(file: Path, path: str, content: Content, must_exist: bool) -> str | None:
    if not file.exists():
        return f"{path} is not there" if must_exist else None
    if file.stat().st_size != content.length:
        return f"{path} has {file.stat().st_size} bytes, not {content.length}"
    return None if digest_of(file) == content.sha256 else f"{path} has other content"


def contradictions(folder: Path, report: Mapping[str, Any]) -> list[str]:
    """Where a report says something else than the disk, of every file that it calls in place."""
    return [line for entry in report.get("downloads", []) if entry["status"] in IN_PLACE for line in _contradicted(folder, entry)]


def _contradicted(folder: Path, entry: Mapping[str, Any]) -> Iterator[str]:
    path, file = entry["path"], folder / entry["path"]
    if (unpacked := entry.get("unpacked")) is not None:
        found = [each for each in (folder / unpacked["into"]).rglob("*") if each.is_file() and not each.is_symlink()]
        # Somebody else may have put files there.
        if len(found) < unpacked["files"]:
            yield f"{path} is said to be unpacked as {unpacked['files']} files, and there are {len(found)}"
        if not file.exists():
            # Whether it was to go, the tests that say so look.
            return
    if not file.is_file():
        yield f"{path} is {entry['status']} and not there"
        return
    if file.stat().st_size != entry["size"]:
        yield f"{path} has {file.stat().st_size} bytes and is said to have {entry['size']}"
    algorithm, _, digest = entry["checksum"].partition(":")
    if digest_of(file, algorithm) != digest:
        yield f"{path} does not have the checksum that is told of it"


def report_in(folder: Path) -> dict[str, Any]:
    """The report in an output folder; empty where there is none, or something else."""
    path = folder / _OWN / "report.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
