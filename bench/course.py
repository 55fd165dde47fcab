"""The course of a work: every tool in turn, again and again, each run checked."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.job import Job
from bench.measure import Sample, run, warm
from bench.origin import Origin
from bench.tools import Tool
from bench.works import MIB, Work

#: Memory that a tool takes besides its files.
_MARGIN = 128 * MIB


@dataclass
class Outcome:
    """What one tool did with one work. `reason` is set, and ends its runs, when one was missing, failed or left wrong files."""

    tool: Tool
    samples: list[Sample] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True)
class Course:
    """Where and how works are run.

    Attributes:
        here: a folder with room for the files of every tool; all that is made stays below it.
        keep: show each command and leave lists, logs and files in place.
    """

    origin: Origin
    here: Path
    repeat: int
    limit_s: float
    keep: bool = False

    def run(self, work: Work, tools: Sequence[Tool]) -> list[Outcome]:
        """Run a work: in each repetition every tool once, so that a slow minute meets all of them, and another one first each time."""
        self.origin.make(work.files)
        outcomes = [Outcome(tool, reason=tool.cannot(work) or tool.ready()) for tool in tools]
        for turn in range(self.repeat):
            first = turn % len(outcomes)
            for outcome in [*outcomes[first:], *outcomes[:first]]:
                if not outcome.reason:
                    self._one(work, outcome, turn)
        if not self.keep:
            shutil.rmtree(self.here / work.name, ignore_errors=True)
        return outcomes

    def _one(self, work: Work, outcome: Outcome, turn: int) -> None:
        tool = outcome.tool
        job = self._job(work, tool, turn)
        sample, wrong = self._run(tool, job), ""
        if not sample.reason:
            # The content is proven once; sizes and count always.
            wrong = _wrong(job, tool, content=turn == 0)
            outcome.samples.append(sample)
        outcome.reason = sample.reason or wrong
        print(f"{work.name:13} {turn + 1}/{self.repeat} {tool.name:16} {sample.wall_s:8.3f} s  {outcome.reason}", flush=True)
        if not (self.keep or work.again):
            _remove(job.folder)

    def _job(self, work: Work, tool: Tool, turn: int) -> Job:
        desk = self.here / work.name / tool.name.replace(" ", "")
        job = Job(work, self.origin.base(work.site), self.origin.authority, self.origin.digests, desk / "files", desk)
        if work.again and turn:
            return job
        shutil.rmtree(desk, ignore_errors=True)
        job.folder.mkdir(parents=True)
        if work.again:
            self._run(tool, job)
        return job

    def _run(self, tool: Tool, job: Job) -> Sample:
        command = tool.command(job)
        if self.keep:
            print(f"  cd {job.desk} && {shlex.join(command)}")
        warm(self.here, job.work.size + _MARGIN)
        return run(command, job.desk, job.desk / "log", self.limit_s)


def _wrong(job: Job, tool: Tool, content: bool) -> str:
    """What is wrong with the files that a tool left; nothing if they are right."""
    for file in job.work.files:
        place = tool.place(job.folder, file)
        if not place.is_file():
            return f"wrong result: {file.name} is missing"
        if place.stat().st_size != file.size:
            return f"wrong result: {file.name} has {place.stat().st_size} bytes of {file.size}"
        if content and _sha256(place) != job.digests[file.path]:
            return f"wrong result: {file.name} has another content"
    return ""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1024 * 1024):
            digest.update(block)
    return digest.hexdigest()


def _remove(folder: Path) -> None:
    """Remove a folder, in which what was killed may write for a moment yet."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.02)
    shutil.rmtree(folder)
