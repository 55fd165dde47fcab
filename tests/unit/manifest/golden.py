"""Wrong manifests and what is told of each: `wrong_manifests.txt` holds them, for people to read and for the test to compare.

python -m tests.unit.manifest.golden      writes the told texts anew; read the difference before you keep it
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from marscore.errors import ManifestError
from marscore.resolve.expand import load

FILE = Path(__file__).with_name("wrong_manifests.txt")
_CASE = "######## "
_TOLD = "--------\n"
#: What the environment holds; nothing of it may be told.
ENVIRONMENT = {"TOKEN": "s3cret-token", "HOST": "h0st.internal", "THREADS": "4"}


def cases() -> Iterator[tuple[str, str, str]]:
    """Name, manifest and what is told."""
    for section in FILE.read_text().split(_CASE)[1:]:
        name, _, rest = section.partition("\n")
        manifest, _, told = rest.partition(_TOLD)
        yield name, manifest, told.rstrip("\n")


def told_of(manifest: str) -> str:
    """What is told of a manifest."""
    try:
        load(manifest, "downloads.yaml", ENVIRONMENT)
    except ManifestError as error:
        return str(error)
    return "nothing is wrong"


def main() -> None:
    """Write the file anew."""
    FILE.write_text("".join(f"{_CASE}{name}\n{manifest}{_TOLD}{told_of(manifest)}\n\n" for name, manifest, _ in list(cases())))


if __name__ == "__main__":
    sys.exit(main())
