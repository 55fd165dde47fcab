"""The templated texts of an entry with `each`, compiled once and filled for each of its downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from marscore.frozen import dataclass
from marscore.manifest.places import Path
from marscore.resolve.refused import RefusedError
from marscore.resolve.templates import Row, Template
from marscore.values import Checksum

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Form(Generic[_T]):
    """One templated text of an entry and how to read it once it is filled in; `constant` is what it is where it has no names."""

    where: Path
    template: Template
    read: Callable[[str], _T]
    constant: _T | None

    def make(self, row: Row) -> _T:
        if self.constant is not None:
            return self.constant
        try:
            return self.read(self.template.fill(row))
        except ValueError as error:
            raise RefusedError(self.where, str(error)) from None


@dataclass(frozen=True, slots=True)
class Forms:
    """What varies between the downloads of one entry."""

    sources: tuple[Form[str], ...]
    path: Form[str] | None
    into: Form[str] | None
    checksums: tuple[Form[Checksum], ...]
    headers: Mapping[str, Form[str] | None]
    tags: tuple[Form[str], ...] | None

    def options_vary(self) -> bool:
        return any(form and form.constant is None for form in (*self.headers.values(), *(self.tags or ())))
