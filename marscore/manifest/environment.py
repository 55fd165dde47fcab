"""`${NAME}`, `${NAME:-default}` and `$$` in the values of a manifest: the tree of the text becomes plain data.

    nodes + environment --Substitution.data--> dict, list, Scalar, Plain, str, None    and every value that must never be shown

A scalar without a dollar stays the node that it is. One that is null, or that is empty once its names are filled in, becomes None: as if
it had not been written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from sys import intern
from typing import Any

from marscore.frozen import dataclass
from marscore.manifest.fields import Plain
from marscore.manifest.places import Findings, Path, Scalar
from marscore.manifest.text import MAX_DEPTH, NULLS

#: A dollar, a name with or without a default, or a `${` that is neither.
_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-((?:[^}$]|\$(?!\{))*))?\}|\$\{")


def escape(text: str) -> str:
    """Write text so that it stands for itself in a manifest: `$` doubled."""
    return text.replace("$", "$$")


def _is_settled(node: object) -> bool:
    """Whether there is nothing to fill in and nothing to decide: nearly every scalar of a long manifest."""
    return type(node) is Scalar and "$" not in node and node not in NULLS


@dataclass(slots=True)
class Substitution:
    """Fills in names from `variables` first and then from `environment`; `secrets` grows by what came from the latter."""

    environment: Mapping[str, str]
    variables: Mapping[str, str]
    findings: Findings
    secrets: dict[str, str] = field(default_factory=dict)

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
        if "$" not in node:
            return node
        text = self._filled(node, path)
        if not plain:
            return text
        return Plain(text) if text else None

    def _filled(self, text: str, path: Path) -> str:
        try:
            return _REFERENCE.sub(self._value, text)
        except ValueError as error:
            self.findings.add(path, str(error))
            return str(text)

    def _value(self, match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if match[0] == "$$":
            return "$"
        if name is None:
            raise ValueError("has a ${ that is neither ${NAME} nor ${NAME:-default}; write $$ for a dollar")
        value = self.variables.get(name)
        if value is None:
            value = self.environment.get(name)
            if value:
                self.secrets[value] = f"${{{name}}}"
        if default is not None:
            return value or default.replace("$$", "$")
        if value is None:
            raise ValueError(f"needs {name}, which is not set (${{{name}:-...}} would give a default)")
        return value
