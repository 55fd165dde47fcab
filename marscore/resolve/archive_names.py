"""Which names an archive's entries may have, and where its links may lead: proven from the names alone, before anything is written.

    name in the archive --parts_of, stripped--> path below the folder      paths and targets of all links --Links--> each stays inside

Nothing here asks the file system: a path that is resolved there may be another one by the time that it is used, and what resolving it
costs, an archive decides (CVE-2025-4517). The rules are those of `tarfile.data_filter`, and stricter: no entry has `..` in its name, none
lies below a link, and a link is followed through all other links of the archive. They hold for zip as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

from marscore.manifest.output import MAX_NAME_BYTES, check_output, collision_key

#: A path below the folder, by its parts.
Parts: TypeAlias = tuple[str, ...]
#: Whose rules hold for names: those of this system.
Names: TypeAlias = Literal["posix", "windows"]

_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
#: The most links that one path may lead through, as on Linux.
_MOST_HOPS = 40
#: Deeper ones are nobody's, and what makes and removes folders calls itself for each level.
_DEEPEST = 500
#: Longer ones no system takes.
_LONGEST = 4096


class EscapeError(Exception):
    """An entry that would not stay in its folder, or cannot be one there; the message is a sentence about "it"."""


def parts_of(name: str, names: Names = "posix") -> Parts:
    """The parts of an entry's name, without those that are empty or `.`.

    Raises:
        EscapeError: it is absolute, holds `..` or a NUL, or is no name on this system.
    """
    if "\0" in name:
        raise EscapeError("has a NUL in its name")
    if name.startswith("/") or _DRIVE.match(name) or (names == "windows" and name.startswith("\\")):
        raise EscapeError("has an absolute name")
    parts = tuple([part for part in name.split("/") if part not in ("", ".")])
    if ".." in parts:
        raise EscapeError("has .. in its name")
    if len(parts) > _DEEPEST:
        raise EscapeError(f"lies more than {_DEEPEST} folders deep")
    if len(name) > _LONGEST or any(len(part) > MAX_NAME_BYTES // 4 and _too_long(part) for part in parts):
        raise EscapeError("has a name that is too long")
    if names == "windows" and parts:
        try:
            _check_for_windows("/".join(parts))
        except ValueError as error:
            raise EscapeError(f"has a name that this system does not take: it {error}") from None
    return parts


def _too_long(part: str) -> bool:
    return len(part.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES


def _check_for_windows(path: str) -> None:
    if ":" in path:
        raise ValueError("must not hold a colon")
    # As below another folder: marscore's own is not here.
    check_output(f"x/{path}")


def stripped(parts: Parts, strip: int) -> Parts | None:
    """The path without its first parts; None where nothing is left of it."""
    return parts[strip:] or None


def chosen(parts: Parts, only: Iterable[str]) -> bool:
    """Whether a path is one that any of these globs names, or lies below one. `*` and `?` stop at a /, `**` does not."""
    path = "/".join(parts)
    return any(_pattern(glob).fullmatch(path) for glob in only)


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    text, at = "", 0
    glob = glob.removeprefix("./").rstrip("/")
    while at < len(glob):
        token = next((token for token in ("**/", "**", "*", "?") if glob.startswith(token, at)), None)
        text += re.escape(glob[at]) if token is None else {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}[token]
        at += len(token or "x")
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)


def as_written(parts: Parts) -> Parts:
    """What tells a path from others where a file system tells upper from lower case."""
    return parts


def folded(parts: Parts) -> Parts:
    """The same where it does not."""
    return tuple(map(collision_key, parts))


class Links:
    """The symbolic links of an archive: where each lies, and where it leads. `key` says which paths are one on the file system."""

    def __init__(self, targets: Mapping[Parts, str], key: Callable[[Parts], Parts] = as_written) -> None:
        self._key = key
        self._links = dict(targets)
        self._targets = {key(path): target for path, target in targets.items()}

    def check(self, paths: Iterable[Parts]) -> None:
        """Prove that every link stays inside, and that nothing of `paths` lies below one.

        Raises:
            EscapeError: one does not; the message names it.
        """
        if not self._links:
            return
        for path in (*paths, *self._links):
            key = self._key(path)
            if any(key[:count] in self._targets for count in range(1, len(key))):
                raise EscapeError(f"{'/'.join(path)} lies below a link")
        for path, target in self._links.items():
            self._follow(path, target)

    def _follow(self, link: Parts, target: str) -> None:
        name = "/".join(link)
        at = list(link[:-1])
        left = self._steps(name, target)
        hops = 1
        while left:
            step = left.pop()
            if step == "..":
                if not at:
                    raise EscapeError(f"{name} is a link that leads out of the folder")
                at.pop()
                continue
            at.append(step)
            if (further := self._targets.get(self._key(tuple(at)))) is not None:
                hops += 1
                if hops > _MOST_HOPS:
                    raise EscapeError(f"{name} is a link that leads through too many others")
                at.pop()
                left += self._steps(name, further)

    def _steps(self, name: str, target: str) -> list[str]:
        """The steps of a target, the last one first."""
        if not target or "\0" in target or len(target) > _LONGEST:
            raise EscapeError(f"{name} is a link without a target that could be one")
        if target.startswith("/") or _DRIVE.match(target):
            raise EscapeError(f"{name} is a link to an absolute path")
        return [step for step in reversed(target.split("/")) if step not in ("", ".")]


def mode_of(bits: int) -> int:
    """The permission bits that a file gets whose archive says these: nothing set-uid, nobody else writes, and the owner may do both.

    As `tarfile.data_filter` has it; what its owner may not execute, nobody may.
    """
    bits = bits & 0o755 | 0o600
    return bits if bits & 0o100 else bits & ~0o111
