"""A work as one tool gets it: where the files are, and where they are to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.works import File, Work


@dataclass(frozen=True)
class Job:
    """What a tool builds its command from.

    Attributes:
        base: the site's URL, before a file's path.
        authority: the PEM file to verify the TLS site against.
        digests: the sha256 of each file, by its path.
        folder: where the files go.
        desk: an empty folder for lists, manifests and logs; the command runs there.
    """

    work: Work
    base: str
    authority: Path
    digests: Mapping[str, str]
    folder: Path
    desk: Path

    def url(self, file: File) -> str:
        """Where a file is."""
        return f"{self.base}/{file.path}"

    def write(self, name: str, text: str) -> str:
        """Write a file on the desk and return its path."""
        path = self.desk / name
        path.write_text(text)
        return str(path)
