"""Where things stand in a manifest's text: nodes that know their line and column, and problems that name them.

    ("downloads", 3, "retry", "max_retries") --Places--> line 12, column 5, shown as `downloads[3].retry.max_retries`

The nodes hold the text as it was typed, before anything of the environment came in, so nothing here can leak it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from marscore.errors import Elsewhere, ManifestError, Problem
from marscore.frozen import dataclass

Path: TypeAlias = tuple[str | int, ...]
#: Text that would be a number or a boolean without its quotes.
_LOOKS_TYPED = re.compile(r"[-+]?[0-9.]+|true|false")
#: A key that is a name and nothing else, and what is shown of another one at most.
_LONGEST_KEY = 64
_NAME = re.compile(rf"[\w.~+-]{{1,{_LONGEST_KEY}}}")
#: The value at a path, the key at its end, or what the key at its end is missing from.
At: TypeAlias = Literal["value", "key", "missing"]


class Scalar(str):
    """A scalar as typed. `plain` is True where it has no quotes, so that a typed field may read it as a number."""

    __slots__ = ("column", "line", "plain")
    line: int
    column: int
    plain: bool

    @classmethod
    def at(cls, text: str, line: int, column: int, plain: bool) -> Scalar:
        """A scalar that stands at a line and column, counted from 1."""
        node = cls(text)
        node.line, node.column, node.plain = line, column, plain
        return node


class Map(dict[Scalar, Any]):
    """A mapping of the text; its keys are Scalars, so they have places too."""

    __slots__ = ("column", "line")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line, self.column = line, column


class Seq(list[Any]):
    """A sequence of the text."""

    __slots__ = ("column", "line")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line, self.column = line, column


Node: TypeAlias = Scalar | Map | Seq


def shown(path: Path) -> str:
    """Write a path as a person would: `downloads[3].headers.User-Agent`."""
    return "".join(map(_segment, path)).removeprefix(".")


def _segment(segment: str | int) -> str:
    return f"[{segment}]" if isinstance(segment, int) else _key_segment(segment)


@lru_cache(maxsize=256)
def _key_segment(segment: str) -> str:
    if _NAME.fullmatch(segment):
        return f".{segment}"
    return f"[{json.dumps(shown_key(segment))}]"


def shown_key(text: str) -> str:
    """A key as it may be shown: cut where it is long, and without what may be secret in it, as in `"Authorization: abc": x`."""
    if _NAME.fullmatch(text):
        return text
    from marscore.manifest.quote import public_key  # noqa: PLC0415 - only where something is wrong

    return public_key(text)[:_LONGEST_KEY]


class Places:
    """Finds the place of anything in a manifest.

    Args:
        root: the tree that was read, None where the manifest was made by a program.
        again: reads that tree anew. It takes more room than all that is made of it, and only a problem has need of it.
        text: the text that it was read from, for problems to quote; None where there was none.
    """

    def __init__(self, root: Any = None, again: Callable[[], Any] | None = None, text: str | None = None) -> None:
        self._root = root
        self._again = again
        self._text = text

    @property
    def root(self) -> Any:
        """The tree."""
        if self._again is not None:
            self._root, self._again = self._again(), None
        return self._root

    def node(self, path: Path) -> tuple[Any, Path]:
        """What stands at a path, and the path; where it goes deeper than the text, what stands above, and how far it goes."""
        node, known = self._walk(path)
        return node, path[:known]

    def problem(self, path: Path, message: str, at: At = "value") -> Problem:
        """Say what is wrong at a path.

        The path may go deeper than the text, as where one URL stands for two proxies; the problem is then at what was written.
        """
        if self.root is None:
            return Problem(shown(path), message)
        node, known = self._walk(path)
        if at == "missing":
            return self._problem_at(node, path[: known + 1], message)
        if at == "key" and isinstance(node, Mapping):
            return self._problem_at(_key(node, path[known]), path[: known + 1], message)
        return replace(self._problem_at(node, path[:known], message), found=_kind_of(node))

    def error(self, source: str, problems: Iterable[Problem]) -> ManifestError:
        """These problems in the order of the text, each with its line."""
        from marscore.manifest.quote import quoted  # noqa: PLC0415 - only where something is wrong

        return ManifestError(source, quoted(problems, self._text or ""))

    def elsewhere(self, path: Path, what: str) -> Elsewhere | None:
        """Another place to be named with a problem: the value at a path, or what of it there is; None where there is no text."""
        found = self.problem(path, "")
        return None if found.line is None or found.column is None else Elsewhere(what, found.line, found.column)

    def key_problem(self, path: Path, message: str) -> Problem:
        """Say what is wrong with the key at the end of a path."""
        parent, known = self._walk(path[:-1])
        place = _key(parent, path[-1]) if known == len(path) - 1 and isinstance(parent, Mapping) else parent
        return self._problem_at(place, path, message)

    def _walk(self, path: Path) -> tuple[Any, int]:
        """The deepest node on the way, and how many segments lead there."""
        node = self.root
        for depth, segment in enumerate(path):
            if not _has(node, segment):
                return node, depth
            node = node[segment]
        return node, len(path)

    def _problem_at(self, node: Any, path: Path, message: str) -> Problem:
        return Problem(shown(path), message, getattr(node, "line", None), getattr(node, "column", None))


def _kind_of(node: Any) -> str | None:
    """What stands there, where that is not seen at once."""
    if isinstance(node, Map | Seq):
        return "a mapping" if isinstance(node, Map) else "a list"
    if not isinstance(node, Scalar):
        return None
    if "${" in node:
        return "filled in from the environment, and not shown"
    if node.plain:
        return None if node else "nothing"
    return "text, as it has quotes" if _LOOKS_TYPED.fullmatch(node) else None


def _has(node: Any, segment: str | int) -> bool:
    if isinstance(segment, int):
        return isinstance(node, list | tuple) and segment < len(node)
    return isinstance(node, Mapping) and segment in node


def _key(mapping: Mapping[Any, Any], key: object) -> Any:
    """The key as it stands in the mapping, with its place."""
    return next((known for known in mapping if known == key), mapping)


@dataclass(frozen=True, slots=True)
class Advice:
    """What helps with a problem: what the option is, what may stand there, what to write instead, and another place with its name.

    `is_unset`: no value stands there.
    """

    about: str | None = None
    allowed: str | None = None
    help: str | None = None
    elsewhere: tuple[Path, str] | None = None
    is_unset: bool = False


NO_ADVICE = Advice()


@dataclass(slots=True)
class Findings:
    """Collects problems over all stages of reading, so that they can be told at once."""

    places: Places
    found: list[tuple[Path, Problem]] = field(default_factory=list)
    #: Where nobody knows yet what will stand there; and what is not told: found wrong for that alone, or for what was told elsewhere.
    forgiven: set[Path] = field(default_factory=set)
    doubtful: list[Path] = field(default_factory=list)
    _seen: set[tuple[str, int | None, int | None]] = field(default_factory=set)

    def add(self, path: Path, message: str, at: At = "value", advice: Advice = NO_ADVICE) -> None:
        """Note a problem; a second one at the same place is most often an echo of the first and is left out."""
        problem = self.places.key_problem(path, message) if at == "key" else self.places.problem(path, message, at)
        if advice is not NO_ADVICE:
            other = None if advice.elsewhere is None else self.places.elsewhere(*advice.elsewhere)
            found = None if advice.is_unset else problem.found
            problem = replace(problem, found=found, about=advice.about, allowed=advice.allowed, help=advice.help, elsewhere=other)
        self.note(path, problem)

    def note(self, path: Path, problem: Problem) -> None:
        """Note a problem whose place is already known."""
        if self.forgiven and any(path[:depth] in self.forgiven for depth in range(1, len(path) + 1)):
            self.doubtful.append(path)
            return
        mark = (problem.path, problem.line, problem.column)
        if mark not in self._seen:
            self._seen.add(mark)
            self.found.append((path, problem))

    def wrong(self, *prefix: str | int) -> bool:
        """Whether anything at or under a path is wrong, or may be."""
        return any(path[: len(prefix)] == prefix for path in self._paths())

    def wrong_defaults(self) -> bool:
        """Whether the defaults are wrong, or a key of the whole is, which may be what was to be `defaults`."""
        return any(path[:1] == ("defaults",) or len(path) == 1 for path in self._paths())

    def _paths(self) -> Iterator[Path]:
        yield from (path for path, _ in self.found)
        yield from self.doubtful

    def wrong_entries(self) -> set[int]:
        """The indices of the downloads in which something is wrong."""
        return {path[1] for path in self._paths() if len(path) > 1 and path[0] == "downloads" and isinstance(path[1], int)}

    def open_entries(self) -> set[int]:
        """The indices of the downloads of which nobody knows yet where they come from or go to."""
        return {
            path[1]
            for path in self.forgiven
            if path[0] == "downloads"
            and isinstance(path[1], int)
            and (len(path) == 2 or path[2] in ("url", "path", "from", "each", "unpack"))
        }

    def error(self, source: str) -> ManifestError:
        """All problems in the order of the text."""
        return self.places.error(source, [problem for _, problem in self.found])
