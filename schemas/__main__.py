"""Writes the JSON Schemas in this folder from the models; with --check only says which are stale, and fails then.

python -m schemas [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marscore import app

FOLDER = Path(__file__).parent
NAMES = ("manifest", "lock", "outdated", "plan", "report", "report-summary", "report-entry", "validate", "verify", "event")


def text_of(name: str) -> str:
    """A schema as its file holds it."""
    return json.dumps(app.schema(name), indent=2) + "\n"


def path_of(name: str) -> Path:
    """Where a schema is kept."""
    return FOLDER / f"{name}.v1.schema.json"


def stale() -> list[Path]:
    """The files that differ from what the models say."""
    return [path_of(name) for name in NAMES if not path_of(name).exists() or path_of(name).read_text() != text_of(name)]


def main(arguments: list[str]) -> int:
    """Write or check the files. Returns the exit code."""
    if arguments == ["--check"]:
        for path in stale():
            sys.stderr.write(f"schemas/{path.name} is stale: run `make schemas`\n")
        return 1 if stale() else 0
    for name in NAMES:
        path_of(name).write_text(text_of(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
