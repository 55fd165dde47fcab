"""One trial: a manifest in a folder of its own is run under a fault, held against the disk, and run once more undisturbed.

What a run left is told by the disk: each file is hashed against what the origin serves. Report and exit code have to agree with that.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.disk import contradictions, report_in, wrong_in
from tests.integration.command import command, environment, write
from tests.origin import Body, Origin

KIB, MIB = 1024, 1024 * 1024
#: Seconds after which a run counts as hung.
HUNG = 60
#: Seconds within which a signal has to end a run; on a busy machine some of them are spent waiting for a processor.
STOP_S = 3.0
#: The variable by which all processes of a trial are found.
_MARK = "MARSCORE_TRIAL"


@dataclass
class Figures:
    """What a sweep came to: trials, what happened in them how often, the longest times, and what was wrong."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def took(self, what: str, seconds: float, most: float) -> Iterable[str]:
        """Keep a time; it is a fault where it is more than that."""
        self.longest[what] = max(self.longest.get(what, 0.0), seconds)
        if seconds > most:
            yield f"{what}: {seconds:.1f} s"

    def __str__(self) -> str:
        counts = [f"{count} {what}" for what, count in sorted(self.counts.items())]
        longest = [f"{what}: at most {seconds:.2f} s" for what, seconds in self.longest.items()]
        return "; ".join([f"{self.runs} trials, {len(self.wrong)} faults", *counts, *longest])


@dataclass(frozen=True)
class Here:
    """Where a trial takes place, and the chance that draws it: the same for the same seed and number."""

    origin: Origin
    folder: Path
    chance: random.Random
    figures: Figures


@dataclass(frozen=True)
class Sweep:
    """Trials of one kind: one for each row, or for each number below `rows`. `missing` says why there are none on this machine."""

    rows: Sequence[Any] | int
    trial: Callable[[Here, Any], Iterable[str]]
    missing: Callable[[], str | None] = lambda: None

    def drawn(self, count: int | None) -> dict[int, Any]:
        """The rows by their numbers: all, or so many that are spread evenly."""
        if isinstance(self.rows, int):
            return dict(enumerate(range(self.rows if count is None else count)))
        most = len(self.rows) if count is None else min(count, len(self.rows))
        numbers = [step * len(self.rows) // most for step in range(most)]
        return {number: self.rows[number] for number in numbers}

    def carry_out(self, folder: Path, number: int, seed: int, figures: Figures) -> None:
        """Carry out the trial of a number in a new folder, which is gone afterwards."""
        folder.mkdir()
        row = number if isinstance(self.rows, int) else self.rows[number]
        with Origin() as origin:
            here = Here(origin, folder, random.Random(f"{seed} {number}"), figures)
            figures.runs += 1
            figures.wrong += [f"trial {number} {'' if row == number else row}: {line}" for line in self.trial(here, row)]
        shutil.rmtree(folder)


class Trial:
    """A manifest in a folder, and what its files should be."""

    def __init__(self, folder: Path, bodies: Mapping[str, Body], entries: Sequence[object], **more: object) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.own = self.data / ".marscore"
        self.bodies = bodies
        self._mark = os.urandom(8).hex()
        write(folder, entries, **more)

    def start(self, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a run, behind another command if need be. What it says goes through a pipe, which no limit is on, to a file."""
        (self.own / "report.json").unlink(missing_ok=True)
        line = [*prefix, *command("run", "downloads.yaml")]
        surroundings = environment({_MARK: self._mark, "PYTHONFAULTHANDLER": "1", **(env or {})})
        process = subprocess.Popen(
            line, cwd=self.folder, env=surroundings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout
        self._reader = threading.Thread(target=_copy, args=(process.stdout, self.folder / "log"), daemon=True)
        self._reader.start()
        return process

    def end(self, process: subprocess.Popen[bytes]) -> int | None:
        """Wait for the end of a run, and end it where it hangs: None. What its threads were at is in what it said then."""
        try:
            return process.wait(HUNG)
        except subprocess.TimeoutExpired:
            for number in (signal.SIGABRT, signal.SIGKILL):
                self.kill(number)
                time.sleep(0.5)
            process.wait()
            return None
        finally:
            # A process that is left would hold the pipe: that is found out later.
            self._reader.join(1)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End what is left of the trial's processes."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def processes(self) -> list[int]:
        """The trial's processes, found by their environment."""
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"{_MARK}={self._mark}".encode() in environ.read_bytes():
                    found.append(int(environ.parent.name))
        return found

    @property
    def said(self) -> str:
        """What the last run said."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def report(self) -> dict[str, Any]:
        """The report of the last run; empty where it wrote none."""
        return report_in(self.data)

    def faults(self, code: int | None, allowed: Collection[int], kinds: Collection[str] | None = None) -> list[str]:
        """What is wrong with the end of a run, which may have these codes, and failures of these kinds."""
        if code is None:
            return [f"it hangs: {self.said[-5000:]}"]
        report = self.report
        faults = contradictions(self.data, report) + wrong_in(self.data, self.bodies, all_there=code == 0)
        if code not in allowed:
            faults.append(f"exit code {code}: {self.said[-700:]}")
        if "Traceback" in self.said:
            faults.append(f"a traceback: {self.said[-700:]}")
        if report and report["exit_code"] != code:
            faults.append(f"exit code {code}, and the report says {report['exit_code']}")
        if not report and "marscore: " not in self.said:
            faults.append(f"exit code {code}, no report and no reason: {self.said[-500:]}")
        failed = {entry["error"]["kind"] for entry in report.get("downloads", []) if entry["error"]}
        faults += [f"failed as {kind}" for kind in failed - set(kinds if kinds is not None else failed)]
        if left := self.processes():
            self.kill()
            faults.append(f"{len(left)} processes are left")
        return faults

    def follow(self) -> list[str]:
        """Run once more, undisturbed: all has to be right then, and nothing left."""
        faults = [f"the next run: {line}" for line in self.faults(self.end(self.start()), {0})]
        left = [path.name for path in (self.own / "partial").glob("*")]
        damaged = [path.name for path in self.own.glob("*.damaged*")]
        return faults + [f"the next run left {name}" for name in left] + [f"there is {name}" for name in damaged]


def _copy(said: IO[bytes], log: Path) -> None:
    with said, log.open("wb", buffering=0) as file:
        while data := said.read1(64 * KIB):  # type: ignore[attr-defined]
            file.write(data)


def mixture(chance: random.Random, small: int, large: Sequence[int]) -> dict[str, Body]:
    """Files of which some are small, up to 60 KiB, and some have about these sizes."""
    bodies = {f"small-{n}.bin": Body(chance.randint(0, 60 * KIB), seed=n) for n in range(small)}
    return bodies | {f"large-{n}.bin": Body(size + chance.randint(-size // 4, size // 4), seed=n) for n, size in enumerate(large)}


def entry(url: str, body: Body, checked: bool) -> object:
    """A download, with the checksum of its file or without."""
    return {"url": url, "checksum": f"sha256:{body.sha256}"} if checked else url
