"""Output paths: what a URL names its file, and whether two downloads want the same place."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import unquote

from marscore.frozen import dataclass
from marscore.manifest.output import check_output, collision_key
from marscore.url import parse_url

#: A URL whose last part is a file name that no rule has anything against: the usual case, in one step. No such name is reserved, since
#: all of those are shorter or have a dot in their first five characters.
_PLAIN_NAME = re.compile(r"https?://[A-Za-z0-9.:-]+/(?:[A-Za-z0-9._~/-]*/)?([A-Za-z0-9_][A-Za-z0-9_-]{4}[A-Za-z0-9_.-]{0,99}[A-Za-z0-9_])")

#: How the names of archives end. What is in front of that names the folder that they are unpacked into.
_SUFFIX = re.compile(r"(?i)(.+?)\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst|zip)", re.DOTALL)

__all__ = ["Outputs", "check_output", "collision_key", "name_in", "relative", "without_suffixes"]


def without_suffixes(path: str) -> str:
    """The path of an archive without what says that it is one.

    Raises:
        ValueError: nothing of it does.
    """
    match = _SUFFIX.fullmatch(path)
    if match is None or match[1].endswith("/"):
        raise ValueError("needs into, since the path does not end like that of an archive (.tar.gz, .zip and their like)")
    return match[1]


def relative(path: str) -> str:
    """A path without `./` in front of it."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


def name_in(url: str) -> str:
    """The file name in a URL: the last part of its path, percent-decoded.

    Raises:
        ValueError: there is none, or it breaks a rule.
    """
    if plain := _PLAIN_NAME.fullmatch(url):
        return plain[1]
    last = parse_url(url).target.partition("?")[0].rpartition("/")[2]
    if not last:
        raise ValueError("is needed, since the URL names no file")
    try:
        name = unquote(last, errors="strict")
        _check_name(name)
    except UnicodeDecodeError:
        raise ValueError("is needed, since the name in the URL is not UTF-8") from None
    except ValueError as error:
        raise ValueError(f"is needed, since the name in the URL would not do: it {error}") from None
    return name


def _check_name(name: str) -> None:
    if "/" in name:
        raise ValueError("must not hold a /")
    check_output(name)


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands in the way of a path, in words, and the id of the download that it is of."""

    message: str
    owner: str


class TakesPaths(Protocol):
    """Remembers which paths are taken."""

    def claim(self, path: str, owner: str) -> Taken | None:
        """Take a path for a download; None, or what stands in the way."""

    def claim_tree(self, into: str, owner: str) -> Taken | None:
        """Take a folder for what is in an archive, and nothing else; None, or what stands in the way."""


class Outputs:
    """Remembers which download has which path."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._trees: dict[str, str] = {}

    def claim(self, path: str, owner: str) -> Taken | None:
        """Take a path for a download; None, or which earlier one stands in the way."""
        key = collision_key(path)
        if self._trees and (tree := self._tree_above(key)):
            return Taken(f"in the folder that {tree} is unpacked into", tree)
        if key in self._files:
            return Taken(f"the same file as {self._files[key]}", self._files[key])
        if key in self._folders:
            return Taken(f"a file where {self._folders[key]} needs a folder", self._folders[key])
        parent = key.rpartition("/")[0]
        if above := self._file_above(parent):
            return Taken(f"inside of what is a file of {above}", above)
        self._files[key] = owner
        while parent and parent not in self._folders:
            self._folders[parent] = owner
            parent = parent.rpartition("/")[0]
        return None

    def claim_tree(self, into: str, owner: str) -> Taken | None:
        """Take a folder for what is in an archive, and nothing else; None, or which earlier download stands in the way."""
        key = collision_key(into)
        if tree := self._tree_above(key):
            return Taken(f"must not be in the folder that {tree} is unpacked into", tree)
        if file := self._file_above(key):
            return Taken(f"must not be where the file of {file} is" if file != owner else "must not be where the archive itself is", file)
        if key in self._folders:
            other = self._folders[key]
            said = "must not hold the archive itself" if other == owner else f"must hold nothing else, and a file of {other} lies in it"
            return Taken(said, other)
        self._trees[key] = owner
        parent = key
        while parent and parent not in self._folders:
            self._folders[parent] = owner
            parent = parent.rpartition("/")[0]
        return None

    def _tree_above(self, key: str) -> str | None:
        while key:
            if key in self._trees:
                return self._trees[key]
            key = key.rpartition("/")[0]
        return None

    def _file_above(self, folder: str) -> str | None:
        # A known folder was checked when it became one, and no file can have taken its place since.
        while folder and folder not in self._folders:
            if folder in self._files:
                return self._files[folder]
            folder = folder.rpartition("/")[0]
        return None
