"""What is read from a list of downloads, before it is held against a manifest's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from marscore.frozen import dataclass

#: The formats of lists by the name that --from takes.
Format: TypeAlias = Literal["urls", "aria2", "curl", "metalink", "sha256sums", "pooch", "osbuild", "json", "jsonl"]
#: The formats that an export writes.
Target: TypeAlias = Literal["aria2", "metalink", "sha256sums", "curl"]
#: Whether what is secret in a list gets a name of the environment or stands in the manifest as well.
Secrecy: TypeAlias = Literal["named", "kept"]
#: A download's options by their keys in a manifest; texts in them are meant as they are, but for `Typed`.
Options: TypeAlias = Mapping[str, object]


class Typed(str):
    """Text as it is typed in a manifest: `${NAME}` and `$$` in it mean there what they always do."""

    __slots__ = ()


class ListError(Exception):
    """A list that cannot be read at all: `line` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message, line)
        self.message, self.line = message, line


@dataclass(frozen=True, slots=True)
class Item:
    """One file that a list names, in the list's own words.

    `url` None means that the list gives a name only, which is `path`; one without a scheme is relative to the base. `size` is as it is
    written. `folder` is where the list puts the file, if it says so apart from its name.
    """

    line: int
    url: str | None
    path: str | None = None
    mirrors: tuple[str, ...] = ()
    checksums: tuple[str, ...] = ()
    size: int | str | None = None
    options: Options = field(default_factory=dict)
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a manifest cannot say of a list, at its line. `is_left_out`: a whole entry, and not only a word about it."""

    line: int | None
    message: str
    is_left_out: bool = False


@dataclass(slots=True)
class Listing:
    """The files that a list names, in its order, and what is to be said of it. Grows while the list is read."""

    items: list[Item] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def warn(self, line: int | None, message: str) -> None:
        """Something about an entry is not taken."""
        self.notes.append(Note(line, message))

    def leave_out(self, line: int | None, message: str) -> None:
        """An entry is not taken at all."""
        self.notes.append(Note(line, message, is_left_out=True))
