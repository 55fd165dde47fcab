"""Matrices of which `make test` tries some rows, and `make test-long` all: where unit tests hold each row of what decides already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

_T = TypeVar("_T")
ALL = bool(os.environ.get("MARSCORE_LONG"))


def some(rows: Mapping[str, _T], *names: str) -> dict[str, _T]:
    """The rows of these names, or all of them."""
    return dict(rows) if ALL else {name: rows[name] for name in names}
