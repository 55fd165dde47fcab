"""`{i}` and `{i:05d}` in an entry with `each`: compiled once, filled once for each download.

    text + names --compile_template--> Template --fill(row)--> text

Only names and the formats of whole numbers are understood; `{{` and `}}` are braces. A template cannot reach attributes or items, as
Python's own format strings can, since the format string that is used is made here from parsed pieces.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from marscore.frozen import dataclass

if TYPE_CHECKING:
    from marscore.manifest import Range

MAX_EXPANSIONS = 1_000_000

#: For each name its text and, if it is one, its number.
Row: TypeAlias = tuple[str | int | None, ...]
Pair: TypeAlias = tuple[str, int | None]
EachSpec: TypeAlias = "Mapping[str, tuple[str, ...] | Range]"

_PIECE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}|[{}]")
_FORMAT = re.compile(r"(0[1-9][0-9]?)?[dxX]?")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with names in it. `format` is None where there are none, and the text is `text` as it is."""

    text: str
    format: str | None = None

    def fill(self, row: Row) -> str:
        """The text for one combination of values."""
        return self.text if self.format is None else self.format.format(*row)


def compile_template(text: str, numeric: Mapping[str, bool]) -> Template:
    """Read a template; `numeric` has the names in their order, and whether all values of each are whole numbers.

    Raises:
        ValueError: a brace that stands alone, an unknown name, or a format that does not fit.
    """
    names = list(numeric)

    def piece(match: re.Match[str]) -> str:
        name, spec = match[1], match[2]
        if name is None:
            if len(match[0]) == 1:
                raise ValueError("has a brace that belongs to no name; write {{ or }} for a brace")
            return match[0]
        if name not in numeric:
            raise ValueError(f"has the name {{{name[:64]}}}, which is not in each ({', '.join(names)})")
        if not spec:
            return f"{{{2 * names.index(name)}}}"
        return f"{{{2 * names.index(name) + 1}:{_checked(name, spec, numeric[name])}}}"

    form = _PIECE.sub(piece, text)
    constant = not any(match[1] for match in _PIECE.finditer(text))
    return Template(form.format()) if constant else Template(text, form)


def names_in(text: str) -> frozenset[str]:
    """The names that stand in a template."""
    return frozenset(match[1] for match in _PIECE.finditer(text) if match[1])


def _checked(name: str, spec: str, numeric: bool) -> str:
    if not _FORMAT.fullmatch(spec):
        raise ValueError(f"has a format for {{{name}}} that is none of d, x, X, or 05d and the like")
    if not numeric:
        raise ValueError(f"has a number's format for {{{name}}}, whose values are not all whole numbers")
    return spec


def count(each: EachSpec) -> int:
    """How many downloads an `each` makes."""
    return math.prod(len(spec) if isinstance(spec, tuple) else max(0, spec.to - spec.from_ + 1) for spec in each.values())


def numeric_names(each: EachSpec) -> dict[str, bool]:
    """The names, and whether all values of each are whole numbers."""
    return {name: not isinstance(spec, tuple) or all(map(_NUMBER.fullmatch, spec)) for name, spec in each.items()}


def rows(each: EachSpec) -> Iterator[Row]:
    """Every combination of values, the last name varying fastest."""
    specs = list(map(_pairs, each.values()))
    if len(specs) == 1:
        return specs[0]
    return (tuple(itertools.chain.from_iterable(combination)) for combination in itertools.product(*specs))


def _pairs(spec: tuple[str, ...] | Range) -> Iterator[Pair]:
    if not isinstance(spec, tuple):
        return ((str(number), number) for number in range(spec.from_, spec.to + 1))
    return ((text, int(text) if _NUMBER.fullmatch(text) else None) for text in spec)
