"""`${NAME}`, `${NAME:-default}` and `$$` in the values of a manifest: the tree of the text becomes plain data.

    nodes + environment --Substitution.data--> dict, list, Scalar, Plain, str, None    and what was used of the environment, and where

A scalar without a dollar stays the node that it is. One that is null, or that is empty once its names are filled in, becomes None: as if
it had not been written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from sys import intern
from typing import Any, Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.manifest.fields import Plain
from marscore.manifest.places import Advice, Findings, Path, Scalar
from marscore.manifest.text import MAX_DEPTH, NULLS

#: Ends a place (`Used`) that is the part of a URL that holds a user name and a password. No key of a manifest is called so.
USERINFO = "@"

#: A dollar, a name with or without a default, or a `${` that is neither.
_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-((?:[^}$]|\$(?!\{))*))?\}|\$\{")

#: The userinfo of a URL in which names may stand; their defaults may hold what would end it.
_USERINFO = re.compile(r"//(?:\$\{[^}]*\}|\$(?!\{)|[^/?#$])*@")


def escape(text: str) -> str:
    """Write text so that it stands for itself in a manifest: `$` doubled."""
    return text.replace("$", "$$")


def _is_settled(node: object) -> bool:
    """Whether there is nothing to fill in and nothing to decide: nearly every scalar of a long manifest."""
    return type(node) is Scalar and "$" not in node and node not in NULLS


#: Whether every name has to have a value.
Unset: TypeAlias = Literal["refused", "allowed"]


class _UnsetError(ValueError):
    """A name has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"needs {name}, which is not set (${{{name}:-...}} would give a default)")
        self.name = name


@dataclass(slots=True)
class Used:
    """A variable of the environment that a manifest names: its value, and where.

    A place is a path without the numbers in it, such as ("downloads", "headers", "Authorization"), so that a hundred thousand downloads
    are few places. Of a name in `each` it is ("downloads", index, "each", name), since only that entry says what the name is used for.
    """

    value: str
    places: set[Path] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"Used(..., {self.places!r})"


@dataclass(slots=True)
class Substitution:
    """Fills in names from `variables` first and then from `environment`; `used` grows by what came from the latter, by its name.

    Names in `public` are left as they are: they say which variables are meant, and want no values. With `unset` allowed, names without a
    value are no problem, and neither is what stands where they do.
    """

    environment: Mapping[str, str]
    variables: Mapping[str, str]
    findings: Findings
    used: dict[str, Used] = field(default_factory=dict)
    unset: Unset = "refused"
    without_value: set[str] = field(default_factory=set)

    def data(self, node: Any, path: Path = ()) -> Any:
        """Turn a node, or a Python object, into plain data."""
        if isinstance(node, str):
            return self._scalar(node, path)
        if len(path) > MAX_DEPTH:
            self.findings.add(path, f"is nested deeper than {MAX_DEPTH} levels")
            return None
        if isinstance(node, Mapping):
            return self._mapping(node, path)
        if isinstance(node, list | tuple):
            return [item if _is_settled(item) else self.data(item, (*path, index)) for index, item in enumerate(node)]
        return self._scalar(str(node), path) if isinstance(node, PurePath) else node

    def _mapping(self, node: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.items():
            if isinstance(key, str):
                # A hundred thousand mappings have the same few keys.
                name = intern(str(key))
                data[name] = value if _is_settled(value) else self.data(value, (*path, name))
        if len(data) < len(node):
            self.findings.add(path, "has a key that is not text")
        return data

    def _scalar(self, node: str, path: Path) -> str | None:
        plain = isinstance(node, Scalar) and node.plain
        if plain and node in NULLS:
            return None
        if "$" not in node or path[:1] == ("public",):
            return node
        text = self._filled(node, path)
        if not plain:
            return text
        return Plain(text) if text else None

    def _filled(self, text: str, path: Path) -> str:
        try:
            return _REFERENCE.sub(lambda match: self._value(match, path), text)
        except _UnsetError as error:
            if self.unset == "allowed":
                self.findings.forgiven.add(path)
                self.without_value.add(error.name)
                return str(text)
            if error.name in self.without_value:
                # To be set once, wherever it is named.
                self.findings.doubtful.append(path)
                return str(text)
            self.without_value.add(error.name)
            told = f"set it in the environment, or by --var {error.name}=VALUE"
            self.findings.add(path, str(error), advice=Advice(help=told, is_unset=True))
            return str(text)
        except ValueError as error:
            self.findings.add(path, str(error), advice=Advice(is_unset=True))
            return str(text)

    def _value(self, match: re.Match[str], path: Path) -> str:
        name, default = match[1], match[2]
        if match[0] == "$$":
            return "$"
        if name is None:
            raise ValueError("has a ${ that is neither ${NAME} nor ${NAME:-default}; write $$ for a dollar")
        value = self.variables.get(name)
        if value is None:
            value = self.environment.get(name)
            if value:
                self.used.setdefault(name, Used(value)).places.add(_place(match, path))
        if default is not None:
            return value or default.replace("$$", "$")
        if value is None:
            raise _UnsetError(name)
        return value


def _place(match: re.Match[str], path: Path) -> Path:
    if path[2:3] == ("each",):
        return path[:4]
    place = tuple([part for part in path if isinstance(part, str)])
    userinfo = _USERINFO.search(match.string)
    return (*place, USERINFO) if userinfo and userinfo.start() <= match.start() < userinfo.end() else place
