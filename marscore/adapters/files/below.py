"""What is below a folder, however deep."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def below(folder: Path, on_error: Callable[[str, OSError], None] | None = None) -> Iterator[tuple[str, bool]]:
    """The paths of all that is in a folder, with `/` between their parts, and whether each is a folder; each folder before what is in it.

    A link is none, wherever it leads. `os.walk` of Python 3.10 and 3.11 ends in a RecursionError some hundred levels down.

    Args:
        folder: where to look.
        on_error: is told of a folder that cannot be read, by its path and why; without it the error is raised.

    Raises:
        OSError: see there.
    """
    left = [""]
    while left:
        at = left.pop()
        try:
            with os.scandir(folder / at) as found:
                entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
        except OSError as error:
            if on_error is None:
                raise
            on_error(at, error)
            continue
        inside = [(f"{at}/{name}" if at else name, is_folder) for name, is_folder in entries]
        yield from inside
        left += [path for path, is_folder in reversed(inside) if is_folder]
