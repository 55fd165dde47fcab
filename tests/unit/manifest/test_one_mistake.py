"""One mistake, one error: the manifests of the examples with one thing wrong in each line, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from marscore.errors import ManifestError
from marscore.resolve.expand import load

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "manifests").glob("*.yaml"))
_KEY = re.compile(r"([\w-]+):(?= |$)")


def mistakes(text: str) -> Iterator[tuple[str, str]]:
    """What is wrong, and the manifest with it."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            continue
        for key in _KEY.finditer(line):
            for word in ("zzz", key[1][:-1] + "zz", key[1].upper()):
                yield f"{number + 1}: {key[1]} is {word}", changed(lines, number, line[: key.start(1)] + word + line[key.end(1) :])
            yield f"{number + 1}: nothing behind {key[1]}", changed(lines, number, line[: key.end()])
            yield f"{number + 1}: a list behind {key[1]}", changed(lines, number, f"{line[: key.end()]} [7]")
        if line.startswith("  - "):
            yield f"{number + 1}: no dash", changed(lines, number, line.replace("- ", "  ", 1))
            yield f"{number + 1}: another mapping", changed(lines, number, "  - {a: b}")
        if line.startswith(("downloads", "defaults", "execution")):
            yield f"{number + 1}: too far to the right", changed(lines, number, f"  {line}")


def changed(lines: list[str], number: int, line: str) -> str:
    """The text with another line."""
    return "\n".join([*lines[:number], line, *lines[number + 1 :]])


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_one_mistake_is_one_error(file: Path) -> None:
    wrong: dict[str, list[str]] = {}
    for what, text in mistakes(file.read_text()):
        try:
            load(text, file.name, {})
        except ManifestError as error:
            if len(error.problems) > 1:
                wrong[what] = [f"{problem.path}: {problem.message}" for problem in error.problems]
    assert not wrong
