"""Which of pydantic's errors are mistakes, and which only follow from one: one mistake is told once.

    errors, each with its path --causes--> those to be told    --not_elsewhere--> the keys that are really missing

An error follows from another one where
- it is about the value of a key that is wrong itself,
- it is at a place where YAML or the environment found something before,
- a list is short of an entry that is wrong,
- a key is missing that stands, by its indentation, in another mapping, or that nobody can tell from an unknown one beside it,
- it is about `from` or `to` in `each`, where a name is missing above both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from marscore.manifest.models import NO_RANGE
from marscore.manifest.places import Path

#: Where pydantic found something, and its error.
Found: TypeAlias = "tuple[Path, Any]"
#: In place of a key, where the key is wrong and not its value.
KEY = "[key]"
_ENDS = ("from", "to")


def causes(errors: Sequence[Found], before: Callable[[Path], bool]) -> list[Found]:
    """The errors that are mistakes of their own. Time grows with their number: every download of a long list may have one.

    Args:
        errors: all of one manifest.
        before: whether something was found at exactly this path already.
    """
    keys = {path[:-1] for path, _ in errors if path[-1:] == (KEY,)}
    above = {path[:depth] for path, _ in errors for depth in range(len(path))}

    def follows(path: Path, one: Any) -> bool:
        if before(path) or (one["type"] == "too_short" and path in above):
            return True
        return path[-1:] != (KEY,) and any(path[:depth] in keys for depth in range(1, len(path) + 1))

    return _ranges([(path, one) for path, one in errors if not follows(path, one)])


def _ranges(errors: list[Found]) -> list[Found]:
    """The same with each range in `each` told once: one whose name is missing, and one of which neither end is written."""
    loose = {path[:-1] for path, one in errors if path[-2:-1] == ("each",) and path[-1] in _ENDS and one["type"] == "value_error"}
    missing = {path for path, one in errors if path[-3:-2] == ("each",) and path[-1] in _ENDS and one["type"] == "missing"}
    empty = {path[:-1] for path in missing if {(*path[:-1], end) for end in _ENDS} <= missing}
    empty -= {path[:-1] for path, one in errors if one["type"] == "extra_forbidden"}
    if not loose and not empty:
        return errors
    # Where something is wrong with a name in `each` as well, from and to were meant to stand below that.
    named = {path[:depth] for path, _ in errors for depth in range(len(path)) if path[depth:] not in (("from",), ("to",))}
    told: dict[Path, Found] = {}
    for path, one in errors:
        above = path[:-1]
        if above in loose and path[-1] in _ENDS:
            if above not in named:
                told[above] = above, {**one, "ctx": {"error": "must have names, as in {i: {from: 0, to: 9}}"}}
        elif above in empty and path[-1] in _ENDS:
            told[above] = above, {**one, "type": "value_error", "ctx": {"error": NO_RANGE}}
        else:
            told[path] = path, one
    return list(told.values())


def not_elsewhere(errors: Sequence[Found]) -> list[Path]:
    """The keys that are missing, but for those that stand, wrongly, in a mapping around their own or, of the whole, in any."""
    missing = [path for path, one in errors if one["type"] == "missing"]
    wrong = {path[:-1] if path[-1] == KEY else path for path, one in errors if path and one["type"] != "missing"}
    anywhere = {path[-1] for path in wrong}

    def stands_elsewhere(path: Path) -> bool:
        key, depth = path[-1], len(path) - 1
        return key in anywhere if depth == 0 else any((*path[:above], key) in wrong for above in range(depth))

    return [path for path in missing if not stands_elsewhere(path)]
