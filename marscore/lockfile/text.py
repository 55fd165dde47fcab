"""The lock's text, read and written: JSON with one download a line.

text --json--> data --each checked--> Lock

What is wrong is told at its line: for that, the text is read as YAML, of which JSON is a part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from marscore.errors import ManifestError, Problem
from marscore.lockfile.model import SCHEMA, Lock, LockedFile
from marscore.manifest.fields import MAX_SIZE
from marscore.manifest.output import check_output
from marscore.manifest.places import At, Findings, Path, Places
from marscore.manifest.text import compose
from marscore.settings import MAX_MANIFEST

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: What a line may say, and what has to be there.
_TEXTS = ("path", "url", "checksum", "etag", "last_modified", "checksum_from")
_NEEDED = ("path", "url", "checksum")


def write_lock(files: Iterable[LockedFile]) -> Iterable[str]:
    """The text of a lock, in pieces: what is not known of a file is left out."""
    yield f'{{"schema": "{SCHEMA}", "downloads": ['
    lead = "\n"
    for file in sorted(files, key=lambda file: file.path):
        line = {
            "path": file.path,
            "url": file.url,
            "size": file.size,
            "checksum": f"sha256:{file.sha256}",
            "etag": file.etag,
            "last_modified": file.last_modified,
            "checksum_from": file.checksum_from,
        }
        yield lead + json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False)
        lead = ",\n"
    yield "\n]}\n"


def read_lock(text: str, source: str) -> Lock:
    """Read a lock.

    Raises:
        ManifestError: it is none, or is of a version that this one does not know; with every problem at its line.
    """
    text = text.removeprefix("\ufeff")
    if conflict := _CONFLICT.search(text):
        message = "is the mark of a merge conflict: take one side, then run `marscore lock` again"
        raise ManifestError(source, (Problem("", message, text.count("\n", 0, conflict.start()) + 1, 1),))
    if len(text) > MAX_MANIFEST * 4:
        raise ManifestError(source, (Problem("", f"is larger than {MAX_MANIFEST * 4 // 2**20} MiB", 1, 1),))
    repeated: list[str] = []
    try:
        data = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, repeated))
    except json.JSONDecodeError as error:
        raise ManifestError(source, (Problem("", f"is not JSON: {error.msg}", error.lineno, error.colno),)) from None
    except (ValueError, RecursionError):
        raise ManifestError(source, (Problem("", "is not a lock: it nests too deep, or a number in it is too long"),)) from None
    wrong = _Wrong()
    files = _files(data, wrong)
    if repeated or wrong.found:
        raise _error(text, source, wrong, is_repeated=bool(repeated))
    return Lock(source, files)


class _Wrong:
    """Collects what is wrong, by its path in the text."""

    def __init__(self) -> None:
        self.found: list[tuple[Path, str, At]] = []

    def add(self, path: Path, message: str, at: At = "value") -> None:
        self.found.append((path, message, at))


def _object(pairs: list[tuple[str, Any]], repeated: list[str]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        repeated.append("")
    return made


def _error(text: str, source: str, wrong: _Wrong, is_repeated: bool) -> ManifestError:
    """The problems at their lines; where a key stands twice, the reader of YAML says."""
    root, found = compose(text)
    findings = Findings(Places(root, text=text))
    for path, problem in found.found if is_repeated else ():
        findings.note(path, problem)
    for path, message, at in wrong.found:
        findings.add(path, message, at)
    if not findings.found:
        findings.note((), Problem("", "has a key twice"))
    return findings.error(source)


def _files(data: Any, wrong: _Wrong) -> dict[str, LockedFile]:
    if not isinstance(data, dict):
        wrong.add((), "is not a lock: it must be a mapping with schema and downloads")
        return {}
    if data.get("schema") != SCHEMA:
        told = f"must be {SCHEMA}; a lock of a later version needs a later marscore"
        wrong.add(("schema",), told, "value" if "schema" in data else "missing")
        return {}
    downloads = data.get("downloads")
    if not isinstance(downloads, list):
        wrong.add(("downloads",), "must be a list", "value" if "downloads" in data else "missing")
        return {}
    files: dict[str, LockedFile] = {}
    for number, written in enumerate(downloads):
        file = _file(written, ("downloads", number), wrong)
        if file is not None and files.setdefault(file.path, file) is not file:
            wrong.add(("downloads", number, "path"), "stands in another line too")
    return files


def _file(written: Any, at: Path, wrong: _Wrong) -> LockedFile | None:
    if not isinstance(written, dict):
        wrong.add(at, "must be a mapping with path, url and checksum")
        return None
    before = len(wrong.found)
    for name in _NEEDED:
        if name not in written:
            wrong.add((*at, name), "is missing", "missing")
    for name in _TEXTS:
        value = written.get(name, "")
        if not isinstance(value, str) or _SURROGATE.search(value):
            wrong.add((*at, name), "must be text")
    size = written.get("size")
    if size is not None and (type(size) is not int or not 0 <= size <= MAX_SIZE):
        wrong.add((*at, "size"), "must be a whole number of bytes")
    if len(wrong.found) > before:
        return None
    return _checked(written, at, wrong)


def _checked(written: Mapping[str, Any], at: Path, wrong: _Wrong) -> LockedFile | None:
    checksum = _CHECKSUM.fullmatch(written["checksum"])
    if checksum is None:
        wrong.add((*at, "checksum"), "must be sha256: and 64 hexadecimal digits in lower case")
    try:
        check_output(written["path"])
    except ValueError as error:
        wrong.add((*at, "path"), str(error))
        return None
    if checksum is None:
        return None
    known = {name: written.get(name) for name in ("size", "etag", "last_modified", "checksum_from")}
    return LockedFile(written["path"], written["url"], checksum[1], **known)
