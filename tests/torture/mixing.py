"""Runs over files of every size at once, with settings drawn at random; afterwards every file is hashed on the disk.

A small file goes from memory to its place, a larger one through a partial file, the largest are verified beside whoever receives: a run
that mixes them has all of these ways at work at the same time.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.disk import contradictions, report_in, wrong_in
from tests.integration.command import ended, write
from tests.origin import Body
from tests.servers import Nginx

KIB, MIB = 1024, 1024 * 1024
#: Seconds after which a run counts as hung.
HUNG = 60
#: Where the ways part: an empty file, one read, a small file, a piece, a large file, and one byte beside each.
_EDGES = (0, 1, 2 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1)


@dataclass
class Figures:
    """What the runs came to."""

    runs: int = 0
    files: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"mixed runs                           {self.runs}\n"
            f"files of mixed runs, hashed          {self.files}\n"
            f"of them wrong                        {len(self.wrong)} {' '.join(self.wrong[:20])}".rstrip()
        )


class Mixing:
    """Mixed runs against one server, whose files are made once."""

    def __init__(self, web: Nginx, chance: random.Random, small: int = 30) -> None:
        self._web = web
        self._chance = chance
        sizes = [*_EDGES, *(chance.randint(1, 8 * KIB) for _ in range(small)), 9 * MIB, 13 * MIB]
        chance.shuffle(sizes)
        self.bodies: Mapping[str, Body] = {f"{number}.bin": Body(size, seed=number % 30) for number, size in enumerate(sizes)}
        for name, body in self.bodies.items():
            (web.root / name).write_bytes(body.read(0, body.size))
        self.figures = Figures()

    def run(self, folder: Path, **execution: Any) -> None:
        """One run into a new folder and, now and then, a second that finds nothing to do."""
        folder.mkdir()
        entries: list[object] = []
        for name, body in self.bodies.items():
            url = self._web.url(name)
            entries.append({"url": url, "checksum": f"sha256:{body.sha256}"} if self._chance.random() < 0.5 else url)
        manifest = write(folder, entries, execution=execution or self._drawn(), defaults={"threads": self._chance.randint(1, 6)})
        for _ in range(2 if self._chance.random() < 0.25 else 1):
            self._wrong(folder, self._ended(folder, manifest))
            self._wrong(folder, wrong_in(folder / "data", self.bodies))
            self._wrong(folder, contradictions(folder / "data", report_in(folder / "data")))
        self.figures.runs += 1
        self.figures.files += len(self.bodies)
        if not self.figures.wrong:
            shutil.rmtree(folder)

    def _drawn(self) -> dict[str, Any]:
        draw = self._chance
        return {
            "processes": draw.choice([1, 1, 2, 3]),
            "threads": draw.choice([1, 2, 4, 8, 16]),
            "per_host": draw.choice([1, 3, 16, 64]),
            "lane": draw.choice(["auto", "auto", "requests"]),
        }

    def _ended(self, folder: Path, manifest: str) -> list[str]:
        try:
            done = ended("run", manifest, cwd=folder, limit_s=HUNG)
        except subprocess.TimeoutExpired:
            return ["it did not end"]
        return [f"it ended with {done.returncode}"] if done.returncode else []

    def _wrong(self, folder: Path, lines: list[str]) -> None:
        self.figures.wrong += [f"{folder.name}: {line}" for line in lines]
